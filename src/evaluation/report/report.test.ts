import { describe, expect, it } from 'vitest';
import type { SourceRow } from '../../batch/row-format.ts';
import type { Outcome, Place } from '../judge-prompt.ts';
import { assembleReport } from './assemble-report.ts';
import type { JudgedContest } from './contest.ts';
import { scaleAround, SHARE_SCALE } from './drawings.ts';
import { EMPTY_REPORT, type EvaluationReport } from './evaluation-report.ts';
import { faultBeside, readEvaluationRows, readReportJson } from './read-evaluation-file.ts';
import type { Block } from './report-blocks.ts';
import { reportDocument } from './report-document.ts';
import { reportFiles } from './report-files.ts';
import { reportHtml } from './report-html.ts';
import { ENGLISH } from './report-words.ts';
import { winRateReportOf, type WinRateSettings } from './win-rate-report.ts';

const VERSIONS = { metaaligner: '0.0.0' };
const SETTINGS: WinRateSettings = {
  judge: 'http://127.0.0.1:1/v1',
  models: ['rule'],
  family: 'hh-rlhf',
  paper: null,
  repeats: 1,
  seed: 3,
  versions: VERSIONS,
};

const QUERY = ['Why, "really"?', 'How\nso?', '<b>When</b>?', 'Where?', 'Who?', 'What?'];
const ALIGNED = ['a fine one', 'a worse one', 'equal', 'short', 'a much longer answer', ''];
const names = { judge: 'rule', aligner: 'ours', policy: 'gpt-3.5-turbo', objective: 'harmlessness' };

/** Wins, losses and ties in turn; the last row is blank. */
function contest(comparison: JudgedContest['comparison'], outcomes: readonly Outcome[]): JudgedContest {
  return {
    ...names,
    comparison,
    rows: QUERY.map((query, i) => {
      const judged = ALIGNED[i]!;
      const places: Place[] = judged === '' ? [] : [1, 2];
      return {
        asked: places.map((place) => ({
          place,
          repeat: 0,
          reply: String(place),
          outcome: outcomes[i % outcomes.length]!,
        })),
        judgedLength: judged.length,
        instruction: String(i),
        otherLength: 'gold'.length,
        texts: { query, judged, other: 'gold' },
      };
    }),
  };
}

const CONTESTS = [contest('aligned-goldens', ['win', 'loss', 'tie']), contest('original-goldens', ['loss'])];
const WIN_RATES = winRateReportOf(CONTESTS, SETTINGS);
const REPORT: EvaluationReport = { ...EMPTY_REPORT, winRates: [WIN_RATES], versions: VERSIONS };

function rowsOf(cells: Record<string, string>[]): { columns: string[]; rows: SourceRow[] } {
  return { columns: Object.keys(cells[0] ?? {}), rows: cells.map((one, index) => ({ index, cells: one })) };
}

function imhiPart(name: string, cells: Record<string, string>[]) {
  const { columns, rows } = rowsOf(cells);
  return readEvaluationRows(name, columns, rows);
}

/** As `evaluate win-rate` writes it. */
function verdictCells(): Record<string, string>[] {
  return CONTESTS.flatMap(({ rows, comparison }) =>
    rows.flatMap(({ asked, instruction, judgedLength, otherLength }, i) => {
      const lengths = { judgedLength: String(judgedLength), otherLength: String(otherLength) };
      const run = { instruction, family: 'hh-rlhf', paper: '', seed: '3' };
      const row = { ...names, comparison, row: String(i + 1) };
      if (asked.length === 0) return [{ ...row, place: '', repeat: '', outcome: '', ...lengths, reply: '', ...run }];
      return asked.map(({ place, outcome = '', reply = '' }) => {
        return { ...row, place: String(place), repeat: '1', outcome, ...lengths, reply, ...run };
      });
    }),
  );
}

const textOf = (blocks: readonly Block[]) => JSON.stringify(blocks);

