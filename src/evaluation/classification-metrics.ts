/** Of single-label predictions; F1 as scikit-learn defines it: over the labels of either list, 0 where it is 0/0. */
export interface ClassificationMetrics {
  /** Fractions, 0 to 1. */
  accuracy: number;
  weightedF1: number;
  microF1: number;
  macroF1: number;
}

/**
 * @param references   labels, one for each row
 * @param predictions  as many
 * @throws RangeError for lists of unequal length or without a row
 * @see scikit-learn, sklearn.metrics.f1_score and accuracy_score
 */
export function classificationMetrics(
  references: readonly number[],
  predictions: readonly number[],
): ClassificationMetrics {
  const count = references.length;
  if (count === 0 || predictions.length !== count) {
    throw new RangeError(`${count} references and ${predictions.length} predictions cannot be compared.`);
  }
  const { labels, matrix } = confusionMatrix(references, predictions);
  let correct = 0;
  let sumF1 = 0;
  let weightedF1 = 0;
  for (const i of labels.keys()) {
    const hits = matrix[i]![i]!;
    const support = matrix[i]!.reduce((sum, value) => sum + value, 0);
    const predicted = matrix.reduce((sum, row) => sum + row[i]!, 0);
    // Every label is in one of the lists, so the denominator is not 0.
    const f1 = (2 * hits) / (support + predicted);
    correct += hits;
    sumF1 += f1;
    weightedF1 += f1 * support;
  }
  const accuracy = correct / count;
  // With one label for each row, every wrong one is a false positive and a false negative: micro F1 is the accuracy.
  return { accuracy, weightedF1: weightedF1 / count, microF1: accuracy, macroF1: sumF1 / labels.length };
}

export interface ConfusionMatrix {
  /** Ascending. */
  labels: number[];
  /** [reference, prediction] counts, both in the order of `labels`. */
  matrix: number[][];
}

export function confusionMatrix(references: readonly number[], predictions: readonly number[]): ConfusionMatrix {
  const labels = [...new Set([...references, ...predictions])].sort((one, other) => one - other);
  const place = new Map(labels.map((label, i) => [label, i]));
  const matrix = labels.map(() => labels.map(() => 0));
  for (const [i, reference] of references.entries()) {
    matrix[place.get(reference)!]![place.get(predictions[i]!)!]! += 1;
  }
  return { labels, matrix };
}

/** A fraction as percent with two decimals; halves go to the even digit, as in Python's `round`. */
export function percent(fraction: number): number {
  const value = fraction * 100;
  const isHalf = Number.isInteger(value * 8) && !Number.isInteger(value * 4);
  if (!isHalf) return Number(value.toFixed(2));
  const below = Math.floor(value * 100);
  return (below % 2 === 0 ? below : below + 1) / 100;
}
