import { useState } from 'react';

import type { Decision, Decisions } from '../../align/review.ts';
import type { Run } from '../../state/run-slice.ts';
import { useApp } from '../../state/stores.ts';

/** A person's way through the changes of one edit. All are accepted until one is decided otherwise. */
export interface Review {
  changeCount: number;
  /** The change that is looked at. */
  current: number | undefined;
  /** Whether its new words are being written. */
  isRewording: boolean;
  decisions: Decisions;
  canUndo: boolean;
  select: (index: number) => void;
  /** To the next change or the one before, around the ends. */
  move: (step: 1 | -1) => void;
  /** Of the current change; undefined accepts it. Goes on to the next. */
  decide: (decision: Decision | undefined) => void;
  decideAll: (decision: Decision | undefined) => void;
  setRewording: (isRewording: boolean) => void;
  undo: () => void;
}

interface ReviewState {
  of: string | undefined;
  current: number | undefined;
  isRewording: boolean;
  before: readonly Decisions[];
}

const NO_DECISIONS: Decisions = new Map();

/** Decisions are on a finished edit, and are kept with its run; where one is and what can be undone is the page's. */
export function useReview(run: Run, changeCount: number): Review {
  const of = run.status === 'done' ? run.id : undefined;
  const decisions = run.status === 'done' ? run.decisions : NO_DECISIONS;
  const keep = useApp((app) => app.decide);
  const fresh: ReviewState = { of, current: undefined, isRewording: false, before: [] };
  const [stored, setState] = useState(fresh);
  const state = stored.of === of ? stored : fresh;
  const { current, isRewording, before } = state;
  const change = (next: Partial<ReviewState>) => setState({ ...state, ...next });
  const replace = (next: Decisions, at = current) => {
    change({ before: [...before, decisions], current: at, isRewording: false });
    keep(next);
  };
  return {
    changeCount: of === undefined ? 0 : changeCount,
    current,
    isRewording,
    decisions,
    canUndo: before.length > 0,
    select: (index) => change({ current: index, isRewording: isRewording && index === current }),
    move(step) {
      if (changeCount === 0) return;
      const start = current ?? (step === 1 ? -1 : 0);
      change({ current: (start + step + changeCount) % changeCount, isRewording: false });
    },
    decide(decision) {
      if (current === undefined) return;
      const next = new Map(decisions);
      if (decision === undefined) next.delete(current);
      else next.set(current, decision);
      replace(next, Math.min(current + 1, changeCount - 1));
    },
    decideAll: (decision) =>
      replace(
        new Map(
          decision === undefined ? [] : Array.from({ length: changeCount }, (_, index) => [index, decision] as const),
        ),
      ),
    setRewording: (isOn) => change({ isRewording: isOn && current !== undefined }),
    undo() {
      change({ before: before.slice(0, -1), isRewording: false });
      keep(before.at(-1) ?? decisions);
    },
  };
}