describe('a report of win rates', () => {
  it('has examples of wins and losses, and win rates by length', () => {
    expect(WIN_RATES.examples.filter(({ comparison }) => comparison === 'aligned-goldens')).toMatchObject([
      { row: 1, outcome: 'win', query: QUERY[0], judged: ALIGNED[0], other: 'gold' },
      { row: 4, outcome: 'win' },
      { row: 2, outcome: 'loss' },
      { row: 5, outcome: 'loss' },
    ]);
    const groups = WIN_RATES.lengths.filter(({ comparison }) => comparison === 'aligned-goldens');
    expect(groups.map(({ meanDifference }) => meanDifference)).toEqual([1, 1, 6, 7, 16]);
    expect(groups.map(({ winRate }) => winRate.value)).toEqual([0.5, 1, 1, 0, 0]);
  });

  it('opens again from its JSON as it was, and a report from before without examples opens too', () => {
    const json = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
    expect(readReportJson('report.json', json(WIN_RATES)).report.winRates).toEqual([WIN_RATES]);
    expect(readReportJson('report.json', json(REPORT)).report).toEqual(REPORT);
    const { examples: _examples, lengths: _lengths, ...old } = WIN_RATES;
    expect(readReportJson('report.json', json(old)).report.winRates).toEqual([{ ...old, examples: [], lengths: [] }]);
  });

  it('is made again from the verdicts, with the texts where the outputs are at hand', () => {
    const { columns, rows } = rowsOf(verdictCells());
    const verdicts = readEvaluationRows('verdicts.csv', columns, rows);
    const outputs = QUERY.map((query, i) => ({
      query,
      goldens: 'gold',
      origin_responses: ALIGNED[i]!,
      aligned_responses: ALIGNED[i]!,
    }));
    const output = readEvaluationRows('gpt-3.5-turbo.csv', Object.keys(outputs[0]!), rowsOf(outputs).rows);
    const [bare] = assembleReport([verdicts], VERSIONS).winRates;
    expect(bare).toEqual({ ...WIN_RATES, examples: [], settings: { ...SETTINGS, judge: 'verdicts.csv' } });
    const [whole] = assembleReport([output, verdicts], VERSIONS).winRates;
    expect(whole).toEqual({ ...WIN_RATES, settings: { ...SETTINGS, judge: 'verdicts.csv' } });
  });

  it.each([
    ['an outcome', { outcome: 'perhaps' }, /^Row 2 of verdicts\.csv is no verdict: outcome/],
    ['a family', { family: 'alpaca' }, /^Row 2 of verdicts\.csv is no verdict: family/],
    ['another run', { seed: '4' }, /^Row 2 of verdicts\.csv is of another run/],
    ['a row far away', { row: '90000000' }, /^verdicts\.csv lacks row \d of ours on gpt-3\.5-turbo/],
  ])('refuses verdicts with %s that cannot be', (_what, change, message) => {
    const { columns, rows } = rowsOf(verdictCells().map((cells, i) => (i === 1 ? { ...cells, ...change } : cells)));
    expect(() => readEvaluationRows('verdicts.csv', columns, rows)).toThrow(message);
  });
});

it.each([
  ['cut off in a contest', 3, /has 6 rows of rule on ours .*, and \d of .*: some are missing/],
  ['cut off between the orders of a row', 2, /one order only of row 5, .*: some are missing/],
])('refuses verdicts that are %s', (_what, count, message) => {
  const { columns, rows } = rowsOf(verdictCells());
  const cut = rows.slice(0, rows.length - count);
  expect(() => readEvaluationRows('verdicts.csv', columns, cut)).toThrow(message);
});

it('refuses verdicts of two judges of which one lacks a comparison', () => {
  const both = verdictCells().flatMap((cells) => [cells, { ...cells, judge: 'other' }]);
  const some = both.filter(({ judge, comparison }) => judge === 'rule' || comparison === 'aligned-goldens');
  const { columns, rows } = rowsOf(some);
  expect(() => readEvaluationRows('verdicts.csv', columns, rows)).toThrow(/no verdicts of other on ours .*missing/);
});

