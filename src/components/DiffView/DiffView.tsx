import { type Ref, useEffect, useRef } from 'react';

import { reviewedText, type Rejections, type ReviewPart } from '../../align/review.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import styles from './DiffView.module.css';

/** Which change a person looks at, and which ones they took back. */
export interface DiffReview {
  current: number | undefined;
  rejections: Rejections;
  select: (index: number) => void;
}

interface DiffViewProps {
  parts: readonly ReviewPart[];
  view: 'side-by-side' | 'inline' | 'clean';
  /** A caret marks where the text goes on. */
  isWriting: boolean;
  review: DiffReview;
}

/** An edit beside its original. Model text is drawn as text; what changed is marked by element, line and colour. */
export function DiffView({ parts, view, isWriting, review }: DiffViewProps) {
  const caret = isWriting && <span className={styles.caret} data-caret="" aria-hidden="true" />;
  const hasPending = parts.at(-1)?.type === 'pending';
  if (view === 'inline') {
    return (
      <div className={styles.text} data-testid="edit-inline">
        <Pieces parts={parts} sides="both" review={review} beforePending={caret} />
        {!hasPending && caret}
      </div>
    );
  }
  if (view === 'clean') {
    return (
      <div className={styles.text} data-testid="edit-clean">
        {reviewedText(parts, review.rejections)}
        {caret}
      </div>
    );
  }
  return (
    <div className={styles.columns}>
      <div className={styles.column} role="group" aria-label={strings.edit.original} data-testid="original">
        <h3 className={styles.heading}>{strings.edit.original}</h3>
        <div className={styles.text}>
          <Pieces parts={parts} sides="original" review={review} />
        </div>
      </div>
      <div className={styles.column} role="group" aria-label={strings.edit.edited} data-testid="edit">
        <h3 className={styles.heading}>{strings.edit.edited}</h3>
        <div className={styles.text}>
          <Pieces parts={parts.filter(({ type }) => type !== 'pending')} sides="edit" review={review} />
          {caret}
        </div>
      </div>
    </div>
  );
}

interface PiecesProps {
  parts: readonly ReviewPart[];
  sides: 'original' | 'edit' | 'both';
  review: DiffReview;
  beforePending?: React.ReactNode;
}

/** Keyed by place: while text streams, only the last pieces change. */
function Pieces({ parts, sides, review, beforePending }: PiecesProps) {
  const current = useRef<HTMLSpanElement>(null);
  const index = review.current;
  useEffect(() => {
    if (index !== undefined) current.current?.scrollIntoView({ block: 'nearest' });
  }, [index]);
  return parts.map((part, i) => {
    switch (part.type) {
      case 'kept':
        return <span key={i}>{part.text}</span>;
      case 'pending':
        return (
          <span key={i}>
            {beforePending}
            <span className={styles.pending} data-change="pending">
              {part.text}
            </span>
          </span>
        );
      case 'change':
        return (
          <ChangePiece
            key={i}
            ref={part.index === index ? current : null}
            // What was taken back is the reviewed text again.
            deleted={sides === 'edit' && !review.rejections.has(part.index) ? '' : part.deleted}
            inserted={sides === 'original' ? '' : part.inserted}
            isCurrent={part.index === index}
            isRejected={review.rejections.has(part.index)}
            onSelect={() => review.select(part.index)}
          />
        );
      default:
        return part satisfies never;
    }
  });
}

interface ChangePieceProps {
  ref: Ref<HTMLSpanElement>;
  deleted: string;
  inserted: string;
  isCurrent: boolean;
  isRejected: boolean;
  onSelect: () => void;
}

/** A click chooses it; by keyboard the review's buttons do. */
function ChangePiece({ ref, deleted, inserted, isCurrent, isRejected, onSelect }: ChangePieceProps) {
  if (deleted === '' && inserted === '') return null;
  return (
    <span
      ref={ref}
      className={classNames(
        styles.change,
        isCurrent ? styles.current : undefined,
        isRejected ? styles.rejected : undefined,
      )}
      data-change={isRejected ? 'rejected' : 'accepted'}
      onClick={onSelect}
    >
      {deleted !== '' && <del>{deleted}</del>}
      {inserted !== '' && <ins>{inserted}</ins>}
    </span>
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
