import type { Change } from './diff.ts';

/** A stretch of text that both have, or one change to decide on. */
export type ReviewPart =
  | { type: 'kept' | 'pending'; text: string }
  /** `index` counts the changes from 0. Either text may be empty, not both. */
  | { type: 'change'; index: number; deleted: string; inserted: string };

/** What a person made of one change: the original's words again, or words of their own. */
export type Decision = { type: 'rejected' } | { type: 'reworded'; text: string };

/** By index of the change; a change that is not in it is accepted. */
export type Decisions = ReadonlyMap<number, Decision>;

/** Has something that a reader would miss: between two changes less than that does not part them. */
const HAS_WORD = /[\p{L}\p{N}]/u;

/**
 * The changes of a diff as a person would name them: a word that went and the one that came in its place are one, and so
 * are neighbours with only blanks or marks between them.
 */
export function reviewParts(changes: readonly Change[]): ReviewPart[] {
  const parts: ReviewPart[] = [];
  let index = 0;
  changes.forEach(({ type, text }, i) => {
    const last = parts.at(-1);
    if (type === 'pending') parts.push({ type, text });
    else if (type === 'kept') {
      const next = changes[i + 1]?.type;
      const isBetween = last?.type === 'change' && (next === 'deleted' || next === 'inserted');
      if (isBetween && !HAS_WORD.test(text)) {
        last.deleted += text;
        last.inserted += text;
      } else parts.push({ type, text });
    } else if (last?.type === 'change') last[type] += text;
    else parts.push({ type: 'change', index: index++, deleted: '', inserted: '', [type]: text });
  });
  return parts;
}

/** The text that the review leaves: without a decision the edit, with all changes rejected what it kept of the original. */
export function reviewedText(parts: readonly ReviewPart[], decisions: Decisions): string {
  return parts
    .map((part) => (part.type === 'change' ? decidedText(part, decisions) : part.type === 'kept' ? part.text : ''))
    .join('');
}

/** What stands in the reviewed text in a change's place. */
export function decidedText(change: Extract<ReviewPart, { type: 'change' }>, decisions: Decisions): string {
  const decision = decisions.get(change.index);
  switch (decision?.type) {
    case undefined:
      return change.inserted;
    case 'rejected':
      return change.deleted;
    case 'reworded':
      return decision.text;
    default:
      return decision satisfies never;
  }
}
