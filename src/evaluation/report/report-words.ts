import type { TemplateId } from '../../align/prompt.ts';
import type { Comparison, PaperMode } from './contest.ts';

/** What a report says, in one language. */
export interface ReportWords {
  /** Its code, as an HTML page's `lang`. */
  language: string;
  title: string;
  /** `1.5` with a digit after the point */
  decimal: (value: number, digits: number) => string;
  /** `52.0 [45.1, 58.9]` of three numbers as they are shown */
  interval: (value: string, low: string, high: string) => string;
  none: string;
  research: string;
  mentalHealth: string;

  policy: string;
  objective: string;
  aligner: string;
  judge: string;
  dataset: string;
  source: string;
  rows: string;
  comparison: string;
  comparisons: Readonly<Record<Comparison, string>>;
  /** `A on B, objective`, with its comparison and judge */
  contest: (aligner: string, policy: string, objective: string, comparison: string, judge: string) => string;

  winRates: (family: string) => string;
  families: Readonly<Record<TemplateId, string>>;
  advantages: string;
  advantage: string;
  advantageInterval: (low: string, high: string) => string;
  mcnemar: string;
  paperOf: (size: string) => string;
  tableTwo: string;
  tableThree: string;
  method: string;
  average: string;
  here: (aligner: string, policy: string, judge: string) => string;
  onPolicy: (method: string, policy: string) => string;
  rates: string;
  rate: string;
  rateInterval: (low: string, high: string) => string;
  counts: string;
  invalid: string;
  leftOut: string;
  wins: string;
  ties: string;
  losses: string;
  tiesAsWins: string;
  tiesAsLosses: string;
  signTest: string;
  consistent: string;
  whereConsistent: string;
  choseFirst: string;
  lengthRatio: string;
  atEqualLength: string;
  andDifficulty: string;
  lengthTitle: string;
  lengthFigure: string;
  lengthAxis: string;
  rateAxis: string;
  lengthGroups: string;
  lengthGroup: string;
  meanDifference: string;
  agreement: (one: string, other: string, kappa: string, rows: number) => string;
  examples: string;
  noExamples: string;
  outcomes: Readonly<Record<'win' | 'loss', (row: number) => string>>;
  query: string;
  judged: string;
  against: string;

  ratings: string;
  ratingTable: string;
  original: string;
  edit: string;
  difference: string;
  differenceInterval: (low: string, high: string) => string;

  labels: string;
  labelTable: string;
  byRules: string;
  byClassifiers: string;
  accuracy: string;
  weightedF1: string;
  microF1: string;
  macroF1: string;
  outOfDomain: string;
  unlabelled: string;
  confusion: (dataset: string) => string;
  confusionCaption: string;
  reference: string;

  quality: string;
  qualityTable: string;

  annotations: string;
  annotationTable: (file: string, rows: number, withoutReference: number, identical: number) => string;
  metric: string;
  aspect: string;
  spearmanInterval: string;
  fleiss: (values: string) => string;

  methods: string;
  judgedMethods: (facts: JudgedMethods) => string;
  ratedMethods: (judge: string, model: string, seed: number) => string;
  labelMethods: string;
  qualityMethods: string;
  annotationMethods: string;
  versions: (versions: string) => string;
}

/** What the methods paragraph of win rates tells. */
export interface JudgedMethods {
  judge: string;
  models: string;
  family: string;
  paper: PaperMode | null;
  repeats: number;
  seed: number;
}

