import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cellText, formatHeader, formatRow } from '../../src/batch/row-format.ts';
import { readVerdict, readVerdictAsPublished } from '../../src/evaluation/judge-prompt.ts';
import {
  advantageOf,
  agreementOf,
  type JudgedRow,
  outcomeOf,
  type TieValue,
  type WinRate,
  winRateOf,
} from '../../src/evaluation/win-rate.ts';
import type { Estimate } from '../../src/evaluation/win-statistics.ts';
import { formatTable } from '../commands/evaluate/outputs.ts';
import { note, print } from '../terminal.ts';
import {
  type AdvantageRow,
  type Comparison,
  type Contest,
  type ContestRow,
  headlineOf,
  type PaperMode,
  percentOf,
  type RateRow,
  titleOf,
  type WinRateReport,
  type WinRateSettings,
} from './contest.ts';
import { htmlOf } from './html-report.ts';
import type { VerdictCache } from './verdict-cache.ts';

/** Writes report.html, report.json and rates.csv, and prints tables or the JSON. */
export async function writeReport(
  contests: readonly Contest[],
  cache: VerdictCache,
  { folder, settings, isPrintedAsJson }: { folder: string; settings: WinRateSettings; isPrintedAsJson: boolean },
): Promise<void> {
  const { paper, seed, models, family } = settings;
  const judged = contests.map((contest) => ({
    ...contest,
    judgedRows: contest.rows.map((row) => readRow(row, cache, paper)),
  }));
  const rates: RateRow[] = judged.map(({ judge, policy, objective, comparison, rows, judgedRows }) => ({
    judge,
    policy,
    objective: objective.key,
    comparison,
    leftOut: rows.filter(({ calls }) => calls.length === 0).length,
    ...winRateOf(
      judgedRows.filter((_, i) => rows[i]!.calls.length > 0),
      seed,
    ),
  }));
  const rowsOf = ({ judge, policy, objective }: Contest, comparison: Comparison) =>
    judged.find(
      (one) =>
        one.judge === judge && one.policy === policy && one.objective === objective && one.comparison === comparison,
    )!.judgedRows;
  const tie: TieValue = paper === 'script' ? 1 : paper === 'text' ? 0 : 0.5;
  const advantages: AdvantageRow[] = contests
    .filter(({ comparison }) => comparison === 'aligned-goldens')
    .map((contest) => ({
      judge: contest.judge,
      policy: contest.policy,
      objective: contest.objective.key,
      ...advantageOf(rowsOf(contest, 'aligned-goldens'), rowsOf(contest, 'original-goldens'), tie, seed),
    }));
  const agreement = models.flatMap((one, i) =>
    models.slice(i + 1).map((other) => {
      const rowsBy = (judge: string) =>
        judged.filter((contest) => contest.judge === judge).flatMap((c) => c.judgedRows);
      return { judges: [one, other], ...agreementOf(rowsBy(one), rowsBy(other)) };
    }),
  );
  const report: WinRateReport = { settings, rates, advantages, agreement };
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  await writeFile(join(folder, 'report.json'), json);
  await writeFile(join(folder, 'rates.csv'), csvOf(rates));
  const examples = judged.map(({ rows, judgedRows, ...contest }) => ({
    title: titleOf({ ...contest, objective: contest.objective.key }),
    rows: rows.map((row, i) => ({ ...row, outcome: outcomeOf(judgedRows[i]!) })),
  }));
  await writeFile(join(folder, 'report.html'), htmlOf(report, examples));
  if (isPrintedAsJson) await print(json);
  else await print(tablesOf(rates, advantages, paper));
  for (const { judges: pair, rows, kappa } of agreement) {
    note(`${pair.join(' and ')} agree with Cohen’s kappa ${kappa?.toFixed(2) ?? '–'} on ${rows} rows.`);
  }
  if (family === 'imhi') {
    note('IMHI measures research models. None of it is a diagnosis; who needs help should see a professional.');
  }
}

function readRow({ calls, judged, other }: ContestRow, cache: VerdictCache, paper: PaperMode | null): JudgedRow {
  const read = paper === null ? readVerdict : readVerdictAsPublished;
  const verdicts = calls.map(({ call, place }) => {
    const reply = cache.get(call.key);
    return { place, outcome: reply === undefined ? undefined : read(reply.text, place) };
  });
  // Without calls there is no verdict to be had.
  return {
    verdicts: calls.length === 0 ? [{ place: 1, outcome: undefined }] : verdicts,
    judgedLength: judged.length,
    otherLength: other.length,
  };
}

function tablesOf(rates: readonly RateRow[], advantages: readonly AdvantageRow[], paper: PaperMode | null): string {
  const names = ({ judge, policy, objective }: RateRow | AdvantageRow) => `${policy}, ${objective}, ${judge}`;
  const rateTable = formatTable(
    [
      'policy, objective, judge',
      'comparison',
      'rows',
      'invalid',
      'left out',
      'win rate %',
      'ties',
      'consistent %',
      'at equal length %',
    ],
    rates.map((rate) => [
      names(rate),
      rate.comparison,
      String(rate.rows),
      String(rate.invalid),
      String(rate.leftOut),
      percentOf(headlineOf(rate, paper)),
      String(rate.ties),
      rate.positionConsistency === null ? '–' : (100 * rate.positionConsistency).toFixed(1),
      rate.lengthControlled === null ? '–' : (100 * rate.lengthControlled).toFixed(1),
    ]),
  );
  const advantageTable = formatTable(
    ['policy, objective, judge', 'rows', 'advantage, points', 'McNemar p'],
    advantages.map((advantage) => [
      names(advantage),
      String(advantage.rows),
      percentOf(advantage.difference),
      advantage.mcnemar?.toFixed(4) ?? '–',
    ]),
  );
  return `${rateTable}\n${advantageTable}`;
}

type CsvValue = string | number | Estimate | null;
const ESTIMATES: readonly string[] = ['winRate', 'tiesAsWins', 'tiesAsLosses'] satisfies (keyof WinRate)[];

/** An estimate takes three columns, empty where there is none. */
function csvCells(name: string, value: CsvValue): [string, string | number | null][] {
  if (!ESTIMATES.includes(name)) return [[name, value as Exclude<CsvValue, Estimate>]];
  const { value: middle, low, high } = (value as Estimate | null) ?? { value: null, low: null, high: null };
  return [
    [name, middle],
    [`${name}Low`, low],
    [`${name}High`, high],
  ];
}

function csvOf(rates: readonly RateRow[]): string {
  const flat = rates.map((rate) => Object.entries(rate).flatMap(([name, value]) => csvCells(name, value as CsvValue)));
  const names = flat[0]!.map(([name]) => name);
  const lines = flat.map((row) =>
    formatRow(
      'csv',
      names,
      row.map(([, value]) => cellText(value)),
    ),
  );
  return [formatHeader('csv', names), ...lines].join('');
}
