import { useRef, useState } from 'react';

import type { Decision, Decisions } from '../../align/review.ts';
import type { Run } from '../../state/run-slice.ts';
import { useStores } from '../../state/stores.ts';

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
  /** Of the current change; undefined accepts it, in the words that are being written if any are. Goes on to the next. */
  decide: (decision: Decision | undefined) => void;
  decideAll: (decision: Decision | undefined) => void;
  startRewording: () => void;
  /** The new words so far. They are kept by whatever is done next, but rejecting. */
  write: (words: string) => void;
  /** @param isKept  whether the words that were written are */
  endRewording: (isKept: boolean) => void;
  /** Where the field goes without being left. */
  keepWords: () => void;
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
  const { app } = useStores();
  /** As they are at a press: a long edit is drawn a while after. Undefined where another run is on the page by then. */
  const latestDecisions = () => {
    const { run: latest } = app.getState();
    return latest.status === 'done' && latest.id === of ? latest.decisions : undefined;
  };
  const fresh: ReviewState = { of, current: undefined, isRewording: false, before: [] };
  const [stored, setState] = useState(fresh);
  const state = stored.of === of ? stored : fresh;
  const { current, isRewording, before } = state;
  /** Typed, and not kept yet. No state: drawing a long edit anew for every letter would be slow. */
  const words = useRef<string | undefined>(undefined);
  const show = (next: Partial<ReviewState>) => {
    words.current = undefined;
    setState({ ...state, isRewording: false, ...next });
  };
  const replace = (change: (decisions: Decisions) => Decisions, at = current) => {
    const latest = latestDecisions();
    if (latest === undefined) return;
    show({ before: [...before, latest], current: at });
    app.getState().decide(change(latest));
  };
  /** Of the current change; the words that were written, if any were. */
  const written = (): Decision | undefined =>
    isRewording && words.current !== undefined ? { type: 'reworded', text: words.current } : undefined;
  /** Looks at another change, and keeps what was written for this one. */
  const turnTo = (index: number | undefined) => {
    const reworded = written();
    if (reworded === undefined || current === undefined) show({ current: index });
    else replace((latest) => new Map(latest).set(current, reworded), index);
  };
  return {
    changeCount: of === undefined ? 0 : changeCount,
    current,
    isRewording,
    decisions,
    canUndo: before.length > 0 || isRewording,
    select(index) {
      if (index !== current) turnTo(index);
    },
    move(step) {
      if (changeCount === 0) return;
      const start = current ?? (step === 1 ? -1 : 0);
      turnTo((start + step + changeCount) % changeCount);
    },
    decide(decision) {
      if (current === undefined) return;
      const ownWords = written();
      replace(
        (latest) => {
          const next = new Map(latest);
          const decided = decision ?? ownWords ?? (isRewording ? latest.get(current) : undefined);
          if (decided === undefined) next.delete(current);
          else next.set(current, decided);
          return next;
        },
        Math.min(current + 1, changeCount - 1),
      );
    },
    decideAll: (decision) =>
      replace(
        () =>
          new Map(
            decision === undefined ? [] : Array.from({ length: changeCount }, (_, index) => [index, decision] as const),
          ),
      ),
    startRewording: () => show({ isRewording: current !== undefined }),
    write: (text) => (words.current = text),
    endRewording(isKept) {
      if (!isRewording) return;
      if (isKept) turnTo(current);
      else show({});
    },
    keepWords() {
      if (written() !== undefined) turnTo(current);
    },
    undo() {
      // Of words that are being written, these.
      if (isRewording) show({});
      else if (latestDecisions() !== undefined) {
        show({ before: before.slice(0, -1) });
        app.getState().decide(before.at(-1) ?? decisions);
      }
    },
  };
}
