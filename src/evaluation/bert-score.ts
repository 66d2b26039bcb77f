/** A text's tokens with the state of each. */
export interface ScoredText {
  ids: readonly number[];
  /** float32 [tokens, hidden] */
  states: Float32Array;
}

export interface BertScore {
  precision: number;
  recall: number;
  f1: number;
}

/**
 * A score above what texts that have nothing to do with each other get: (score - baseline) / (1 - baseline).
 *
 * @see bert_score 0.3.13, scorer.py, rescale_with_baseline
 */
export function rescaled(score: BertScore, baseline: BertScore): BertScore {
  const of = (key: keyof BertScore) => (score[key] - baseline[key]) / (1 - baseline[key]);
  return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
}

/**
 * The baseline of one layer, from a file as bert_score has them for its models: `LAYER,P,R,F` and a line for each layer.
 *
 * @throws RangeError for another file, or one that does not have the layer
 */
export function baselineOf(text: string, layer: number): BertScore {
  const [header, ...lines] = text.trim().split(/\r?\n/);
  if (header?.trim() !== 'LAYER,P,R,F')
    throw new RangeError(`It begins with “${header?.slice(0, 80)}”, not LAYER,P,R,F.`);
  const rows = lines.map((line) => line.split(',').map(Number));
  const row = rows.find(([number]) => number === layer);
  if (row === undefined) throw new RangeError(`It has ${rows.length} layers, but not ${layer}.`);
  const [, precision = NaN, recall = NaN, f1 = NaN] = row;
  if (row.length !== 4 || ![precision, recall, f1].every((value) => value < 1)) {
    throw new RangeError(`Its line of layer ${layer} has not three numbers below 1.`);
  }
  return { precision, recall, f1 };
}

/** What a token counts. */
export type TokenWeights = (id: number) => number;

/**
 * How well the tokens of two texts find each other: each takes the most similar one of the other text, by the cosine of
 * their states.
 *
 * @param weightOf  of a token; special ones around a text count 0
 * @returns zeros where a text has no token but the two around it
 * @see Zhang et al. 2020, arXiv 1904.09675; bert_score 0.3.13, utils.py, greedy_cos_idf
 */
export function bertScore(text: ScoredText, reference: ScoredText, weightOf: TokenWeights): BertScore {
  if (text.ids.length <= 2 || reference.ids.length <= 2) return { precision: 0, recall: 0, f1: 0 };
  const [rows, columns] = [normalized(text), normalized(reference)];
  const bestOfText = new Float64Array(rows.length).fill(-Infinity);
  const bestOfReference = new Float64Array(columns.length).fill(-Infinity);
  for (const [i, row] of rows.entries()) {
    for (const [j, column] of columns.entries()) {
      let similarity = 0;
      for (let k = 0; k < row.length; k++) similarity += row[k]! * column[k]!;
      if (similarity > bestOfText[i]!) bestOfText[i] = similarity;
      if (similarity > bestOfReference[j]!) bestOfReference[j] = similarity;
    }
  }
  const precision = weightedMean(bestOfText, text.ids, weightOf);
  const recall = weightedMean(bestOfReference, reference.ids, weightOf);
  const f1 = (2 * precision * recall) / (precision + recall);
  return { precision, recall, f1: Number.isNaN(f1) ? 0 : f1 };
}

/**
 * Weights by how rare a token is in the references: log((n + 1) / (texts with it + 1)). Those around every text count 0.
 *
 * @see bert_score 0.3.13, utils.py, get_idf_dict
 */
export function idfWeights(references: readonly (readonly number[])[]): TokenWeights {
  const counts = new Map<number, number>();
  for (const ids of references) for (const id of new Set(ids)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return (id) => Math.log((references.length + 1) / ((counts.get(id) ?? 0) + 1));
}

/** Every token counts 1 but those that stand around texts. */
export function equalWeights(surrounding: ReadonlySet<number>): TokenWeights {
  return (id) => (surrounding.has(id) ? 0 : 1);
}

/** Each token's state at length 1. */
function normalized({ ids, states }: ScoredText): Float32Array[] {
  const size = states.length / ids.length;
  return ids.map((_, i) => {
    const state = states.slice(i * size, (i + 1) * size);
    const length = Math.sqrt(state.reduce((sum, value) => sum + value * value, 0));
    return state.map((value) => value / length);
  });
}

function weightedMean(values: Float64Array, ids: readonly number[], weightOf: TokenWeights): number {
  let [sum, total] = [0, 0];
  for (const [i, id] of ids.entries()) {
    sum += weightOf(id) * values[i]!;
    total += weightOf(id);
  }
  return sum / total;
}
