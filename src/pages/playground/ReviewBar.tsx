import { Icon } from '../../components/Icon/Icon.tsx';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './ReviewBar.module.css';
import type { Review } from './use-review.ts';

const text = strings.edit.review;
const REJECTED = { type: 'rejected' } as const;

/** Goes through the changes of an edit: each is kept, taken back, or put in other words. */
export function ReviewBar({ review, onFocusLost }: { review: Review; onFocusLost: () => void }) {
  const { changeCount, current, decisions, canUndo, isRewording } = review;
  if (changeCount === 0) return null;
  const isChosen = current !== undefined;
  const rejectedCount = [...decisions.values()].filter(({ type }) => type === 'rejected').length;
  const rewordedCount = decisions.size - rejectedCount;
  return (
    <div
      className={styles.bar}
      role="group"
      aria-label={text.title}
      // A press here is about the words that are being written: they are not left by it.
      onMouseDown={(event) => isRewording && event.preventDefault()}
      // What had the focus may be gone then.
      onClick={() => requestAnimationFrame(() => document.activeElement === document.body && onFocusLost())}
    >
      <button type="button" className={controls.quiet} onClick={() => review.move(-1)} aria-label={text.previous}>
        <Icon name="up" />
      </button>
      <button type="button" className={controls.quiet} onClick={() => review.move(1)} aria-label={text.next}>
        <Icon name="down" />
      </button>
      <span className={styles.place} aria-live="polite">
        {isChosen ? text.place(current + 1, changeCount, decisions.get(current)?.type) : text.count(changeCount)}
        {rejectedCount > 0 && ` · ${text.rejected(rejectedCount)}`}
        {rewordedCount > 0 && ` · ${text.reworded(rewordedCount)}`}
      </span>
      <button type="button" className={controls.quiet} disabled={!isChosen} onClick={() => review.decide(undefined)}>
        <Icon name="check" />
        {text.accept}
      </button>
      <button type="button" className={controls.quiet} disabled={!isChosen} onClick={() => review.decide(REJECTED)}>
        <Icon name="close" />
        {text.reject}
      </button>
      <button
        type="button"
        className={controls.quiet}
        disabled={!isChosen}
        aria-pressed={isRewording}
        onClick={() => (isRewording ? review.endRewording(true) : review.startRewording())}
      >
        <Icon name="pen" />
        {text.reword}
      </button>
      {decisions.size > 0 && (
        <button type="button" className={controls.quiet} onClick={() => review.decideAll(undefined)}>
          {text.acceptAll}
        </button>
      )}
      <button
        type="button"
        className={controls.quiet}
        disabled={rejectedCount === changeCount}
        onClick={() => review.decideAll(REJECTED)}
      >
        {text.rejectAll}
      </button>
      <button type="button" className={controls.quiet} disabled={!canUndo} onClick={review.undo}>
        {text.undo}
      </button>
    </div>
  );
}

/** The same by keyboard, while the text has the focus. */
export function reviewKey(review: Review, event: React.KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || review.changeCount === 0) return;
  if (event.target instanceof HTMLTextAreaElement) return;
  const actions: Record<string, () => void> = {
    n: () => review.move(1),
    p: () => review.move(-1),
    a: () => review.decide(undefined),
    r: () => review.decide(REJECTED),
    e: review.startRewording,
    u: review.undo,
    A: () => review.decideAll(undefined),
    R: () => review.decideAll(REJECTED),
  };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}
