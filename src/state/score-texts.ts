import { AlignError } from '../align/errors.ts';
import type { AlignRequest } from '../align/request.ts';
import type { ObjectiveScore, Score, ScoreReport, ScorerUsed, SideBySide } from '../align/scores.ts';
import { isOfOneCall } from '../batch/post-with-back-off.ts';
import {
  comparisonQuestions,
  type JudgeQuestion,
  type JudgeReply,
  ratingQuestions,
  ratingScore,
  sideBySide,
} from '../evaluation/judge-scores.ts';
import { readLogits } from '../evaluation/read-logits.ts';
import type { ClassifierInfo, Logits, TextToScore } from '../../workers/scores-protocol.ts';
import type { ScoringOutput, ScoringSettings } from './scoring-settings.ts';

/** A judge that can be asked. */
export interface JudgeAtHand {
  scorer: Extract<ScorerUsed, { type: 'judge' }>;
  /** Questions on their way at a time. */
  concurrency: number;
  ask: (question: JudgeQuestion, signal: AbortSignal) => Promise<string>;
}

/** Who scores, ready to. */
export interface Scorers {
  outputs: readonly ScoringOutput[];
  judge: JudgeAtHand | undefined;
  /** Loads the classifier unless it is loaded. */
  open: (classifierId: string, signal: AbortSignal) => Promise<ClassifierInfo & { name: string }>;
  classify: (classifierId: string, texts: readonly TextToScore[], signal: AbortSignal) => Promise<Logits[]>;
}

/** What is scored. */
export interface TextsToScore {
  request: Pick<AlignRequest, 'objectives' | 'context' | 'answer' | 'template'>;
  edit: string;
  /** Undefined where nothing was decided on the edit. */
  reviewed: string | undefined;
  /** A judge is not asked again what stands here of the same texts. */
  before: ScoreReport | undefined;
}

/** What a scoring takes, before it starts. */
export interface ScoringCost {
  /** Lines: an objective by a scorer. */
  lines: number;
  /** Questions to the judge. */
  questions: number;
}

export function costOf(
  {
    request: { objectives },
    reviewed,
  }: { request: Pick<AlignRequest, 'objectives'>; reviewed: TextsToScore['reviewed'] },
  { outputs, judge, repeats }: Pick<ScoringSettings, 'outputs' | 'judge' | 'repeats'>,
): ScoringCost {
  const ours = outputs.filter(({ objectiveKey }) => objectives.some(({ key }) => key === objectiveKey)).length;
  if (judge === 'none') return { lines: ours, questions: 0 };
  const edits = reviewed === undefined ? 1 : 2;
  const questions = objectives.length * (repeats * (edits + 1) + 2 * edits);
  return { lines: ours + objectives.length, questions };
}

/** So many failures one after the other are no matter of the texts. */
const MAX_FAILURES_IN_A_ROW = 3;

/**
 * Scores an edit, objective by objective: first by the classifiers whose outputs stand for it, then by the judge.
 *
 * @param onStep  after each line and each of the judge's replies: `lines + questions` times where nothing is known before
 * @throws AlignError of the classifier or the judge; the signal's reason. What was yielded stays
 */
export async function* scoreTexts(
  texts: TextsToScore,
  scorers: Scorers,
  signal: AbortSignal,
  onStep: () => void,
): AsyncGenerator<ObjectiveScore, void, void> {
  const failures = { inARow: 0 };
  for (const objective of texts.request.objectives) {
    for (const output of scorers.outputs) {
      if (output.objectiveKey !== objective.key) continue;
      signal.throwIfAborted();
      yield { objective: named(objective), ...(await classifyTexts(texts, output, scorers, signal)) };
      onStep();
    }
    if (scorers.judge === undefined) continue;
    signal.throwIfAborted();
    const { judge } = scorers;
    const ask = (questions: readonly JudgeQuestion[]) => askAll(questions, judge, failures, signal, onStep);
    yield { objective: named(objective), ...(await judgeTexts(texts, objective, judge.scorer, ask)) };
    onStep();
  }
}

