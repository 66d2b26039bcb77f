import { ANNOTATED_ASPECTS } from '../annotations.ts';
import type { Correlation } from '../correlation.ts';
import { labelNames } from '../imhi-labels.ts';
import { PAPER_SIZES, publishedAdvantages, type PublishedRates } from '../paper-results.ts';
import type { Estimate } from '../win-statistics.ts';
import type { Comparison, ContestNames } from './contest.ts';
import {
  CORRELATION_SCALE,
  DIFFERENCE_SCALE,
  intervalDrawing,
  lengthDrawing,
  RATING_DIFFERENCE_SCALE,
  type Scale,
  scaleAround,
  SHARE_SCALE,
} from './drawings.ts';
import {
  type AnnotationFile,
  type EvaluationReport,
  isAboutMentalHealth,
  type LabelFile,
} from './evaluation-report.ts';
import { groupBy } from './group-by.ts';
import type { LabelReport } from './label-report.ts';
import type { RatingReport } from './rating-report.ts';
import type { Block, Cell } from './report-blocks.ts';
import type { ReportWords } from './report-words.ts';
import { type ExampleRow, headlineOf, type WinRateReport } from './win-rate-report.ts';

/** The report as a list of what stands in it, from top to bottom. */
export function reportDocument(report: EvaluationReport, words: ReportWords): Block[] {
  const { winRates, ratings, labels, quality, annotations } = report;
  return [
    { type: 'note', text: words.research },
    ...(isAboutMentalHealth(report) ? [{ type: 'note', text: words.mentalHealth } as const] : []),
    ...winRates.flatMap((one) => winRateBlocks(one, words)),
    ...(ratings.length === 0 ? [] : ratingBlocks(ratings, words)),
    ...(labels.length === 0 ? [] : labelBlocks(labels, words)),
    ...(quality.length === 0 ? [] : qualityBlocks(report, words)),
    ...(annotations.length === 0 ? [] : annotationBlocks(annotations, words)),
    { type: 'heading', level: 2, text: words.methods },
    ...methodsOf(report, words).map((text) => ({ type: 'paragraph', text }) as const),
  ];
}

function winRateBlocks(report: WinRateReport, words: ReportWords): Block[] {
  const { settings, agreement } = report;
  return [
    { type: 'heading', level: 2, text: words.winRates(words.families[settings.family]) },
    ...advantageTables(report, words),
    ...methodTable(report, words),
    forestPlot(report, words),
    countTable(report, words),
    { type: 'heading', level: 3, text: words.lengthTitle },
    ...lengthBlocks(report, words),
    ...agreement.map(({ judges: [one, other], kappa, rows }): Block => {
      return { type: 'paragraph', text: words.agreement(one, other, shown(kappa, 2, words), rows) };
    }),
    { type: 'heading', level: 3, text: words.examples },
    ...exampleBlocks(report, words),
  ];
}

/** What was measured, a row for each policy model, objective and aligner; the paper's table is a click away. */
function advantageTables(report: WinRateReport, words: ReportWords): Block[] {
  const { advantages, settings } = report;
  if (advantages.length === 0) return [];
  const published = publishedAdvantages(settings.family);
  const scale = scaleAround(
    advantages.map(({ difference }) => difference),
    DIFFERENCE_SCALE,
  );
  return [
    {
      type: 'table',
      caption: words.advantages,
      names: contestColumns(report, words).length,
      columns: [
        ...contestColumns(report, words),
        words.advantageInterval(...endsOf(scale, words)),
        words.advantage,
        words.rows,
        words.mcnemar,
        words.signTest,
        ...PAPER_SIZES.map(words.paperOf),
      ],
      rows: advantages.map((row) => [
        ...contestCells(report, row),
        interval(row.difference, scale, words),
        percent(row.difference, words),
        String(row.rows),
        probability(row.mcnemar, words),
        probability(row.signTest, words),
        ...PAPER_SIZES.map((size) => shown(row.published?.[size] ?? null, 2, words)),
      ]),
    },
    {
      type: 'disclosure',
      summary: words.tableTwo,
      blocks: [
        {
          type: 'table',
          caption: words.tableTwo,
          names: 2,
          columns: [words.policy, words.aligner, ...published.objectives],
          rows: published.rows.map(({ policy, size, points }) => [
            policy,
            size,
            ...points.map((one) => shown(one, 2, words)),
          ]),
        },
      ],
    },
  ];
}