export const ENGLISH: ReportWords = {
  language: 'en',
  title: 'Evaluation',
  decimal: (value, digits) => value.toFixed(digits),
  interval: (value, low, high) => `${value} [${low}, ${high}]`,
  none: '–',
  research: 'For research only. A judge is a model, and a metric a rule: neither is what people prefer.',
  mentalHealth:
    'The data are about mental health. Nothing here is a diagnosis or advice; who needs help should see a professional.',

  policy: 'Policy model',
  objective: 'Objective',
  aligner: 'Aligner',
  judge: 'Judge',
  dataset: 'Data set',
  source: 'Source',
  rows: 'Rows',
  comparison: 'Comparison',
  comparisons: {
    'aligned-goldens': 'edit against reference',
    'original-goldens': 'original against reference',
    'aligned-original': 'edit against original',
  },
  contest: (aligner, policy, objective, comparison, judge) =>
    `${aligner} on ${policy}, ${objective}: ${comparison} (${judge})`,

  winRates: (family) => `Win rates, ${family}`,
  families: { 'hh-rlhf': 'HH-RLHF', ultrafeedback: 'UltraFeedback', imhi: 'IMHI' },
  advantages: 'Edit less original, each against the reference, in percentage points; beside it the paper’s Table 2',
  advantage: 'Advantage',
  advantageInterval: (low, high) => `${low} to ${high}`,
  mcnemar: 'McNemar p',
  paperOf: (size) => `Paper, ${size}`,
  tableTwo: 'The paper’s Table 2 for these objectives, all policy models',
  tableThree:
    'Win rate against the reference in percent, ties as losses, beside the paper’s Table 3 (averages as printed)',
  method: 'Method',
  average: 'Average',
  here: (aligner, policy, judge) => `${aligner} on ${policy}, ${judge} (here)`,
  onPolicy: (method, policy) => `${method} on ${policy}`,
  rates: 'Win rates with 95 % intervals; dashed: as often won as lost',
  rate: 'Win rate %',
  rateInterval: (low, high) => `${low} to ${high} %`,
  counts: 'Counts and tests',
  invalid: 'Invalid',
  leftOut: 'Left out',
  wins: 'Wins',
  ties: 'Ties',
  losses: 'Losses',
  tiesAsWins: 'Ties as wins %',
  tiesAsLosses: 'Ties as losses %',
  signTest: 'Sign test p',
  consistent: 'Consistent %',
  whereConsistent: 'Where consistent %',
  choseFirst: 'Chose first %',
  lengthRatio: 'Length ratio',
  atEqualLength: 'At equal length %',
  andDifficulty: 'And by difficulty %',
  lengthTitle: 'Length against win rate',
  lengthFigure: 'A dot for each comparison; dashed: as long as the other answer, and as often won as lost',
  lengthAxis: 'length of the judged answer, times the other’s',
  rateAxis: 'win rate, %',
  lengthGroups: 'Win rate by length, in fifths of the rows',
  lengthGroup: 'Fifth',
  meanDifference: 'Longer by, characters',
  agreement: (one, other, kappa, rows) => `${one} and ${other} agree with Cohen’s kappa ${kappa} on ${rows} rows.`,
  examples: 'Examples',
  noExamples: 'There is no win and no loss with its texts.',
  outcomes: { win: (row) => `A win, row ${row}`, loss: (row) => `A loss, row ${row}` },
  query: 'Query',
  judged: 'Judged',
  against: 'Against',

  ratings: 'Ratings',
  ratingTable: 'A judge’s ratings from 0 to 10, with 95 % intervals',
  original: 'Original',
  edit: 'Edit',
  difference: 'Edit less original',
  differenceInterval: (low, high) => `${low} to ${high}`,

  labels: 'Labels of IMHI',
  labelTable: 'Labels of the outputs against those of the references, in percent',
  byRules: 'by rules',
  byClassifiers: 'by classifiers',
  accuracy: 'Accuracy',
  weightedF1: 'Weighted F1',
  microF1: 'Micro F1',
  macroF1: 'Macro F1',
  outOfDomain: 'Out of domain',
  unlabelled: 'Unlabelled references',
  confusion: (dataset) => `Confusion matrix of ${dataset}`,
  confusionCaption: 'Rows: labels of the references. Columns: labels of the outputs.',
  reference: 'Reference',

  quality: 'Texts against references',
  qualityTable: 'BLEU, ROUGE and BERTScore from 0 to 1; BARTScore and GPTScore are mean log-probabilities',

  annotations: 'Metrics beside people',
  annotationTable: (file, rows, withoutReference, identical) =>
    `${file}: ${rows} rows compared; ${withoutReference} without a reference and ${identical} identical to it left out`,
  metric: 'Metric',
  aspect: 'Aspect',
  spearmanInterval: 'Spearman, −1 to 1',
  fleiss: (values) => `Agreement of the annotators (Fleiss’ kappa): ${values}.`,

  methods: 'Methods',
  judgedMethods: ({ judge, models, family, paper, repeats, seed }) =>
    `Judge: ${models} at ${judge}, with the published prompt of the ${family} family. ` +
    (paper === null
      ? 'Every pair was judged in both orders, at temperature 0; orders that disagree are a tie, and a tie counts as half a win. ' +
        'The rate where consistent is of the rows whose orders agree: it is free of a preference for a place that does not depend on the answers. '
      : `As the paper’s judge: every pair was judged once, in random order (seed ${seed}), with the judge’s own settings; a tie counts as a ${paper === 'script' ? 'win' : 'loss'}. `) +
    (repeats === 1
      ? ''
      : `Each question was put ${repeats} times; what most replies say counts, a tie where none leads. `) +
    'A row is invalid where a call failed, or a reply has no verdict; invalid rows are left out of all rates. ' +
    'Intervals are of 95 %: Wilson’s where ties count as wins or as losses, elsewhere the percentile interval of 10,000 ' +
    `bootstrap resamples over rows (seed ${seed}), paired for advantages, and never narrower than the rule of three makes ` +
    'it for outcomes that no row had. McNemar’s test, of the rows that one of ' +
    'both won, and the sign test, of those that one did better in, are exact and ' +
    'two-sided. The rate at equal length is a logistic regression’s with AlpacaEval 2’s length term; the one by difficulty ' +
    'has its term for the instruction too, whose difficulty comes from the other models of this report, held near 0 by a ' +
    'standard normal prior since they are few. Published: arXiv 2403.17141v3, Tables 2 and 3, by gpt-4-turbo-preview, once a pair, ties as losses.',
  ratedMethods: (judge, model, seed) =>
    `Ratings: ${model} at ${judge}, with the published prompt, at temperature 0; intervals by the bootstrap (seed ${seed}), paired for differences. A row is invalid without a number from 0 to 10 for both answers.`,
  labelMethods:
    'Labels: found in the text before “Reasoning:” by the published rules, or given by the published classifiers. Rows whose reference has no label are left out and counted; F1 is scikit-learn’s.',
  qualityMethods:
    'Texts: BLEU is sacrebleu’s without smoothing over 100, ROUGE the mean of rouge_score’s F-measures without stemming.',
  annotationMethods:
    'People: a row’s rating is its annotators’ mean; correlations with 95 % intervals by Fisher (Pearson), Bonett and Wright (Spearman), and Fieller (Kendall).',
  versions: (versions) => `Versions: ${versions}.`,
};
