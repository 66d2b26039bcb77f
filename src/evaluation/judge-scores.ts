import type { Objective } from '../align/objectives.ts';
import type { TemplateId } from '../align/prompt.ts';
import type { Score, SideBySide } from '../align/scores.ts';
import {
  type JudgeMessage,
  judgeMessages,
  type Place,
  ratingMessages,
  readRating,
  readVerdict,
} from './judge-prompt.ts';
import { outcomeOf } from './win-rate.ts';

/** One question to a judge. */
export interface JudgeQuestion {
  messages: readonly JudgeMessage[];
  /** 0: the likeliest reply; 1: as the model would say it. */
  temperature: 0 | 1;
  /** From 0: the same question may be asked several times. */
  repeat: number;
}

/** A judge's reply; undefined for a call that failed. */
export type JudgeReply = string | undefined;

/**
 * The 0 to 10 rating of one text. Asked once, the judge gives its likeliest number; asked several times, it is drawn
 * from what it would say, so that the replies show how sure it is.
 */
export function ratingQuestions(objective: Objective, query: string, text: string, repeats: number): JudgeQuestion[] {
  const messages = ratingMessages(objective, query, text);
  return Array.from({ length: repeats }, (_, repeat) => ({ messages, temperature: repeats > 1 ? 1 : 0, repeat }));
}

/** The mean of the replies that are ratings; the others are counted, and never stand for a number. */
export function ratingScore(replies: readonly JudgeReply[]): Score {
  const ratings = replies.flatMap((reply) => (reply === undefined ? [] : (readRating(reply) ?? [])));
  const count = ratings.length;
  return {
    value: count === 0 ? undefined : ratings.reduce((sum, rating) => sum + rating, 0) / count,
    spread: count < 2 ? undefined : { low: Math.min(...ratings), high: Math.max(...ratings) },
    replies: count,
    invalid: replies.length - count,
    cutAtTokens: undefined,
    problem: undefined,
  };
}

const PLACES: readonly Place[] = [1, 2];

/** A text against the original, in both orders: the text stands first, then second. */
export function comparisonQuestions(
  template: TemplateId,
  objective: Objective,
  { query, text, original }: { query: string; text: string; original: string },
): JudgeQuestion[] {
  return PLACES.map((place) => {
    const [first, second] = place === 1 ? [text, original] : [original, text];
    return { messages: judgeMessages(template, objective, { query, first, second }), temperature: 0, repeat: 0 };
  });
}

/** @param replies  to {@link comparisonQuestions}, in their order */
export function sideBySide(replies: readonly JudgeReply[]): SideBySide {
  const verdicts = PLACES.map((place, i) => {
    const reply = replies[i];
    return { place, outcome: reply === undefined ? undefined : readVerdict(reply, place) };
  });
  const outcome = outcomeOf({ verdicts, judgedLength: 0, otherLength: 0 });
  return { outcome, isConsistent: outcome !== undefined && verdicts[0]?.outcome === verdicts[1]?.outcome };
}
