import { Icon } from '../../components/Icon/Icon.tsx';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './ReviewBar.module.css';
import type { Review } from './use-review.ts';

const text = strings.edit.review;

/** Goes through the changes of an edit: each is kept or taken back. */
export function ReviewBar({ review }: { review: Review }) {
  const { changeCount, current, rejections, canUndo } = review;
  if (changeCount === 0) return null;
  const isChosen = current !== undefined;
  return (
    <div className={styles.bar} role="group" aria-label={text.title}>
      <button type="button" className={controls.quiet} onClick={() => review.move(-1)} aria-label={text.previous}>
        <Icon name="up" />
      </button>
      <button type="button" className={controls.quiet} onClick={() => review.move(1)} aria-label={text.next}>
        <Icon name="down" />
      </button>
      <span className={styles.place} aria-live="polite">
        {isChosen ? text.place(current + 1, changeCount, rejections.has(current)) : text.count(changeCount)}
        {rejections.size > 0 && ` · ${text.rejected(rejections.size)}`}
      </span>
      <button type="button" className={controls.quiet} disabled={!isChosen} onClick={() => review.decide(false)}>
        <Icon name="check" />
        {text.accept}
      </button>
      <button type="button" className={controls.quiet} disabled={!isChosen} onClick={() => review.decide(true)}>
        <Icon name="close" />
        {text.reject}
      </button>
      <button
        type="button"
        className={controls.quiet}
        onClick={() => review.decideAll(rejections.size < changeCount)}
        aria-label={rejections.size < changeCount ? text.rejectAll : text.acceptAll}
      >
        {rejections.size < changeCount ? text.rejectAll : text.acceptAll}
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
  const actions: Record<string, () => void> = {
    n: () => review.move(1),
    p: () => review.move(-1),
    a: () => review.decide(false),
    r: () => review.decide(true),
    u: review.undo,
    A: () => review.decideAll(false),
    R: () => review.decideAll(true),
  };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}
