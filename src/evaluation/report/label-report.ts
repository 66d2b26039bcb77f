import { classificationMetrics, confusionMatrix, percent } from '../classification-metrics.ts';
import {
  CLASSIFIER_LABELS,
  type ImhiDataset,
  labelOfClassifiedReference,
  labelOfOutput,
  labelOfReference,
} from '../imhi-labels.ts';

/** How far the labels of a data set's outputs are those of its references. */
export interface LabelReport {
  dataset: ImhiDataset;
  /** Compared: those whose reference has a label. */
  rows: number;
  /** Percent, two decimals; null where no row is left. */
  accuracy: number | null;
  weightedF1: number | null;
  microF1: number | null;
  macroF1: number | null;
  unlabelledReferences: number;
  /** Of the rows compared, those whose output has no label; undefined for labels by a classifier. */
  outOfDomain?: number | undefined;
  /** The confusion matrix's, ascending. */
  labels?: readonly number[] | undefined;
  /** [reference, output] counts */
  confusion?: readonly (readonly number[])[] | undefined;
}

export interface RuleReport extends LabelReport {
  outOfDomain: number;
}

/** Labels found in the texts by rules. */
export function ruleReportOf(dataset: ImhiDataset, rows: readonly { golden: string; text: string }[]): RuleReport {
  let outOfDomain = 0;
  const pairs = rows.map(({ golden, text }) => {
    const reference = labelOfReference(dataset, golden);
    const { label, isOutOfDomain } = labelOfOutput(dataset, text);
    if (reference !== undefined && isOutOfDomain) outOfDomain += 1;
    return { reference, label };
  });
  const { unlabelledReferences, labels, confusion, ...scores } = labelReportOf(dataset, pairs);
  return { ...scores, outOfDomain, unlabelledReferences, labels, confusion };
}

/**
 * Labels that a classifier gave.
 *
 * @param rows.label  one of the data set's {@link CLASSIFIER_LABELS}
 * @throws RangeError for another
 */
export function classifierReportOf(
  dataset: ImhiDataset,
  rows: readonly { golden: string; label: string }[],
): LabelReport {
  const labels = new Map(CLASSIFIER_LABELS[dataset]);
  return labelReportOf(
    dataset,
    rows.map(({ golden, label: name }) => {
      const label = labels.get(name);
      if (label === undefined) {
        throw new RangeError(`“${name}” is no label of ${dataset}; it has ${[...labels.keys()].join(', ')}.`);
      }
      return { reference: labelOfClassifiedReference(dataset, golden), label };
    }),
  );
}

/** @param pairs  a row each; one whose reference has no label is left out and counted */
function labelReportOf(
  dataset: ImhiDataset,
  pairs: readonly { reference: number | undefined; label: number }[],
): LabelReport {
  const compared = pairs.flatMap(({ reference, label }) => (reference === undefined ? [] : [{ reference, label }]));
  const references = compared.map(({ reference }) => reference);
  const predictions = compared.map(({ label }) => label);
  const metrics = compared.length === 0 ? undefined : classificationMetrics(references, predictions);
  const shown = (value: number | undefined) => (value === undefined ? null : percent(value));
  const { labels, matrix } = confusionMatrix(references, predictions);
  return {
    dataset,
    rows: compared.length,
    accuracy: shown(metrics?.accuracy),
    weightedF1: shown(metrics?.weightedF1),
    microF1: shown(metrics?.microF1),
    macroF1: shown(metrics?.macroF1),
    unlabelledReferences: pairs.length - compared.length,
    labels,
    confusion: matrix,
  };
}