describe('a scale of intervals', () => {
  const estimate = (value: number, half: number) => ({ value, low: value - half, high: value + half });

  it.each([
    [[estimate(0.644, 0.027), estimate(0.505, 0.03)], 0.45, 0.7],
    // What means no difference is on it, wherever the intervals lie.
    [[estimate(0.9, 0.02)], 0.5, 0.95],
    [[estimate(0.1, 0.02), null], 0.05, 0.5],
    [[{ value: 1, low: 0.99, high: 1 }], 0.5, 1],
    [[{ value: 0.5, low: 0.5, high: 0.5 }], 0.5, 0.55],
    [[null], 0, 1],
    [[], 0, 1],
  ])('of %j reaches from %f to %f', (estimates, min, max) => {
    const scale = scaleAround(estimates, SHARE_SCALE);
    expect(scale.min).toBeCloseTo(min, 12);
    expect(scale.max).toBeCloseTo(max, 12);
  });

  it('is told over its column, and an interval of a few points is wider than its dot', () => {
    const rates = WIN_RATES.rates.map((rate) => ({ ...rate, winRate: estimate(0.644, 0.027) }));
    const narrow = { ...EMPTY_REPORT, winRates: [{ ...WIN_RATES, rates }] };
    const tables = reportDocument(narrow, ENGLISH).flatMap((block) => (block.type === 'table' ? [block] : []));
    const forest = tables.find(({ caption }) => caption.startsWith('Win rates with 95 %'))!;
    const at = forest.columns.indexOf('50 to 70 %');
    const drawing = forest.rows[0]![at];
    if (typeof drawing !== 'object') throw new Error('There is no drawing.');
    expect(drawing.label).toBe('64.4 [61.7, 67.1]');
    const [, whole] = drawing.shapes.filter(({ type }) => type === 'line');
    expect(whole).toMatchObject({ tone: 'mark' });
    if (whole?.type === 'line') expect(whole.x2 - whole.x1).toBeGreaterThan(40);
  });

  it('of a correlation says the number that the table has', () => {
    const one = { value: 0.16, low: -0.02, high: 0.33 };
    const correlations = [
      { metric: 'BLEU', rows: 121, aspect: 'fluency' as const, spearman: one, pearson: one, kendall: one },
    ];
    const agreement = { fluency: 0, completeness: 0, reliability: 0, overall: 0 };
    const report = { rows: 121, withoutReference: 0, identical: 0, correlations, agreement };
    const text = textOf(reportDocument({ ...EMPTY_REPORT, annotations: [{ file: 'a', report }] }, ENGLISH));
    expect(text).toContain('"label":"0.16 [-0.02, 0.33]"');
  });
});

