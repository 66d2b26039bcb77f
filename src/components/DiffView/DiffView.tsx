import type { Change } from '../../align/diff.ts';
import { strings } from '../../strings.ts';
import styles from './DiffView.module.css';

interface DiffViewProps {
  changes: readonly Change[];
  view: 'side-by-side' | 'inline' | 'clean';
  /** A caret marks where the text goes on. */
  isWriting: boolean;
}

/** An edit beside its original. Model text is drawn as text; what changed is marked by element, line and colour. */
export function DiffView({ changes, view, isWriting }: DiffViewProps) {
  const caret = isWriting && <span className={styles.caret} data-caret="" aria-hidden="true" />;
  if (view === 'inline') {
    return (
      <div className={styles.text} data-testid="edit-inline">
        <Pieces changes={changes} caretBeforePending={caret} />
      </div>
    );
  }
  const edit = changes.filter(({ type }) => type === 'kept' || type === 'inserted');
  if (view === 'clean') {
    return (
      <div className={styles.text} data-testid="edit-clean">
        {edit.map(({ text }) => text).join('')}
        {caret}
      </div>
    );
  }
  return (
    <div className={styles.columns}>
      <div className={styles.column} role="group" aria-label={strings.edit.original} data-testid="original">
        <h3 className={styles.heading}>{strings.edit.original}</h3>
        <div className={styles.text}>
          <Pieces changes={changes.filter(({ type }) => type !== 'inserted')} />
        </div>
      </div>
      <div className={styles.column} role="group" aria-label={strings.edit.edited} data-testid="edit">
        <h3 className={styles.heading}>{strings.edit.edited}</h3>
        <div className={styles.text}>
          <Pieces changes={edit} />
          {caret}
        </div>
      </div>
    </div>
  );
}

/** Keyed by place: while text streams, only the last pieces change. */
function Pieces({ changes, caretBeforePending }: { changes: readonly Change[]; caretBeforePending?: React.ReactNode }) {
  const hasPending = changes.at(-1)?.type === 'pending';
  return (
    <>
      {changes.map(({ type, text }, i) => {
        switch (type) {
          case 'kept':
            return <span key={i}>{text}</span>;
          case 'deleted':
            return <del key={i}>{text}</del>;
          case 'inserted':
            return <ins key={i}>{text}</ins>;
          case 'pending':
            return (
              <span key={i}>
                {caretBeforePending}
                <span className={styles.pending} data-change="pending">
                  {text}
                </span>
              </span>
            );
          default:
            return type satisfies never;
        }
      })}
      {!hasPending && caretBeforePending}
    </>
  );
}

/** What the marks mean. */
export function DiffLegend({ hasPending }: { hasPending: boolean }) {
  return (
    <ul className={styles.legend}>
      <li>
        <del>{strings.edit.legend.deleted}</del>
      </li>
      <li>
        <ins>{strings.edit.legend.inserted}</ins>
      </li>
      {hasPending && (
        <li>
          <span className={styles.pending}>{strings.edit.legend.pending}</span>
        </li>
      )}
    </ul>
  );
}
