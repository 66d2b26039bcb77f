import { z } from 'zod';
import { AlignError } from '../../align/errors.ts';
import { TEMPLATE_IDS } from '../../align/prompt.ts';
import { type AskedCall, COMPARISON_NAMES, COMPARISONS, type JudgedContest, PAPER_MODES } from './contest.ts';
import { groupBy } from './group-by.ts';
import type { OutputRow } from './read-evaluation-file.ts';
import { namesIn, type WinRateSettings } from './win-rate-report.ts';

/** Of `verdicts.csv`, as `evaluate win-rate` writes it. */
export const VERDICT_COLUMNS = [
  'judge',
  'aligner',
  'policy',
  'objective',
  'comparison',
  'row',
  'place',
  'repeat',
  'outcome',
  'judgedLength',
  'otherLength',
  'reply',
  'instruction',
  'family',
  'paper',
  'seed',
] as const;

/** Every call of a report of win rates: what it is made from. */
export interface Verdicts {
  settings: Omit<WinRateSettings, 'versions'>;
  contests: JudgedContest[];
}

const empty = z.literal('').transform(() => undefined);
const count = z.coerce.number().pipe(z.int().min(0));
const line = z.object({
  judge: z.string(),
  aligner: z.string(),
  policy: z.string(),
  objective: z.string(),
  comparison: z.enum(COMPARISON_NAMES),
  row: z.coerce.number().pipe(z.int().min(1)),
  place: empty.or(z.enum(['1', '2']).transform((place) => (place === '1' ? 1 : 2))),
  repeat: empty.or(z.coerce.number().pipe(z.int().min(1).max(1000))),
  outcome: empty.or(z.enum(['win', 'tie', 'loss'])),
  judgedLength: count,
  otherLength: count,
  reply: z.string(),
  instruction: z.string(),
  family: z.enum(TEMPLATE_IDS),
  paper: empty.or(z.enum(PAPER_MODES)),
  seed: count,
});

/** @throws AlignError `invalid-request` for a row that is no verdict, of another run than the first, or where some are missing */
export function parseVerdicts(
  name: string,
  cells: readonly Record<(typeof VERDICT_COLUMNS)[number], string>[],
): Verdicts {
  const lines = cells.map((one, i) => {
    const found = line.safeParse(one);
    if (found.success) return found.data;
    const { path, message } = found.error.issues[0]!;
    throw unusable(`Row ${i + 1} of ${name} is no verdict: ${path.join('.')}: ${message}.`, name);
  });
  const { family, paper = null, seed } = lines[0]!;
  const other = lines.findIndex((one) => one.family !== family || (one.paper ?? null) !== paper || one.seed !== seed);
  if (other >= 0) {
    throw unusable(`Row ${other + 1} of ${name} is of another run than the first: family, paper or seed differ.`, name);
  }
  const byContest = groupBy(lines, (one) => JSON.stringify([namesIn(one), one.comparison]));
  const contests = [...byContest.values()].map((own) => contestOf(name, own, paper !== null));
  throwIfUneven(name, contests);
  return {
    settings: {
      judge: name,
      models: [...new Set(lines.map(({ judge }) => judge))],
      family,
      paper,
      repeats: Math.max(1, ...new Set(lines.map(({ repeat = 1 }) => repeat))),
      seed,
    },
    contests,
  };
}

/** Contests are compared row by row: a file that was cut off would be compared with itself one row on. */
function throwIfUneven(name: string, contests: readonly JudgedContest[]): void {
  const byOutputs = groupBy(contests, ({ aligner, policy }) => JSON.stringify([aligner, policy]));
  for (const [first, ...others] of byOutputs.values()) {
    const other = others.find(({ rows }) => rows.length !== first!.rows.length);
    if (other === undefined) continue;
    throw unusable(
      `${name} has ${first!.rows.length} rows of ${titleOf(first!)}, and ${other.rows.length} of ${titleOf(other)}: some are missing.`,
      name,
    );
  }
  const byJudge = groupBy(contests, ({ judge }) => judge);
  const [most] = [...byJudge.values()].sort((one, other) => other.length - one.length);
  for (const [judge, own] of byJudge) {
    const lacking = most!.find((one) => !own.some((two) => titleOf({ ...two, judge: one.judge }) === titleOf(one)));
    if (lacking !== undefined) {
      throw unusable(`${name} has no verdicts of ${titleOf({ ...lacking, judge })}: some are missing.`, name);
    }
  }
}

function titleOf({ judge, aligner, policy, objective, comparison }: Omit<JudgedContest, 'rows'>): string {
  return `${judge} on ${aligner} on ${policy}, ${objective}, ${comparison}`;
}

function contestOf(name: string, lines: readonly z.output<typeof line>[], isAskedOnce: boolean): JudgedContest {
  const first = lines[0]!;
  const byRow = groupBy(lines, ({ row }) => String(row));
  // Every row has a line, so as many rows end at that number.
  const rows = Array.from({ length: byRow.size }, (_, i) => {
    const own = byRow.get(String(i + 1));
    if (own === undefined) {
      const { aligner, policy, objective, comparison } = first;
      throw unusable(`${name} lacks row ${i + 1} of ${aligner} on ${policy}, ${objective}, ${comparison}.`, name);
    }
    const asked = own.flatMap(({ place, repeat = 1, outcome, reply }): AskedCall[] =>
      place === undefined ? [] : [{ place, repeat: repeat - 1, outcome, reply }],
    );
    const { instruction, judgedLength, otherLength } = own[0]!;
    return { asked, instruction, judgedLength, otherLength, texts: undefined };
  });
  const hasOneOrder = ({ asked }: (typeof rows)[number]) => new Set(asked.map(({ place }) => place)).size === 1;
  const single = isAskedOnce ? -1 : rows.findIndex(hasOneOrder);
  if (single >= 0) {
    throw unusable(`${name} has one order only of row ${single + 1}, ${titleOf(first)}: some are missing.`, name);
  }
  return { ...namesIn(first), comparison: first.comparison, rows };
}

/**
 * The contests with the texts of the outputs that were judged, where these are at hand: a file's name is the policy model's, and
 * a row is the one that was judged if its texts have the lengths that were noted.
 */
export function withTexts(
  contests: readonly JudgedContest[],
  outputs: readonly { policy: string; rows: readonly OutputRow[] }[],
): JudgedContest[] {
  return contests.map((contest) => {
    const [judgedColumn, otherColumn] = COMPARISONS[contest.comparison];
    const files = outputs.filter(({ policy }) => policy === contest.policy);
    return {
      ...contest,
      rows: contest.rows.map((row, i) => {
        const found = files
          .map(({ rows }) => rows[i])
          .find(
            (one) => one?.[judgedColumn].length === row.judgedLength && one[otherColumn].length === row.otherLength,
          );
        if (found === undefined) return row;
        return { ...row, texts: { query: found.query, judged: found[judgedColumn], other: found[otherColumn] } };
      }),
    };
  });
}

function unusable(message: string, name: string): AlignError {
  return new AlignError('invalid-request', message, { details: { file: name } });
}