describe('files of texts', () => {
  const rows = [
    { goldens: 'Yes. Reasoning: so.', generated_text: 'yes it is. Reasoning: so.' },
    { goldens: 'No. Reasoning: so.', generated_text: 'hard to say' },
    { goldens: 'Unclear.', generated_text: 'no' },
  ];

  it('named after a data set have labels by rules, and by the classifier whose labels they hold', () => {
    const { report } = imhiPart(
      'DR.csv',
      rows.map((row) => ({ ...row, labels: 'yes' })),
    );
    expect(report.labels.map(({ reports }) => reports[0])).toMatchObject([
      {
        dataset: 'DR',
        rows: 2,
        accuracy: 100,
        outOfDomain: 1,
        unlabelledReferences: 1,
        confusion: [
          [1, 0],
          [0, 1],
        ],
      },
      { dataset: 'DR', rows: 2, accuracy: 50 },
    ]);
    expect(report.quality[0]!.reports[0]!.scores).toHaveProperty('rougeL');
    expect(textOf(reportDocument(report, ENGLISH))).toContain('should see a professional');
  });

  it('of other names have text quality only', () => {
    const { report } = imhiPart('answers.csv', rows);
    expect(report.labels).toEqual([]);
    expect(report.quality).toMatchObject([{ source: 'answers.csv', reports: [{ dataset: 'answers', rows: 3 }] }]);
    expect(textOf(reportDocument(report, ENGLISH))).not.toContain('should see a professional');
  });

  it.each([
    ['no rows', 'DR.csv', [], /has no rows/],
    ['other columns', 'DR.csv', [{ query: 'Why?' }], /has the columns query\. Evaluated are files with goldens/],
    ['a label that is none', 'DR.csv', [{ ...rows[0]!, labels: 'maybe' }], /“maybe” is no label of DR; it has no, yes/],
  ])('with %s are refused', (_what, name, cells, message) => {
    expect(() => imhiPart(name, cells)).toThrow(message);
  });

  it('with a row that cannot be read are refused with its number', () => {
    const broken = [{ index: 0, cells: rows[0]!, problem: 'It has 1 cells and the header has 2.' }];
    expect(() => readEvaluationRows('DR.csv', ['goldens', 'generated_text'], broken)).toThrow(
      'Row 1 of DR.csv cannot be read',
    );
  });
});

describe('people’s ratings', () => {
  const RATINGS = ['[3, 3, 2]', '[1, 0, 1]', '[2, 3, 2]', '[0, 0, 1]', '[2, 1, 2]', '[3, 2, 3]'];
  const post = (i: number) => `post ${'x'.repeat(i + 1)}`;
  const annotated = RATINGS.map((rating, i) => ({
    text: post(i),
    label: '1',
    'gpt-3.5-turbo': `yes since ${['all of it', 'no', 'most of it', 'never', 'some', 'all of it, so'][i]!}`,
    ...{ fluency: rating, completeness: rating, reliability: rating, overall: rating },
  }));
  const queries = RATINGS.map((_, i) => ({
    // A post is a part of the later ones: each is meant to find its own.
    query: `Consider this post: "${post(i)}" Does it show?`,
    'gpt-3.5-turbo': i === 5 ? 'yes since all of it, so' : 'yes since all of it',
  }));
  const read = (name: string, cells: Record<string, string>[]) => {
    const { columns, rows } = rowsOf(cells);
    return readEvaluationRows(name, columns, rows);
  };

  it('are compared with the references of another file, whichever comes first', () => {
    const parts = [read('DR.csv', queries.toReversed()), read('people.csv', annotated)];
    const { annotations } = assembleReport(parts, VERSIONS);
    expect(annotations).toMatchObject([
      // The first explanation is its reference, and so is the last one, whose reference is its own.
      { file: 'people.csv', report: { rows: 4, withoutReference: 0, identical: 2 } },
    ]);
    expect(assembleReport(parts.toReversed(), VERSIONS).annotations).toEqual(annotations);
    // Four rows have no interval: no number is shown for them.
    const text = textOf(reportDocument(assembleReport(parts, VERSIONS), ENGLISH));
    expect(text).toContain('people.csv: 4 rows compared; 0 without a reference and 2 identical');
    expect(text).toContain('should see a professional');
    expect(text).not.toContain('NaN');
    const more = [...annotated, { ...annotated[1]!, 'gpt-3.5-turbo': 'yes' }, { ...annotated[2]!, text: ' ' }];
    const [whole] = assembleReport([read('DR.csv', queries), read('people.csv', more)], VERSIONS).annotations;
    // A blank post is quoted by every query, and is none of theirs.
    expect(whole!.report).toMatchObject({ rows: 5, withoutReference: 1 });
    expect(whole!.report.correlations.find(({ metric }) => metric === 'ROUGE-1')!.pearson.value).toBeGreaterThan(0);
  });

  it('alone say what they lack, and so do references alone', () => {
    const [people, references] = [read('people.csv', annotated), read('DR.csv', queries)];
    expect(faultBeside(people, 'people.csv', [people])?.message).toContain('Add the CSV file with the references too');
    expect(faultBeside(references, 'DR.csv', [references])?.message).toContain('no answers to compare');
    for (const part of [people, references]) expect(faultBeside(part, 'x', [people, references])).toBeUndefined();
  });

  it.each([
    ['no list', 'often', /^Row 2 of people\.csv has “often” where ratings should be/],
    ['fewer ratings', '[1, 2]', /^Row 2 of people\.csv has 2 ratings of completeness; the first row has 3/],
  ])('with %s are refused with their row', (_what, completeness, message) => {
    const odd = annotated.map((row, i) => (i === 1 ? { ...row, completeness } : row));
    expect(() => read('people.csv', odd)).toThrow(message);
  });
});

