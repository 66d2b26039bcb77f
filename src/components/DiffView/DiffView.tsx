import { type KeyboardEvent, memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';

import { decidedText, type Decisions, reviewedText, type ReviewPart } from '../../align/review.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import styles from './DiffView.module.css';
import { type Sides, toLines } from './lines.ts';

/** Which change a person looks at, and what they decided. */
export interface DiffReview {
  current: number | undefined;
  /** Its words are being written anew. */
  isRewording: boolean;
  decisions: Decisions;
  select: (index: number) => void;
  /** New words so far. */
  write: (words: string) => void;
  endRewording: (isKept: boolean) => void;
  /** The field goes without being left. */
  keepWords: () => void;
}

interface DiffViewProps {
  parts: readonly ReviewPart[];
  view: 'side-by-side' | 'inline' | 'clean';
  /** A caret marks where the text goes on. */
  isWriting: boolean;
  /** Long stretches without a change show their ends only, until they are opened. */
  isFolded: boolean;
  review: DiffReview;
}

/** An edit beside its original. Model text is drawn as text; what changed is marked by element, line and colour. */
export function DiffView({ parts, view, isWriting, isFolded, review }: DiffViewProps) {
  const actions = useSteadyActions(review);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const caret = isWriting && <span className={styles.caret} data-caret="" aria-hidden="true" />;
  const hasPending = parts.at(-1)?.type === 'pending';
  const folding: Folding = {
    isFolded: (index) => isFolded && !opened.has(index),
    open: (index) => setOpened(new Set([...opened, index])),
  };
  if (view === 'inline') {
    return (
      <div className={styles.text} data-testid="edit-inline">
        <Pieces parts={parts} sides="both" review={review} actions={actions} folding={folding} beforePending={caret} />
        {!hasPending && caret}
      </div>
    );
  }
  if (view === 'clean') {
    return (
      <div className={styles.text} data-testid="edit-clean">
        {reviewedText(parts, review.decisions)}
        {caret}
      </div>
    );
  }
  const written = parts.filter(({ type }) => type !== 'pending');
  return (
    <div className={styles.columns}>
      <div className={styles.column} role="group" aria-label={strings.edit.original} data-testid="original">
        <h3 className={styles.heading}>{strings.edit.original}</h3>
        <div className={styles.text}>
          <Pieces parts={parts} sides="original" review={review} actions={actions} folding={folding} />
        </div>
      </div>
      <div className={styles.column} role="group" aria-label={strings.edit.edited} data-testid="edit">
        <h3 className={styles.heading}>{strings.edit.edited}</h3>
        <div className={styles.text}>
          <Pieces parts={written} sides="edit" review={review} actions={actions} folding={folding} />
          {caret}
        </div>
      </div>
    </div>
  );
}

/** What can be done to a change; always the same object, so that a change is drawn anew only when it is another. */
type Actions = Pick<DiffReview, 'select' | 'write' | 'endRewording' | 'keepWords'>;

function useSteadyActions(review: DiffReview): Actions {
  const latest = useRef(review);
  useLayoutEffect(() => {
    latest.current = review;
  });
  return useMemo(
    () => ({
      select: (index) => latest.current.select(index),
      write: (words) => latest.current.write(words),
      endRewording: (isKept) => latest.current.endRewording(isKept),
      keepWords: () => latest.current.keepWords(),
    }),
    [],
  );
}

interface Folding {
  isFolded: (index: number) => boolean;
  open: (index: number) => void;
}

interface PiecesProps {
  parts: readonly ReviewPart[];
  sides: Sides;
  review: DiffReview;
  actions: Actions;
  folding: Folding;
  beforePending?: React.ReactNode;
}

/** From here on, lines that are out of sight are not laid out. */
const MANY_LINES = 100;

/** Keyed by place: while text streams, only the last lines change. */
function Pieces({ parts, sides, review, actions, folding, beforePending }: PiecesProps) {
  const lines = toLines(parts, sides, review.decisions, folding.isFolded);
  const lineClass = classNames(styles.line, lines.length > MANY_LINES ? styles.ofMany : undefined);
  return lines.map((line, i) => (
    <div key={i} className={lineClass}>
      {line.map((fragment, place) => {
        switch (fragment.type) {
          case 'kept':
            return <span key={place}>{fragment.text}</span>;
          case 'folded':
            return (
              <Folded
                key={place}
                text={fragment.text}
                isFirst={fragment.part === 0}
                isLast={fragment.part === parts.length - 1}
                onOpen={() => folding.open(fragment.part)}
              />
            );
          case 'pending':
            return (
              <span key={place}>
                {line[place - 1]?.type !== 'pending' && lines[i - 1]?.at(-1)?.type !== 'pending' && beforePending}
                <span className={styles.pending} data-change="pending">
                  {fragment.text}
                </span>
              </span>
            );
          case 'change':
            return (
              <ChangePiece
                key={place}
                index={fragment.index}
                deleted={fragment.deleted}
                inserted={fragment.inserted}
                isCurrent={fragment.index === review.current}
                isRejected={review.decisions.get(fragment.index)?.type === 'rejected'}
                rewording={
                  fragment.isLast && fragment.index === review.current && review.isRewording && sides !== 'original'
                    ? rewordingText(parts[fragment.part], review.decisions)
                    : undefined
                }
                actions={actions}
              />
            );
          default:
            return fragment satisfies never;
        }
      })}
    </div>
  ));
}

/** What a person's own words begin with. */
function rewordingText(part: ReviewPart | undefined, decisions: Decisions): string {
  return part?.type === 'change' ? decidedText(part, decisions) : '';
}

/** Of a folded stretch this much stays at either end, so that a change is read in its sentence. */
const FOLDED_ENDS = 120;

interface FoldedProps {
  text: string;
  isFirst: boolean;
  isLast: boolean;
  onOpen: () => void;
}

function Folded({ text, isFirst, isLast, onOpen }: FoldedProps) {
  const start = isFirst ? 0 : text.indexOf(' ', FOLDED_ENDS);
  const end = isLast ? text.length : text.lastIndexOf(' ', text.length - FOLDED_ENDS);
  const hidden = start < 0 || end <= start ? '' : text.slice(start, end);
  // Folding a few words saves nothing.
  if (hidden.length < FOLDED_ENDS) return <span>{text}</span>;
  return (
    <span>
      {text.slice(0, start)}
      <button type="button" className={styles.fold} onClick={onOpen}>
        {strings.edit.folded(hidden.match(/\S+/g)?.length ?? 0)}
      </button>
      {text.slice(end)}
    </span>
  );
}

interface ChangePieceProps {
  index: number;
  deleted: string;
  inserted: string;
  isCurrent: boolean;
  isRejected: boolean;
  /** The text to write anew; undefined while nothing is being written. */
  rewording: string | undefined;
  actions: Actions;
}

/** A click chooses it; by keyboard the review's buttons do. */
const ChangePiece = memo(function ChangePiece(change: ChangePieceProps) {
  const { index, deleted, inserted, isCurrent, isRejected, rewording, actions } = change;
  const element = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!isCurrent) return;
    // After the frame is drawn: asked before, the browser lays every line out, also those that are out of sight.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const frame = requestAnimationFrame(() => {
      timer = setTimeout(() => element.current && showNearest(element.current));
    });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }, [isCurrent]);
  if (deleted === '' && inserted === '' && rewording === undefined) return null;
  return (
    <span
      ref={element}
      className={classNames(
        styles.change,
        isCurrent ? styles.current : undefined,
        isRejected ? styles.rejected : undefined,
      )}
      data-change={isRejected ? 'rejected' : 'accepted'}
      onClick={() => actions.select(index)}
    >
      {deleted !== '' && <del>{withVisibleBlanks(deleted)}</del>}
      {rewording !== undefined ? (
        <Rewording text={rewording} actions={actions} />
      ) : (
        inserted !== '' && <ins>{withVisibleBlanks(inserted)}</ins>
      )}
    </span>
  );
});

