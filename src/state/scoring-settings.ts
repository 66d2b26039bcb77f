import { READINGS, type Reading, SCORER_INPUTS, type ScorerInput } from '../align/scores.ts';
import { parseServerAddress } from '../server-client/server-address.ts';

/** One output of a classifier that stands for an objective. */
export interface ScoringOutput {
  /** `served:ID`, `picked:NAME` or `hub:REFERENCE`. */
  classifierId: string;
  objectiveKey: string;
  labelIndex: number;
  reading: Reading;
  input: ScorerInput;
  isLowerBetter: boolean;
}

/** Who judges every objective: nobody, the model in use, or a server. */
export const JUDGES = ['none', 'page', 'endpoint'] as const;
export type JudgeChoice = (typeof JUDGES)[number];

/** Who scores. A server's key is not among it: it is kept nowhere. */
export interface ScoringSettings {
  outputs: readonly ScoringOutput[];
  judge: JudgeChoice;
  /** OpenAI-compatible, up to `/chat/completions`. */
  judgeUrl: string;
  judgeModel: string;
  /** Ratings of each text. */
  repeats: number;
  /** Each edit is scored when it is written. */
  isAutomatic: boolean;
}

export const MAX_REPEATS = 20;
const MAX_OUTPUTS = 100;

export const SCORING_DEFAULTS: ScoringSettings = {
  outputs: [],
  judge: 'none',
  judgeUrl: '',
  judgeModel: '',
  repeats: 3,
  isAutomatic: false,
};

export function isRepeats(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_REPEATS;
}

/** Whether a text is an address that a judge may have: a whole one, and none with a password or a query in it. */
export function isJudgeUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text)) return false;
  try {
    parseServerAddress(text);
    return true;
  } catch {
    return false;
  }
}

/** What was stored may be of another release, or damaged: what does not fit is left out or keeps its default. */
export function parseScoring(stored: unknown): ScoringSettings {
  const fields = asRecord(stored);
  const text = (name: 'judgeUrl' | 'judgeModel') => {
    const value = fields[name];
    return typeof value === 'string' ? value : SCORING_DEFAULTS[name];
  };
  return {
    outputs: Array.isArray(fields.outputs) ? fields.outputs.slice(0, MAX_OUTPUTS).flatMap(parseOutput) : [],
    judge: JUDGES.find((one) => one === fields.judge) ?? SCORING_DEFAULTS.judge,
    // One with a secret in it is not taken on, nor kept again.
    judgeUrl: isJudgeUrl(text('judgeUrl')) ? text('judgeUrl') : SCORING_DEFAULTS.judgeUrl,
    judgeModel: text('judgeModel'),
    repeats: isRepeats(fields.repeats) ? fields.repeats : SCORING_DEFAULTS.repeats,
    isAutomatic: fields.isAutomatic === true,
  };
}

function parseOutput(value: unknown): ScoringOutput[] {
  const { classifierId, objectiveKey, labelIndex, reading, input, isLowerBetter } = asRecord(value);
  const knownReading = READINGS.find((one) => one === reading);
  const knownInput = SCORER_INPUTS.find((one) => one === input);
  if (typeof classifierId !== 'string' || typeof objectiveKey !== 'string') return [];
  if (!Number.isSafeInteger(labelIndex) || (labelIndex as number) < 0) return [];
  if (knownReading === undefined || knownInput === undefined) return [];
  return [
    {
      classifierId,
      objectiveKey,
      labelIndex: labelIndex as number,
      reading: knownReading,
      input: knownInput,
      isLowerBetter: isLowerBetter === true,
    },
  ];
}

function asRecord(value: unknown): Record<string, unknown> {
  return (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
}
