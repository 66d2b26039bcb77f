import { AlignError } from '../../src/align/errors.ts';
import { postWithBackOff } from '../../src/batch/post-with-back-off.ts';
import type { PreferencePair } from '../../src/datasets/hh-rlhf.ts';
import type { ScoredInput, ScoreSource } from '../../src/datasets/preference-objectives.ts';
import { roundScore, toScore } from '../../src/datasets/scores.ts';
import type { Classifier, ClassifierInput } from '../../src/engines/classifier.ts';
import { type ClassifierOptions, openClassifier } from '../open-classifier.ts';
import type { PairScore } from './score-journal.ts';

/** A pair, and the row that it came from. */
export interface ScoredRow {
  pair: PreferencePair;
  cells: Readonly<Record<string, unknown>>;
}

export interface Scorer {
  /** Shown and reported. */
  description: string;
  /** @returns for each row the scores to one decimal, or why it has none */
  score: (rows: readonly ScoredRow[], signal: AbortSignal) => Promise<PairScore[]>;
  dispose: () => Promise<void>;
}

export interface ScorerOptions extends ClassifierOptions {
  /** A dialogue with fewer tokens is left out. */
  minTokens: number;
  apiKey: string | undefined;
}

/** @throws what opening a classifier throws; UsageError for a logit that the model does not have */
export async function openScorer(source: ScoreSource, options: ScorerOptions, signal: AbortSignal): Promise<Scorer> {
  switch (source.type) {
    case 'model':
      return openModelScorer(source, options, signal);
    case 'server':
      return createServerScorer(source, options.apiKey);
    case 'columns':
      return createColumnScorer(source);
    default:
      return source satisfies never;
  }
}

async function openModelScorer(
  { reference, index, input }: Extract<ScoreSource, { type: 'model' }>,
  options: ScorerOptions,
  signal: AbortSignal,
): Promise<Scorer> {
  const { classifier, source } = await openClassifier(reference, options, signal);
  const { labels } = classifier;
  if (index >= labels.length) {
    await classifier.dispose();
    throw new AlignError(
      'invalid-request',
      `${reference} has ${labels.length} logits (${labels.join(', ')}); there is none at index ${index}.`,
      { details: { reference, index, labels } },
    );
  }
  return {
    description: `${source}, logit ${index} (${labels[index]}), ${options.variant}`,
    score: (rows, runSignal) =>
      scoreWithModel(classifier, { index, input, minTokens: options.minTokens }, rows, runSignal),
    dispose: () => classifier.dispose(),
  };
}

async function scoreWithModel(
  classifier: Classifier,
  { index, input, minTokens }: { index: number; input: ScoredInput; minTokens: number },
  rows: readonly ScoredRow[],
  signal: AbortSignal,
): Promise<PairScore[]> {
  const inputs: ClassifierInput[] = [];
  /** By row: the place of its chosen input, which its rejected one follows; or why it has none. */
  const places = rows.map(({ pair }): number | string => {
    const made: ClassifierInput[] = [];
    for (const response of [pair.chosen, pair.rejected]) {
      const problem = checkLength(classifier, `${pair.prompt} ${response}`, minTokens);
      if (problem !== undefined) return problem;
      made.push(input === 'pair' ? classifier.encode(pair.prompt, response) : classifier.encode(response));
    }
    const longest = Math.max(...made.map(({ ids }) => ids.length));
    if (longest > classifier.maxTokens) return tooLong(longest, classifier.maxTokens);
    return inputs.push(...made) - 2;
  });
  const logits = await classifier.classify(inputs, { signal });
  const scoreAt = (place: number) => roundScore(logits[place]?.[index] ?? NaN);
  return places.map((place) => (typeof place === 'string' ? place : [scoreAt(place), scoreAt(place + 1)]));
}

/** The reference counts the whole dialogue, whatever of it the model then reads. */
function checkLength(classifier: Classifier, dialogue: string, minTokens: number): string | undefined {
  const tokens = classifier.encode(dialogue).ids.length;
  if (tokens < minTokens) return `A dialogue has ${tokens} tokens, fewer than ${minTokens}.`;
  return tokens > classifier.maxTokens ? tooLong(tokens, classifier.maxTokens) : undefined;
}

