import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readVerdict, readVerdictAsPublished } from '../../src/evaluation/judge-prompt.ts';
import { publishedAdvantage, publishedRates } from '../../src/evaluation/paper-results.ts';
import {
  advantageOf,
  agreementOf,
  type JudgedRow,
  majorityOf,
  outcomeOf,
  type TieValue,
  winRateOf,
} from '../../src/evaluation/win-rate.ts';
import { formatTable } from '../commands/evaluate/outputs.ts';
import { RESPONSIBLE_USE } from '../imhi/responsible-use.ts';
import { note, print } from '../terminal.ts';
import {
  type AdvantageRow,
  type AgreementRow,
  agreementText,
  type AskedCall,
  type Comparison,
  type Contest,
  type ContestRow,
  headlineOf,
  namesOf,
  type PaperMode,
  percentOf,
  type RateRow,
  titleOf,
  type WinRateReport,
  type WinRateSettings,
} from './contest.ts';
import { htmlOf } from './html-report.ts';
import { csvOf } from './report-csv.ts';
import type { VerdictCache } from './verdict-cache.ts';

/** A contest with what became of its calls, row by row. */
interface JudgedContest extends Contest {
  asked: AskedCall[][];
  judgedRows: JudgedRow[];
}

/** Writes report.html, report.json and the CSV files, and prints tables or the JSON. */
export async function writeReport(
  contests: readonly Contest[],
  cache: VerdictCache,
  { folder, settings, isPrintedAsJson }: { folder: string; settings: WinRateSettings; isPrintedAsJson: boolean },
): Promise<void> {
  const judged = contests.map((contest): JudgedContest => {
    const asked = contest.rows.map(({ calls }) => calls.map((call) => readCall(call, cache, settings.paper)));
    return { ...contest, asked, judgedRows: contest.rows.map((row, i) => judgedRowOf(row, asked[i]!)) };
  });
  const report: WinRateReport = {
    settings,
    rates: ratesOf(judged, settings),
    advantages: advantagesOf(judged, settings),
    agreement: agreementsOf(judged, settings),
    published: publishedRates(settings.family),
  };
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  await writeFile(join(folder, 'report.json'), json);
  await writeFile(join(folder, 'rates.csv'), csvOf(report.rates));
  await writeFile(join(folder, 'advantages.csv'), csvOf(report.advantages));
  await writeFile(join(folder, 'agreement.csv'), csvOf(report.agreement));
  await writeFile(join(folder, 'published.csv'), csvOf(report.published));
  await writeFile(join(folder, 'verdicts.csv'), csvOf(judged.flatMap(verdictsOf)));
  const examples = judged.map(({ rows, judgedRows, ...contest }) => ({
    title: titleOf({ ...contest, objective: contest.objective.key }),
    rows: rows.map((row, i) => ({ ...row, outcome: outcomeOf(judgedRows[i]!) })),
  }));
  await writeFile(join(folder, 'report.html'), htmlOf(report, examples));
  if (isPrintedAsJson) await print(json);
  else await print(tablesOf(report));
  for (const agreement of report.agreement) note(agreementText(agreement));
  if (settings.family === 'imhi') note(RESPONSIBLE_USE);
}

function readCall(
  { call, place, repeat }: ContestRow['calls'][number],
  cache: VerdictCache,
  paper: PaperMode | null,
): AskedCall {
  const reply = cache.get(call.key)?.text;
  const read = paper === null ? readVerdict : readVerdictAsPublished;
  return { place, repeat, reply, outcome: reply === undefined ? undefined : read(reply, place) };
}

/** For each place what most repeats said. Without calls there is no verdict to be had. */
function judgedRowOf({ judged, other }: Pick<ContestRow, 'judged' | 'other'>, asked: readonly AskedCall[]): JudgedRow {
  const places = asked.length === 0 ? ([1] as const) : [...new Set(asked.map(({ place }) => place))];
  const verdicts = places.map((place) => {
    const here = asked.filter((one) => one.place === place);
    return { place, outcome: majorityOf(here.map(({ outcome }) => outcome)) };
  });
  return { verdicts, judgedLength: judged.length, otherLength: other.length };
}

const namesIn = ({ judge, aligner, policy, objective }: Contest) => ({
  judge,
  aligner,
  policy,
  objective: objective.key,
});

