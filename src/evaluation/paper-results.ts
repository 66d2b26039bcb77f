import type { TemplateId } from '../align/prompt.ts';

/** Of the published aligners. */
export const PAPER_SIZES = ['1.1B', '7B', '13B'] as const;
type PaperSize = (typeof PAPER_SIZES)[number];

/** The order of the columns below. */
const COLUMNS: readonly (readonly [TemplateId, string])[] = [
  ['hh-rlhf', 'harmlessness'],
  ['hh-rlhf', 'helpfulness'],
  ['hh-rlhf', 'humour'],
  ['ultrafeedback', 'instruction_following'],
  ['ultrafeedback', 'honesty'],
  ['ultrafeedback', 'truthfulness'],
  ['ultrafeedback', 'helpfulness'],
  ['imhi', 'correct'],
  ['imhi', 'informative'],
  ['imhi', 'professional'],
];

/**
 * Win rate of the edit less that of the original, both against the reference, in percentage points.
 *
 * @see MetaAligner, NeurIPS 2024, arXiv 2403.17141v3, Table 2: judged by gpt-4-turbo-preview, once a pair in random order,
 *   ties not counted as wins
 */
const TABLE_2: Readonly<Record<string, Readonly<Record<PaperSize, readonly number[]>>>> = {
  'LLaMA2-Chat-7B': {
    '1.1B': [10, 20, 14.75, 11, 15, 14.33, 9, 18.33, 20.55, 31.67],
    '7B': [25, 27, 20.75, 34.66, 36, 37, 28, 21.67, 32.22, 43.89],
    '13B': [24, 30.5, 23.75, 51.83, 47.5, 45.33, 38.67, 28.33, 38.33, 50.56],
  },
  'LLaMA2-Chat-13B': {
    '1.1B': [10.75, 9.08, 13.25, 8.66, 15.34, 16.33, 7.67, 11.11, 8.33, 25],
    '7B': [28.75, 20.58, 18.25, 34, 37.34, 37.66, 23.3, 25.56, 30, 33.89],
    '13B': [17.75, 16.58, 15.75, 46.33, 48.67, 46.83, 41.17, 30.56, 37.22, 40.56],
  },
  'LLaMA2-Chat-70B': {
    '1.1B': [6.58, 7.42, 22.58, 6, 12.67, 17.33, 16.33, 8.33, 14.23, 17.23],
    '7B': [16.58, 14.42, 29.08, 31, 27, 31.33, 17, 20.56, 17.23, 21.67],
    '13B': [16.58, 19.42, 26.58, 44.33, 35, 45.5, 24, 31.67, 30.56, 36.12],
  },
  'Gemma-it-2B': {
    '1.1B': [8.5, 12.25, 12.33, 14.67, 14.67, 13, 5.33, 15.55, 35.55, 37.23],
    '7B': [20, 18.75, 17.83, 41.33, 40.67, 42.33, 31.33, 25, 50.55, 51.67],
    '13B': [18.5, 17.25, 24.33, 55, 44.67, 51.33, 36.83, 35.55, 63.33, 65],
  },
  'Gemma-it-7B': {
    '1.1B': [4, 7.75, 23.17, 9, 10, 4.67, 14, 18.9, 31.12, 36.11],
    '7B': [11, 23.25, 26.67, 33.67, 35.34, 31, 29, 35.01, 52.23, 56.11],
    '13B': [17.5, 23.75, 30.17, 42, 40.17, 35.17, 31.17, 34.45, 50, 49.44],
  },
  'Vicuna-7B': {
    '1.1B': [11.5, 10.83, 20.33, 11.33, 13.33, 12.33, 7, 10, 7.22, 6.33],
    '7B': [19.5, 18.83, 27.33, 38, 39, 37, 32.33, 23.33, 22.78, 23.33],
    '13B': [19, 19.83, 26.33, 41.5, 39.83, 44.33, 37.5, 24.44, 23.33, 21.11],
  },
  'Vicuna-13B': {
    '1.1B': [7.42, 13, 19.17, 11.66, 14.34, 15.33, 10, 12.22, 7.78, 3.34],
    '7B': [14.92, 21, 30.67, 34.66, 40, 39.67, 36.34, 25.55, 20, 15.01],
    '13B': [18.92, 28.5, 32.67, 47.33, 49.17, 47, 40.67, 28.33, 23.34, 18.9],
  },
  'Vicuna-33B': {
    '1.1B': [8.5, 2.59, 23.83, 8, 11.67, 6.33, 6.67, 8.34, 4.44, 6.12],
    '7B': [28, 17.09, 30.83, 30, 37.34, 32.33, 29.33, 11.11, 16.11, 8.34],
    '13B': [31.5, 20.09, 27.83, 50.5, 53.17, 45.83, 38.5, 23.89, 23.89, 14.45],
  },
  'GPT-3.5-Turbo': {
    '1.1B': [1.42, 7.5, 17.84, 5, 5, 3.66, 1, 9.67, 1.33, 9.33],
    '7B': [15.92, 21.5, 22.84, 29.99, 30.34, 28, 14.34, 18.67, 16.33, 14.22],
    '13B': [18.42, 25, 29.34, 40.33, 40.17, 36.83, 23.67, 26.67, 25.66, 33.62],
  },
  'Claude-3-Sonnet': {
    '1.1B': [-3.83, 1.58, 13.17, 4.67, 2.67, 2.67, 3, 7, 2.33, 6.66],
    '7B': [19.17, 19.08, 26.17, 22.33, 21, 21.67, 19, 11.33, 19.33, 11.33],
    '13B': [21.17, 20.58, 27.17, 38.5, 39.5, 37.67, 29.83, 28.67, 20, 11.2],
  },
};

