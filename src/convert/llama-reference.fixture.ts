import type { LlamaConfig } from './llama-config.ts';
import { layerTensorNames } from './onnx/llama-plan.ts';

/** A weight as [rows, columns] in float64. */
export interface Matrix {
  values: Float64Array;
  rows: number;
  columns: number;
}

/**
 * A Llama decoder in float64, written for reading: the yardstick for quantized graphs, given their dequantized weights.
 *
 * @param weight  by Hugging Face name
 * @returns float64 [tokens, vocabulary]
 */
export function referenceLogits(
  config: LlamaConfig,
  weight: (name: string) => Matrix,
  inputIds: readonly number[],
): Float64Array[] {
  const embedding = weight('model.embed_tokens.weight');
  let hidden: Float64Array[] = inputIds.map((id) =>
    embedding.values.slice(id * embedding.columns, (id + 1) * embedding.columns),
  );
  for (let layer = 0; layer < config.layerCount; layer++) {
    const names = layerTensorNames(layer);
    const normed = hidden.map((row) => rmsNorm(row, weight(names.inputNorm), config.rmsNormEpsilon));
    const queries = normed.map((row, position) => rotate(multiply(weight(names.query), row), position, config));
    const keys = normed.map((row, position) => rotate(multiply(weight(names.key), row), position, config));
    const values = normed.map((row) => multiply(weight(names.value), row));
    const attended = queries.map((query, position) => attend(query, keys, values, position, config));
    hidden = hidden.map((row, i) => add(row, multiply(weight(names.output), attended[i] ?? row)));
    hidden = hidden.map((row) => {
      const input = rmsNorm(row, weight(names.postNorm), config.rmsNormEpsilon);
      const gate = multiply(weight(names.gate), input);
      const up = multiply(weight(names.up), input);
      return add(
        row,
        multiply(
          weight(names.down),
          gate.map((g, i) => (g / (1 + Math.exp(-g))) * (up[i] ?? 0)),
        ),
      );
    });
  }
  const head = config.isEmbeddingTied ? embedding : weight('lm_head.weight');
  return hidden.map((row) => multiply(head, rmsNorm(row, weight('model.norm.weight'), config.rmsNormEpsilon)));
}

function multiply(matrix: Matrix, vector: Float64Array): Float64Array {
  return Float64Array.from({ length: matrix.rows }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < matrix.columns; i++) sum += (matrix.values[row * matrix.columns + i] ?? 0) * (vector[i] ?? 0);
    return sum;
  });
}

function rmsNorm(row: Float64Array, gamma: Matrix, epsilon: number): Float64Array {
  const meanSquare = row.reduce((sum, value) => sum + value * value, 0) / row.length;
  return row.map((value, i) => (value / Math.sqrt(meanSquare + epsilon)) * (gamma.values[i] ?? 0));
}

/** Hugging Face's half rotation: element i of a head turns with element i + headDim / 2. */
function rotate(row: Float64Array, position: number, { headDim, ropeTheta }: LlamaConfig): Float64Array {
  const half = headDim / 2;
  return row.map((value, index) => {
    const i = index % headDim;
    const angle = position * ropeTheta ** ((-2 * (i % half)) / headDim);
    const partner = row[i < half ? index + half : index - half] ?? 0;
    return value * Math.cos(angle) + (i < half ? -partner : partner) * Math.sin(angle);
  });
}

function attend(
  query: Float64Array,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  position: number,
  { headCount, kvHeadCount, headDim }: LlamaConfig,
): Float64Array {
  const output = new Float64Array(headCount * headDim);
  for (let head = 0; head < headCount; head++) {
    const kvStart = Math.floor(head / (headCount / kvHeadCount)) * headDim;
    const scores = keys.slice(0, position + 1).map((key) => {
      let score = 0;
      for (let i = 0; i < headDim; i++) score += (query[head * headDim + i] ?? 0) * (key[kvStart + i] ?? 0);
      return score / Math.sqrt(headDim);
    });
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const total = weights.reduce((sum, value) => sum + value, 0);
    weights.forEach((value, j) => {
      for (let i = 0; i < headDim; i++) {
        output[head * headDim + i] =
          (output[head * headDim + i] ?? 0) + (value / total) * (values[j]?.[kvStart + i] ?? 0);
      }
    });
  }
  return output;
}

function add(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + (b[i] ?? 0));
}
