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