it.each([
  ['a number', 3, /is JSON but no report/],
  ['an empty list', [], /is JSON but no report/],
  ['rates that are none', { rates: [{}] }, /looks like a report of win rates but is none: settings/],
  ['labels with a matrix of another size', [label({ labels: [0], confusion: [[1, 2]] })], /not a row and a column/],
  ['scores that are no numbers', [{ dataset: 'DR', rows: 1, bleu: 'high' }], /looks like scores of texts/],
])('refuses JSON that is %s', (_what, value, message) => {
  expect(() => readReportJson('x.json', value)).toThrow(message);
});

function label(more: object): object {
  const scores = { accuracy: 1, weightedF1: 1, microF1: 1, macroF1: 1 };
  return { dataset: 'DR', rows: 1, ...scores, unlabelledReferences: 0, outOfDomain: 0, ...more };
}

it('opens what the other commands print, a correlation that is not defined too', () => {
  const correlation = { value: null, low: null, high: null };
  const kinds = { pearson: correlation, spearman: correlation, kendall: correlation };
  const agreement = { fluency: null, completeness: 0.5, reliability: 0, overall: 1 };
  const report = { rows: 9, withoutReference: 1, identical: 0, agreement };
  const correlations = [{ metric: 'BLEU', rows: 9, aspect: 'fluency', ...kinds }];
  const parts = [
    readReportJson('labels.json', [label({})]),
    readReportJson('quality.json', [{ dataset: 'DR', rows: 2, bleu: 0.25, bertScoreF1: null }]),
    readReportJson('people.json', [{ file: 'gpt3', report: { ...report, correlations } }]),
    readReportJson('ratings.json', {
      settings: { judge: 'here', model: 'm', seed: 1 },
      ratings: [
        {
          ...{ aligner: 'a', policy: 'p', objective: 'honesty', rows: 2, invalid: 0, leftOut: 0 },
          ...{ original: null, aligned: null, difference: { value: 1, low: 0.5, high: 1.5 } },
        },
      ],
    }),
  ];
  const text = textOf(reportDocument(assembleReport(parts, VERSIONS), ENGLISH));
  for (const wanted of [
    '0.2500',
    'BLEU',
    'gpt3: 9 rows compared',
    '1.00 [0.50, 1.50]',
    'fluency –, completeness 0.50',
  ]) {
    expect(text).toContain(wanted);
  }
});

it('is written as one page, JSON that opens again and a table for each kind', () => {
  const files = new Map(reportFiles(REPORT, ENGLISH).map(({ name, content }) => [name, content()]));
  expect([...files.keys()]).toEqual([
    'report.html',
    'report.json',
    'rates.csv',
    'advantages.csv',
    'lengths.csv',
    'published.csv',
    'examples.csv',
  ]);
  expect(readReportJson('report.json', JSON.parse(files.get('report.json')!)).report).toEqual(REPORT);
  expect(files.get('report.html')).toBe(reportHtml(REPORT, ENGLISH));
  expect(files.get('report.html')).toContain('&#60;b&#62;When&#60;/b&#62;?');
  expect(files.get('report.html')).not.toMatch(/<b>|<script|NaN|undefined/);
  expect(files.get('examples.csv')).toContain('"How\nso?"');
});