/** The paper's Table 3 with what was measured here on top. Ties are losses in both. */
function methodTable({ rates, published }: WinRateReport, words: ReportWords): Block[] {
  if (published.length === 0) return [];
  const keys = Object.keys(published[0]!.rates);
  const lines = new Map<string, Map<string, number>>();
  for (const { aligner, policy, judge, objective, comparison, tiesAsLosses } of rates) {
    if (comparison !== 'aligned-goldens') continue;
    const name = words.here(aligner, policy, judge);
    const line = lines.get(name) ?? new Map<string, number>();
    lines.set(name, line);
    if (tiesAsLosses !== null) line.set(objective, 100 * tiesAsLosses.value);
  }
  const ours = [...lines].map(([name, line]) => {
    const values = keys.map((key) => line.get(key) ?? null);
    const known = values.filter((value) => value !== null);
    const average = known.length < keys.length ? null : known.reduce((sum, one) => sum + one, 0) / known.length;
    return [name, ...[...values, average].map((value) => shown(value, 2, words))];
  });
  const theirs = published.map(({ method, policy, rates: figures, average }: PublishedRates) => [
    words.onPolicy(method, policy),
    ...[...keys.map((key) => figures[key] ?? null), average].map((value) => shown(value, 2, words)),
  ]);
  return [
    {
      type: 'table',
      caption: words.tableThree,
      names: 1,
      columns: [words.method, ...keys, words.average],
      rows: [...ours, ...theirs],
    },
  ];
}

function forestPlot(report: WinRateReport, words: ReportWords): Block {
  const estimates = report.rates.map((rate) => headlineOf(rate, report.settings.paper));
  const scale = scaleAround(estimates, SHARE_SCALE);
  const title = words.rateInterval(...endsOf(scale, words));
  return {
    type: 'table',
    caption: words.rates,
    names: contestColumns(report, words).length + 1,
    columns: [...contestColumns(report, words), words.comparison, title, words.rate, words.rows],
    rows: report.rates.map((rate, i) => {
      const estimate = estimates[i]!;
      return [
        ...contestCells(report, rate),
        words.comparisons[rate.comparison],
        interval(estimate, scale, words),
        percent(estimate, words),
        String(rate.rows),
      ];
    }),
  };
}

function countTable(report: WinRateReport, words: ReportWords): Block {
  const share = (value: number | null) => shown(value === null ? null : 100 * value, 1, words);
  return {
    type: 'table',
    caption: words.counts,
    names: contestColumns(report, words).length + 1,
    columns: [
      ...contestColumns(report, words),
      words.comparison,
      words.wins,
      words.ties,
      words.losses,
      words.invalid,
      words.leftOut,
      words.tiesAsWins,
      words.tiesAsLosses,
      words.signTest,
      words.consistent,
      words.whereConsistent,
      words.choseFirst,
      words.lengthRatio,
      words.atEqualLength,
      words.andDifficulty,
    ],
    rows: report.rates.map((rate) => [
      ...contestCells(report, rate),
      words.comparisons[rate.comparison],
      ...[rate.wins, rate.ties, rate.losses, rate.invalid, rate.leftOut].map(String),
      percent(rate.tiesAsWins, words),
      percent(rate.tiesAsLosses, words),
      probability(rate.signTest, words),
      share(rate.positionConsistency),
      percent(rate.whereConsistent, words),
      share(rate.firstPlaceShare),
      shown(rate.lengthRatio, 2, words),
      share(rate.lengthControlled),
      share(rate.difficultyControlled),
    ]),
  };
}

function lengthBlocks(report: WinRateReport, words: ReportWords): Block[] {
  const { rates, lengths, settings } = report;
  const points = rates.flatMap((rate) => {
    const estimate = headlineOf(rate, settings.paper);
    if (estimate === null || rate.lengthRatio === null) return [];
    return [{ lengthRatio: rate.lengthRatio, winRate: estimate.value, title: titleOf(rate, words) }];
  });
  const { lengthTitle: label, lengthAxis: x, rateAxis: y, decimal } = words;
  const scale = scaleAround(
    lengths.map(({ winRate }) => winRate),
    SHARE_SCALE,
  );
  return [
    { type: 'figure', caption: words.lengthFigure, drawing: lengthDrawing(points, { label, x, y, decimal }) },
    {
      type: 'disclosure',
      summary: words.lengthGroups,
      blocks: [
        {
          type: 'table',
          caption: words.lengthGroups,
          names: contestColumns(report, words).length + 1,
          columns: [
            ...contestColumns(report, words),
            words.comparison,
            words.lengthGroup,
            words.meanDifference,
            words.rateInterval(...endsOf(scale, words)),
            words.rate,
            words.rows,
          ],
          rows: lengths.map((row) => [
            ...contestCells(report, row),
            words.comparisons[row.comparison],
            String(row.group),
            shown(row.meanDifference, 0, words),
            interval(row.winRate, scale, words),
            percent(row.winRate, words),
            String(row.rows),
          ]),
        },
      ],
    },
  ];
}