const named = ({ key, label }: { key: string; label: string }) => ({ key, label });

async function classifyTexts(
  { request, edit, reviewed }: TextsToScore,
  { classifierId, labelIndex, reading, input, isLowerBetter }: ScoringOutput,
  { open, classify }: Scorers,
  signal: AbortSignal,
): Promise<Omit<ObjectiveScore, 'objective'>> {
  const { name, source, labels, variant, device } = await open(classifierId, signal);
  const label = labels[labelIndex];
  if (label === undefined) {
    throw new AlignError(
      'invalid-request',
      `${name} has ${labels.length} outputs; number ${labelIndex + 1} was chosen. Choose its outputs again.`,
    );
  }
  const all = [request.answer, edit, ...(reviewed === undefined ? [] : [reviewed])];
  const context = input === 'pair' ? request.context : undefined;
  const logits = await classify(
    classifierId,
    all.map((text) => ({ context, text })),
    signal,
  );
  const scores = logits.map((one): Score => {
    if (one.type === 'too-long') {
      const problem = `Context and text have ${one.tokens} tokens; the classifier reads ${one.maxTokens}.`;
      return { value: undefined, spread: undefined, replies: 0, invalid: 0, cutAtTokens: undefined, problem };
    }
    const value = readLogits(one.logits, labelIndex, reading);
    return { value, spread: undefined, replies: 1, invalid: 0, cutAtTokens: one.cutAtTokens, problem: undefined };
  });
  return {
    scorer: { type: 'classifier', name, source, variant, device, input, label, reading, isLowerBetter },
    original: scores[0]!,
    edit: scores[1]!,
    reviewed: scores[2],
    comparison: undefined,
  };
}

async function judgeTexts(
  { request, edit, reviewed, before }: TextsToScore,
  objective: AlignRequest['objectives'][number],
  scorer: JudgeAtHand['scorer'],
  ask: (questions: readonly JudgeQuestion[]) => Promise<JudgeReply[]>,
): Promise<Omit<ObjectiveScore, 'objective'>> {
  const { context: query, answer: original, template } = request;
  const asked = before?.scores.find(
    (one) => one.objective.key === objective.key && JSON.stringify(one.scorer) === JSON.stringify(scorer),
  );
  const rate = async (text: string) => ratingScore(await ask(ratingQuestions(objective, query, text, scorer.repeats)));
  const compare = async (text: string): Promise<SideBySide> =>
    sideBySide(await ask(comparisonQuestions(template, objective, { query, text, original })));
  const reviewedBefore = before?.reviewedText === reviewed ? asked : undefined;
  return {
    scorer,
    original: asked?.original ?? (await rate(original)),
    edit: asked?.edit ?? (await rate(edit)),
    reviewed: reviewed === undefined ? undefined : (reviewedBefore?.reviewed ?? (await rate(reviewed))),
    comparison: {
      edit: asked?.comparison?.edit ?? (await compare(edit)),
      reviewed:
        reviewed === undefined ? undefined : (reviewedBefore?.comparison?.reviewed ?? (await compare(reviewed))),
    },
  };
}

/** @returns replies in the questions' order; undefined for a call that failed */
async function askAll(
  questions: readonly JudgeQuestion[],
  { concurrency, ask }: JudgeAtHand,
  failures: { inARow: number },
  signal: AbortSignal,
  onStep: () => void,
): Promise<JudgeReply[]> {
  const replies: JudgeReply[] = questions.map(() => undefined);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let next = 0;
  const worker = async () => {
    while (next < questions.length) {
      either.throwIfAborted();
      const i = next++;
      try {
        replies[i] = await ask(questions[i]!, either);
        failures.inARow = 0;
      } catch (error) {
        failures.inARow += 1;
        if (!isOfOneCall(error) || failures.inARow >= MAX_FAILURES_IN_A_ROW) throw error;
      }
      onStep();
    }
  };
  const workers = Array.from({ length: Math.min(concurrency, questions.length) }, () =>
    worker().catch((error: unknown) => stop.abort(error)),
  );
  await Promise.all(workers);
  either.throwIfAborted();
  return replies;
}
