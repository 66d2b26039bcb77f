import type { EvaluationReport } from './evaluation-report.ts';
import type { LabelReport } from './label-report.ts';
import { csvOf } from './report-csv.ts';
import { reportHtml } from './report-html.ts';
import type { ReportWords } from './report-words.ts';
import { flatQuality } from './text-quality.ts';

export interface ReportFile {
  name: string;
  type: 'text/html' | 'application/json' | 'text/csv';
  /** Written only when it is wanted. */
  content: () => string;
}

/** The report as files: one page, one of JSON that opens again, and a table for each kind of what was measured. */
export function reportFiles(report: EvaluationReport, words: ReportWords): ReportFile[] {
  return [
    { name: 'report.html', type: 'text/html', content: () => reportHtml(report, words) },
    { name: 'report.json', type: 'application/json', content: () => `${JSON.stringify(report, undefined, 2)}\n` },
    ...Object.entries(csvTables(report)).flatMap(([name, rows]): ReportFile[] =>
      rows.length === 0 ? [] : [{ name: `${name}.csv`, type: 'text/csv', content: () => csvOf(rows) }],
    ),
  ];
}

function csvTables({ winRates, ratings, labels, quality, annotations }: EvaluationReport): Record<string, object[]> {
  // Two reports of win rates in one table are told apart by what made them.
  const judged = (one: (typeof winRates)[number]) => {
    return { family: one.settings.family, paper: one.settings.paper };
  };
  const ofWinRates = (rowsOf: (one: (typeof winRates)[number]) => readonly object[]) =>
    winRates.flatMap((one) => rowsOf(one).map((row) => ({ ...judged(one), ...row })));
  const labelled = labels.flatMap(({ source, reports }) => reports.map((report) => ({ source, ...report })));
  return {
    rates: ofWinRates(({ rates }) => rates),
    advantages: ofWinRates(({ advantages }) => advantages),
    lengths: ofWinRates(({ lengths }) => lengths),
    agreement: ofWinRates(({ agreement }) => agreement),
    published: ofWinRates(({ published }) => published),
    examples: ofWinRates(({ examples }) => examples),
    ratings: ratings.flatMap(({ settings: { judge, model }, ratings: rows }) =>
      rows.map((row) => ({ judge, model, ...row })),
    ),
    labels: labelled.map(({ source, dataset, labels: _labels, confusion: _confusion, ...row }) => ({
      source,
      dataset,
      method: methodOf(row),
      ...row,
    })),
    confusion: labelled.flatMap(({ source, dataset, outOfDomain, labels: names = [], confusion = [] }) =>
      confusion.flatMap((counts, i) =>
        counts.map((count, j) => ({
          source,
          dataset,
          method: methodOf({ outOfDomain }),
          reference: names[i],
          output: names[j],
          count,
        })),
      ),
    ),
    quality: quality.flatMap(({ source, reports }) => reports.map((report) => ({ source, ...flatQuality(report) }))),
    correlations: annotations.flatMap(({ file, report }) => report.correlations.map((row) => ({ file, ...row }))),
    annotators: annotations.map(({ file, report: { correlations: _correlations, ...row } }) => ({ file, ...row })),
  };
}

function methodOf({ outOfDomain }: Pick<LabelReport, 'outOfDomain'>): 'classifier' | 'rule' {
  return outOfDomain === undefined ? 'classifier' : 'rule';
}
