import { type RefObject, useEffect, useRef } from 'react';

/** A caret that is no further than this outside the box counts as watched. */
const NEAR_PX = 80;

/**
 * Scrolls a box so that the end of the text that is being written stays in view, unless the reader has scrolled away
 * from it. The page itself is never scrolled.
 *
 * @param edit  changes with every piece of text
 */
export function useFollowCaret(box: RefObject<HTMLElement | null>, edit: string): { onScroll: () => void } {
  const isFollowing = useRef(true);

  useEffect(() => {
    if (edit === '') isFollowing.current = true;
    const belowPx = caretBelowPx(box.current);
    if (isFollowing.current && belowPx > 0) box.current?.scrollBy({ top: belowPx, behavior: 'instant' });
  }, [box, edit]);

  return {
    onScroll: () => {
      isFollowing.current = caretBelowPx(box.current) < NEAR_PX;
    },
  };
}

/** How far the caret is below the visible part of the box; negative when it is above its lower edge, 0 without one. */
function caretBelowPx(box: HTMLElement | null): number {
  const caret = box?.querySelector('[data-caret]');
  if (!box || !caret) return 0;
  return caret.getBoundingClientRect().bottom - box.getBoundingClientRect().bottom + 24;
}
