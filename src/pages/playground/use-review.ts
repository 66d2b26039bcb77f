import { useState } from 'react';

import type { Rejections } from '../../align/review.ts';

/** A person's decisions on the changes of one edit. All are accepted until one is rejected. */
export interface Review {
  changeCount: number;
  /** The change that is looked at. */
  current: number | undefined;
  rejections: Rejections;
  canUndo: boolean;
  select: (index: number) => void;
  /** To the next change or the one before, around the ends. */
  move: (step: 1 | -1) => void;
  /** Of the current change; goes on to the next. */
  decide: (isRejected: boolean) => void;
  decideAll: (isRejected: boolean) => void;
  undo: () => void;
}

interface ReviewState {
  of: unknown;
  current: number | undefined;
  rejections: Rejections;
  before: readonly Rejections[];
}

const fresh = (of: unknown): ReviewState => ({ of, current: undefined, rejections: new Set(), before: [] });

/** @param of  what is reviewed: another one begins anew */
export function useReview(of: unknown, changeCount: number): Review {
  const [stored, setState] = useState(() => fresh(of));
  const state = stored.of === of ? stored : fresh(of);
  const { current, rejections, before } = state;
  const change = (next: Partial<ReviewState>) => setState({ ...state, ...next });
  const replace = (next: Rejections, at = current) =>
    change({ rejections: next, before: [...before, rejections], current: at });
  return {
    changeCount,
    current,
    rejections,
    canUndo: before.length > 0,
    select: (index) => change({ current: index }),
    move(step) {
      if (changeCount === 0) return;
      const start = current ?? (step === 1 ? -1 : 0);
      change({ current: (start + step + changeCount) % changeCount });
    },
    decide(isRejected) {
      if (current === undefined) return;
      const next = new Set(rejections);
      if (isRejected) next.add(current);
      else next.delete(current);
      replace(next, Math.min(current + 1, changeCount - 1));
    },
    decideAll: (isRejected) =>
      replace(new Set(isRejected ? Array.from({ length: changeCount }, (_, index) => index) : [])),
    undo: () => change({ rejections: before.at(-1) ?? rejections, before: before.slice(0, -1) }),
  };
}