function tooLong(tokens: number, limit: number): string {
  return `A dialogue has ${tokens} tokens; the tokenizer’s limit is ${limit}.`;
}

/** Texts in one request to a server. */
const SERVER_BATCH = 32;

/**
 * A server that takes `{inputs, raw_scores: true, truncate: false}`, each input a text or a list of two, and answers a list
 * with a number or a list of `{label, score}` for each: Hugging Face's text-embeddings-inference (`/predict`), or a few
 * lines around any model.
 *
 * @see https://huggingface.github.io/text-embeddings-inference
 */
function createServerScorer(
  { url, label, input }: Extract<ScoreSource, { type: 'server' }>,
  apiKey: string | undefined,
): Scorer {
  const place = url.replace(/\/+$/, '').lastIndexOf('/');
  const endpoint = { url: url.slice(0, place), model: '', apiKey };
  const path = url.slice(place + 1);

  async function ask(inputs: readonly unknown[], signal: AbortSignal): Promise<(number | string)[]> {
    try {
      const { body } = await postWithBackOff(endpoint, path, { inputs, raw_scores: true, truncate: false }, { signal });
      return readScores(body, inputs.length, url, label);
    } catch (error) {
      if (!(error instanceof AlignError) || error.code !== 'invalid-request') throw error;
      // One of them is refused, too long, say: which one shows when each is asked by itself.
      if (inputs.length === 1) return [`The server refuses it: ${error.message}`];
      const answers: (number | string)[] = [];
      for (const each of inputs) answers.push(...(await ask([each], signal)));
      return answers;
    }
  }

  return {
    description: `${url}${label === undefined ? '' : `, label ${label}`}`,
    async score(rows, signal) {
      const inputs = rows.flatMap(({ pair: { prompt, chosen, rejected } }) =>
        [chosen, rejected].map((response) => (input === 'pair' ? [prompt, response] : response)),
      );
      const answers: (number | string)[] = [];
      for (let first = 0; first < inputs.length; first += SERVER_BATCH) {
        answers.push(...(await ask(inputs.slice(first, first + SERVER_BATCH), signal)));
      }
      return rows.map((_, i): PairScore => {
        const [chosen, rejected] = [answers[2 * i]!, answers[2 * i + 1]!];
        if (typeof chosen === 'string') return chosen;
        return typeof rejected === 'string' ? rejected : [roundScore(chosen), roundScore(rejected)];
      });
    },
    dispose: async () => {},
  };
}

function readScores(body: string, count: number, url: string, label: string | undefined): number[] {
  const fail = (problem: string, cause?: unknown) =>
    new AlignError('server-unreachable', `${url} answered what is no list of scores: ${problem}.`, {
      cause,
      details: { url, body: body.slice(0, 300) },
    });
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw fail('it is no JSON', cause);
  }
  if (!Array.isArray(json) || json.length !== count) throw fail(`${count} were asked for`);
  return (json as unknown[]).map((answer) => {
    const score = Array.isArray(answer) ? labelled(answer, label, fail) : answer;
    if (typeof score !== 'number' || !Number.isFinite(score)) throw fail('a score is no number');
    return score;
  });
}

function labelled(answer: readonly unknown[], label: string | undefined, fail: (problem: string) => Error): unknown {
  const entries = answer as readonly ({ label?: unknown; score?: unknown } | null)[];
  if (label === undefined && entries.length === 1) return entries[0]?.score;
  const found = entries.find((entry) => entry?.label === label);
  if (found !== undefined && found !== null) return found.score;
  const there = entries.map((entry) => String(entry?.label)).join(', ');
  throw fail(
    label === undefined ? `it has several labels (${there}); name one` : `it has no label ${label} (${there})`,
  );
}

function createColumnScorer({ chosen, rejected }: Extract<ScoreSource, { type: 'columns' }>): Scorer {
  return {
    description: `columns ${chosen}, ${rejected}`,
    score: async (rows) =>
      rows.map(({ cells }): PairScore => {
        const scores = [toScore(cells[chosen]), toScore(cells[rejected])] as const;
        return scores.some(Number.isNaN) ? 'A score is no number.' : [roundScore(scores[0]), roundScore(scores[1])];
      }),
    dispose: async () => {},
  };
}
