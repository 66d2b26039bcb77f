import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readVerdict, readVerdictAsPublished } from '../../src/evaluation/judge-prompt.ts';
import type { AskedCall, JudgedContest, PaperMode } from '../../src/evaluation/report/contest.ts';
import { EMPTY_REPORT } from '../../src/evaluation/report/evaluation-report.ts';
import { csvOf } from '../../src/evaluation/report/report-csv.ts';
import { reportHtml } from '../../src/evaluation/report/report-html.ts';
import { ENGLISH } from '../../src/evaluation/report/report-words.ts';
import {
  headlineOf,
  namesIn,
  type WinRateReport,
  winRateReportOf,
  type WinRateSettings,
} from '../../src/evaluation/report/win-rate-report.ts';
import { formatTable } from '../commands/evaluate/outputs.ts';
import { RESPONSIBLE_USE } from '../imhi/responsible-use.ts';
import { note, print } from '../terminal.ts';
import { agreementText, type Contest, namesOf, percentOf, type PlannedCall } from './contest.ts';
import type { VerdictCache } from './verdict-cache.ts';

/** Writes report.html, report.json and the CSV files, and prints tables or the JSON. */
export async function writeReport(
  contests: readonly Contest[],
  cache: VerdictCache,
  { folder, settings, isPrintedAsJson }: { folder: string; settings: WinRateSettings; isPrintedAsJson: boolean },
): Promise<void> {
  const instructions = new Map<string, string>();
  const judged = contests.map((contest) => judgedContestOf(contest, cache, settings.paper, instructions));
  const report = winRateReportOf(judged, settings);
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  const files = {
    'report.json': json,
    'report.html': reportHtml({ ...EMPTY_REPORT, winRates: [report] }, ENGLISH),
    'rates.csv': csvOf(report.rates),
    'advantages.csv': csvOf(report.advantages),
    'lengths.csv': csvOf(report.lengths),
    'agreement.csv': csvOf(report.agreement),
    'published.csv': csvOf(report.published),
    'examples.csv': csvOf(report.examples),
    'verdicts.csv': csvOf(judged.flatMap((contest) => verdictsOf(contest, settings))),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  if (isPrintedAsJson) await print(json);
  else await print(tablesOf(report));
  for (const agreement of report.agreement) note(agreementText(agreement));
  if (settings.family === 'imhi') note(RESPONSIBLE_USE);
}

/** @param instructions  numbers of those seen so far, by query and other answer */
function judgedContestOf(
  contest: Contest,
  cache: VerdictCache,
  paper: PaperMode | null,
  instructions: Map<string, string>,
): JudgedContest {
  const instructionOf = ({ query, other }: { query: string; other: string }) => {
    const key = JSON.stringify([query, other]);
    const known = instructions.get(key) ?? String(instructions.size + 1);
    instructions.set(key, known);
    return known;
  };
  return {
    ...contest,
    objective: contest.objective.key,
    rows: contest.rows.map(({ calls, ...texts }) => ({
      instruction: instructionOf(texts),
      asked: calls.map((call) => readCall(call, cache, paper)),
      judgedLength: texts.judged.length,
      otherLength: texts.other.length,
      texts,
    })),
  };
}

function readCall({ call, place, repeat }: PlannedCall, cache: VerdictCache, paper: PaperMode | null): AskedCall {
  const reply = cache.get(call.key)?.text;
  const read = paper === null ? readVerdict : readVerdictAsPublished;
  return { place, repeat, reply, outcome: reply === undefined ? undefined : read(reply, place) };
}

/** Enough to make the report again: a row that was left out has a line without a place, and the settings stand in each. */
function verdictsOf(contest: JudgedContest, { family, paper, seed }: WinRateSettings) {
  const calls = (asked: JudgedContest['rows'][number]['asked']) =>
    asked.length === 0
      ? [{ place: null, repeat: null, outcome: null, reply: null }]
      : asked.map(({ place, repeat, outcome = null, reply = null }) => ({ place, repeat: repeat + 1, outcome, reply }));
  return contest.rows.flatMap(({ asked, instruction, judgedLength, otherLength }, i) =>
    calls(asked).map(({ place, repeat, outcome, reply }) => ({
      ...namesIn(contest),
      comparison: contest.comparison,
      row: i + 1,
      place,
      repeat,
      outcome,
      judgedLength,
      otherLength,
      reply,
      instruction,
      family,
      paper,
      seed,
    })),
  );
}

function tablesOf({ rates, advantages, settings: { paper } }: WinRateReport): string {
  const names = 'aligner, policy, objective, judge';
  const rateTable = formatTable(
    [
      names,
      'comparison',
      'rows',
      'invalid',
      'left out',
      'win rate %',
      'ties',
      'consistent %',
      'at equal length %',
      'and by difficulty %',
    ],
    rates.map((rate) => [
      namesOf(rate),
      rate.comparison,
      String(rate.rows),
      String(rate.invalid),
      String(rate.leftOut),
      percentOf(headlineOf(rate, paper)),
      String(rate.ties),
      rate.positionConsistency === null ? '–' : (100 * rate.positionConsistency).toFixed(1),
      rate.lengthControlled === null ? '–' : (100 * rate.lengthControlled).toFixed(1),
      rate.difficultyControlled === null ? '–' : (100 * rate.difficultyControlled).toFixed(1),
    ]),
  );
  const advantageTable = formatTable(
    [names, 'rows', 'advantage, points', 'McNemar p', 'sign test p'],
    advantages.map((advantage) => [
      namesOf(advantage),
      String(advantage.rows),
      percentOf(advantage.difference),
      advantage.mcnemar?.toFixed(4) ?? '–',
      advantage.signTest?.toFixed(4) ?? '–',
    ]),
  );
  return `${rateTable}\n${advantageTable}`;
}