/**
 * The published advantages of one policy model and objective.
 *
 * @param policy  a model's or a file's name; the paper's name of it, or its beginning, letter case aside: `Claude-3`
 * @returns percentage points; undefined for a model, or an objective of this family, that the paper does not list, and for
 *   the beginning of several names
 */
export function publishedAdvantage(
  policy: string,
  template: TemplateId,
  objectiveKey: string,
): Readonly<Record<PaperSize, number>> | undefined {
  const column = COLUMNS.findIndex(([family, key]) => family === template && key === objectiveKey);
  const lower = policy.trim().toLowerCase();
  const names = Object.keys(TABLE_2);
  const begun = names.filter((name) => lower !== '' && name.toLowerCase().startsWith(lower));
  const name = names.find((one) => one.toLowerCase() === lower) ?? (begun.length === 1 ? begun[0] : undefined);
  const figures = name === undefined ? undefined : TABLE_2[name];
  if (column < 0 || figures === undefined) return undefined;
  return { '1.1B': figures['1.1B'][column]!, '7B': figures['7B'][column]!, '13B': figures['13B'][column]! };
}

/** One family's part of Table 2, a row for each policy model and aligner. */
export function publishedAdvantages(template: TemplateId): {
  /** Keys, in the paper's order. */
  objectives: string[];
  /** Points in percentage points, in the order of the objectives. */
  rows: { policy: string; size: PaperSize; points: number[] }[];
} {
  const columns = COLUMNS.flatMap(([family, objective], column) =>
    family === template ? [{ objective, column }] : [],
  );
  return {
    objectives: columns.map(({ objective }) => objective),
    rows: Object.entries(TABLE_2).flatMap(([policy, figures]) =>
      PAPER_SIZES.map((size) => ({ policy, size, points: columns.map(({ column }) => figures[size][column]!) })),
    ),
  };
}

/** One method's published win rates of one family, in percent. */
export interface PublishedRates {
  method: string;
  policy: string;
  /** By objective key, in the paper's order. */
  rates: Readonly<Record<string, number>>;
  /** As printed. */
  average: number;
}

type Table3Row = readonly [
  method: string,
  policy: string,
  hhRlhf: readonly [number, number, number, number],
  ultraFeedback: readonly [number, number, number, number, number],
];

/**
 * Win rate against the reference, the average as printed at the end of each list.
 *
 * @see MetaAligner, NeurIPS 2024, arXiv 2403.17141v3, Table 3: judged as in Table 2
 */
const TABLE_3: readonly Table3Row[] = [
  ['MORLHF', 'LLaMA2-Chat-7B', [62.83, 51.2, 77.5, 63.84], [32.18, 33.7, 26.1, 33.7, 31.42]],
  ['MODPO (CDPO)', 'LLaMA2-Chat-7B', [65, 64, 78, 69], [30.82, 43.4, 37.19, 25, 34.1]],
  ['SFT (RiC)', 'LLaMA2-Chat-7B', [66.5, 75, 76.5, 72.67], [27, 36.5, 26, 36.5, 31.5]],
  ['Aligner-7B', 'LLaMA2-Chat-7B', [72, 81.9, 70.12, 74.67], [52.38, 44.23, 37.19, 39.1, 43.23]],
  ['MetaAligner-1.1B', 'LLaMA2-Chat-7B', [62.5, 75, 77, 71.5], [27.67, 27, 33, 25.33, 28.25]],
  ['MetaAligner-7B', 'LLaMA2-Chat-7B', [77.5, 82, 83, 80.83], [51.33, 48, 55.67, 44.33, 49.83]],
  ['MetaAligner-13B', 'LLaMA2-Chat-7B', [76.5, 85.5, 86, 82.67], [68.5, 59.5, 64, 55, 61.75]],
  ['Self-refinement', 'LLaMA2-Chat-70B', [70.48, 82.8, 68.91, 74.06], [49.95, 62.91, 60.77, 57.6, 55.05]],
  ['MetaAligner-7B', 'LLaMA2-Chat-70B', [85.16, 89.42, 88.08, 87.55], [67.05, 63.72, 70.1, 54.7, 63.89]],
];

/** @returns the paper's comparison of methods; none for IMHI, on which it did not compare them */
export function publishedRates(template: TemplateId): PublishedRates[] {
  if (template === 'imhi') return [];
  const keys = COLUMNS.flatMap(([family, key]) => (family === template ? [key] : []));
  return TABLE_3.map(([method, policy, hhRlhf, ultraFeedback]) => {
    const figures = template === 'hh-rlhf' ? hhRlhf : ultraFeedback;
    const rates = Object.fromEntries(keys.map((key, i) => [key, figures[i]!]));
    return { method, policy, rates, average: figures.at(-1)! };
  });
}