/** Room between a change that was scrolled to and the edge. */
const MARGIN_PX = 24;

/**
 * Scrolls the box that the text is in, and the page where that is not enough, so that the element's start is seen.
 */
function showNearest(element: HTMLElement): void {
  const box = element.closest('[role="group"][tabindex]');
  const top = () => element.getClientRects()[0]?.top ?? 0;
  if (box !== null) {
    const { top: from, bottom: to } = box.getBoundingClientRect();
    box.scrollBy({ top: outside(top(), from, to), behavior: 'instant' });
  }
  window.scrollBy({ top: outside(top(), 0, window.innerHeight), behavior: 'instant' });
}

/** How far a place is beyond the edges, which count as `MARGIN_PX` narrower; 0 between them. */
function outside(place: number, from: number, to: number): number {
  const [first, last] = [from + MARGIN_PX, to - 3 * MARGIN_PX];
  return place < first ? place - first : Math.max(0, place - last);
}

/** Enter keeps what is written, and so does leaving; Escape lets it be. The text around has the focus again after. */
function Rewording({ text, actions }: { text: string; actions: Actions }) {
  useEffect(() => {
    window.addEventListener('pagehide', actions.keepWords);
    return () => {
      window.removeEventListener('pagehide', actions.keepWords);
      actions.keepWords();
    };
  }, [actions]);
  const endByKey = (event: KeyboardEvent<HTMLTextAreaElement>, isKept: boolean) => {
    event.preventDefault();
    event.stopPropagation();
    if (!isKept) actions.endRewording(false);
    event.currentTarget.closest<HTMLElement>('[role="group"][tabindex]')?.focus({ preventScroll: true });
  };
  return (
    <textarea
      className={styles.rewording}
      defaultValue={text}
      rows={1}
      autoFocus
      aria-label={strings.edit.review.rewordLabel}
      onClick={(event) => event.stopPropagation()}
      onChange={(event) => actions.write(event.target.value)}
      // Another window takes the focus only for a while.
      onBlur={(event) => document.activeElement !== event.currentTarget && actions.endRewording(true)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === 'Enter' && !event.shiftKey) endByKey(event, true);
        if (event.key === 'Escape') endByKey(event, false);
      }}
    />
  );
}

/** A change of blanks alone would be seen as nothing: they are drawn as marks, which are not copied. */
function withVisibleBlanks(text: string): React.ReactNode {
  if (text.trim() !== '') return text;
  return [...text].map((blank, i) => (
    <span key={i} className={styles.blank} data-mark={blank === '\n' ? '¶' : blank === '\t' ? '→' : '·'}>
      {blank}
    </span>
  ));
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