function ratesOf(judged: readonly JudgedContest[], { seed }: WinRateSettings): RateRow[] {
  return judged.map((contest) => {
    const { rows, judgedRows, comparison } = contest;
    return {
      ...namesIn(contest),
      comparison,
      leftOut: rows.filter(({ calls }) => calls.length === 0).length,
      ...winRateOf(
        judgedRows.filter((_, i) => rows[i]!.calls.length > 0),
        seed,
      ),
    };
  });
}

function advantagesOf(judged: readonly JudgedContest[], { paper, seed, family }: WinRateSettings): AdvantageRow[] {
  const tie: TieValue = paper === 'script' ? 1 : paper === 'text' ? 0 : 0.5;
  const rowsOf = (contest: Contest, comparison: Comparison) =>
    judged.find(
      (one) =>
        one.judge === contest.judge &&
        one.aligner === contest.aligner &&
        one.policy === contest.policy &&
        one.objective === contest.objective &&
        one.comparison === comparison,
    )!.judgedRows;
  return judged
    .filter(({ comparison }) => comparison === 'aligned-goldens')
    .map((contest) => ({
      ...namesIn(contest),
      ...advantageOf(contest.judgedRows, rowsOf(contest, 'original-goldens'), tie, seed),
      published: publishedAdvantage(contest.policy, family, contest.objective.key) ?? null,
    }));
}

/** Of every two judges, and of every two repeats of each. */
function agreementsOf(judged: readonly JudgedContest[], { models, repeats }: WinRateSettings): AgreementRow[] {
  // What the originals are worth does not depend on the aligner: asked once, it counts once.
  const seen = new Set<string>();
  const distinct = judged.filter((contest) => {
    const names = namesIn(contest);
    const key = JSON.stringify({ ...names, ...(contest.comparison === 'original-goldens' && { aligner: null }) });
    const name = `${contest.comparison} ${key}`;
    return !seen.has(name) && seen.add(name);
  });
  const by = (judge: string) => distinct.filter((contest) => contest.judge === judge);
  const rowsBy = (judge: string) => by(judge).flatMap(({ judgedRows }) => judgedRows);
  const repeatBy = (judge: string, repeat: number) =>
    by(judge).flatMap(({ rows, asked }) =>
      rows.map((row, i) => {
        const calls = asked[i]!.filter((call) => call.repeat === repeat);
        return judgedRowOf(row, calls);
      }),
    );
  const numbers = Array.from({ length: repeats }, (_, i) => i);
  return [
    ...pairsOf(models).map(([one, other]) => ({
      judges: [one, other] as const,
      ...agreementOf(rowsBy(one), rowsBy(other)),
    })),
    ...models.flatMap((judge) =>
      pairsOf(numbers).map(([one, other]) => ({
        judges: [`${judge}, call ${one + 1}`, `${judge}, call ${other + 1}`] as const,
        ...agreementOf(repeatBy(judge, one), repeatBy(judge, other)),
      })),
    ),
  ];
}

function pairsOf<Item>(items: readonly Item[]): [Item, Item][] {
  return items.flatMap((one, i) => items.slice(i + 1).map((other): [Item, Item] => [one, other]));
}

function verdictsOf(contest: JudgedContest) {
  const { rows, asked, comparison } = contest;
  return rows.flatMap(({ judged, other }, i) =>
    asked[i]!.map(({ place, repeat, outcome = null, reply = null }) => ({
      ...namesIn(contest),
      comparison,
      row: i + 1,
      place,
      repeat: repeat + 1,
      outcome,
      judgedLength: judged.length,
      otherLength: other.length,
      reply,
    })),
  );
}

function tablesOf({ rates, advantages, settings: { paper } }: WinRateReport): string {
  const names = 'aligner, policy, objective, judge';
  const rateTable = formatTable(
    [names, 'comparison', 'rows', 'invalid', 'left out', 'win rate %', 'ties', 'consistent %', 'at equal length %'],
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
    ]),
  );
  const advantageTable = formatTable(
    [names, 'rows', 'advantage, points', 'McNemar p'],
    advantages.map((advantage) => [
      namesOf(advantage),
      String(advantage.rows),
      percentOf(advantage.difference),
      advantage.mcnemar?.toFixed(4) ?? '–',
    ]),
  );
  return `${rateTable}\n${advantageTable}`;
}