function exampleBlocks({ rates, examples }: WinRateReport, words: ReportWords): Block[] {
  if (examples.length === 0) return [{ type: 'paragraph', text: words.noExamples }];
  const byContest = groupBy(examples, (example) => titleOf(example, words));
  return rates.map((rate): Block => {
    const summary = titleOf(rate, words);
    const own = byContest.get(summary) ?? [];
    const blocks: Block[] =
      own.length === 0
        ? [{ type: 'paragraph', text: words.noExamples }]
        : own.flatMap((example) => exampleOf(example, words));
    return { type: 'disclosure', summary, blocks };
  });
}

function exampleOf({ outcome, row, query, judged, other }: ExampleRow, words: ReportWords): Block[] {
  return [
    { type: 'heading', level: 4, text: words.outcomes[outcome](row) },
    { type: 'quote', label: words.query, text: query },
    { type: 'quote', label: words.judged, text: judged },
    { type: 'quote', label: words.against, text: other },
  ];
}

function ratingBlocks(reports: readonly RatingReport[], words: ReportWords): Block[] {
  const scale = scaleAround(
    reports.flatMap(({ ratings }) => ratings.map(({ difference }) => difference)),
    RATING_DIFFERENCE_SCALE,
  );
  const estimate = (one: Estimate | null) => estimateText(one, 1, 2, words);
  return [
    { type: 'heading', level: 2, text: words.ratings },
    {
      type: 'table',
      caption: words.ratingTable,
      names: 4,
      columns: [
        words.policy,
        words.objective,
        words.aligner,
        words.judge,
        words.differenceInterval(...endsOf(scale, words)),
        words.difference,
        words.original,
        words.edit,
        words.rows,
        words.invalid,
        words.leftOut,
      ],
      rows: reports.flatMap(({ settings, ratings }) =>
        ratings.map((row) => [
          row.policy,
          row.objective,
          row.aligner,
          settings.model,
          interval(row.difference, scale, words),
          estimate(row.difference),
          estimate(row.original),
          estimate(row.aligned),
          ...[row.rows, row.invalid, row.leftOut].map(String),
        ]),
      ),
    },
  ];
}

function labelBlocks(files: readonly LabelFile[], words: ReportWords): Block[] {
  const rows = files.flatMap(({ source, reports }) => reports.map((report) => ({ source, report })));
  return [
    { type: 'heading', level: 2, text: words.labels },
    {
      type: 'table',
      caption: words.labelTable,
      names: 3,
      columns: [
        words.dataset,
        words.source,
        words.method,
        words.rows,
        words.accuracy,
        words.weightedF1,
        words.microF1,
        words.macroF1,
        words.outOfDomain,
        words.unlabelled,
      ],
      rows: rows.map(({ source, report }) => [
        report.dataset,
        source,
        report.outOfDomain === undefined ? words.byClassifiers : words.byRules,
        String(report.rows),
        ...[report.accuracy, report.weightedF1, report.microF1, report.macroF1].map((one) => shown(one, 2, words)),
        report.outOfDomain === undefined ? words.none : String(report.outOfDomain),
        String(report.unlabelledReferences),
      ]),
    },
    ...rows.flatMap(({ source, report }) => confusionBlocks(source, report, words)),
  ];
}

function confusionBlocks(
  source: string,
  { dataset, labels = [], confusion = [] }: LabelReport,
  words: ReportWords,
): Block[] {
  if (labels.length === 0) return [];
  const names = labelNames(dataset);
  const nameOf = (label: number | undefined) => names.get(label ?? NaN) ?? String(label);
  return [
    {
      type: 'disclosure',
      summary: words.confusion(`${dataset} (${source})`),
      blocks: [
        {
          type: 'table',
          caption: words.confusionCaption,
          names: 1,
          columns: [words.reference, ...labels.map(nameOf)],
          rows: confusion.map((counts, i) => [nameOf(labels[i]), ...counts.map(String)]),
        },
      ],
    },
  ];
}

function qualityBlocks({ quality }: EvaluationReport, words: ReportWords): Block[] {
  const rows = quality.flatMap(({ source, reports }) => reports.map((report) => ({ source, ...report })));
  const names = [...new Set(rows.flatMap(({ scores }) => Object.keys(scores)))];
  return [
    { type: 'heading', level: 2, text: words.quality },
    {
      type: 'table',
      caption: words.qualityTable,
      names: 2,
      columns: [words.dataset, words.source, words.rows, ...names],
      rows: rows.map(({ dataset, source, rows: count, scores }) => [
        dataset,
        source,
        String(count),
        ...names.map((name) => shown(scores[name] ?? null, 4, words)),
      ]),
    },
  ];
}

function annotationBlocks(files: readonly AnnotationFile[], words: ReportWords): Block[] {
  const correlation = (one: Correlation) => (Number.isNaN(one.value) ? words.none : estimateText(one, 1, 2, words));
  return [
    { type: 'heading', level: 2, text: words.annotations },
    ...files.flatMap(({ file, report }): Block[] => [
      {
        type: 'table',
        caption: words.annotationTable(file, report.rows, report.withoutReference, report.identical),
        names: 2,
        columns: [words.metric, words.aspect, words.spearmanInterval, 'Spearman', 'Pearson', 'Kendall', words.rows],
        rows: report.correlations.map(({ metric, aspect, spearman, pearson, kendall, rows }) => [
          metric,
          aspect,
          interval(Number.isNaN(spearman.value) ? null : spearman, CORRELATION_SCALE, words),
          ...[spearman, pearson, kendall].map(correlation),
          String(rows),
        ]),
      },
      {
        type: 'paragraph',
        text: words.fleiss(
          ANNOTATED_ASPECTS.map((aspect) => `${aspect} ${shown(report.agreement[aspect], 2, words)}`).join(', '),
        ),
      },
    ]),
  ];
}

/** A paragraph for each kind of what was measured, and the versions of all that took part. */
function methodsOf(
  { winRates, ratings, labels, quality, annotations, versions }: EvaluationReport,
  words: ReportWords,
) {
  const judged = winRates.map(({ settings: { models, family, ...rest } }) =>
    words.judgedMethods({ ...rest, models: models.join(', '), family: words.families[family] }),
  );
  const rated = ratings.map(({ settings: { judge, model, seed } }) => words.ratedMethods(judge, model, seed));
  const all = [versions, ...winRates.map(({ settings }) => settings.versions)];
  const named = [...all, ...ratings.map(({ settings }) => settings.versions)].flatMap((one) =>
    Object.entries(one).map(([name, version]) => `${name} ${version}`),
  );
  return [
    ...new Set([
      ...judged,
      ...rated,
      ...(labels.length === 0 ? [] : [words.labelMethods]),
      ...(quality.length === 0 ? [] : [words.qualityMethods]),
      ...(annotations.length === 0 ? [] : [words.annotationMethods]),
      words.versions([...new Set(named)].join(', ')),
    ]),
  ];
}

/** The judge has a column only where there are several. */
function contestColumns({ settings }: WinRateReport, words: ReportWords): string[] {
  return [words.policy, words.objective, words.aligner, ...(settings.models.length > 1 ? [words.judge] : [])];
}

function contestCells({ settings }: WinRateReport, { policy, objective, aligner, judge }: ContestNames): string[] {
  return [policy, objective, aligner, ...(settings.models.length > 1 ? [judge] : [])];
}

function titleOf(names: ContestNames & { comparison: Comparison }, words: ReportWords): string {
  const { judge, aligner, policy, objective, comparison } = names;
  return words.contest(aligner, policy, objective, words.comparisons[comparison], judge);
}

function interval(estimate: Estimate | null, scale: Scale, words: ReportWords): Cell {
  if (estimate === null) return words.none;
  return intervalDrawing(estimate, scale, estimateText(estimate, scale.factor, scale.digits, words));
}

/** From where to where a scale reaches, as a heading says it. */
function endsOf({ min, max, factor }: Scale, { decimal }: ReportWords): [low: string, high: string] {
  const end = (value: number) => decimal(Math.abs(factor * value), 0);
  return [min < 0 ? `−${end(min)}` : end(min), max < 0 ? `−${end(max)}` : end(max)];
}

function percent(estimate: Estimate | null, words: ReportWords): string {
  return estimateText(estimate, 100, 1, words);
}

function estimateText(estimate: Estimate | null, factor: number, digits: number, words: ReportWords): string {
  if (estimate === null) return words.none;
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((one) =>
    shown(factor * one, digits, words),
  );
  return words.interval(value!, low!, high!);
}

function probability(value: number | null, words: ReportWords): string {
  if (value === null) return words.none;
  return value < 0.001 ? `< ${words.decimal(0.001, 3)}` : words.decimal(value, 3);
}

function shown(value: number | null, digits: number, words: ReportWords): string {
  return value === null || Number.isNaN(value) ? words.none : words.decimal(value, digits);
}
