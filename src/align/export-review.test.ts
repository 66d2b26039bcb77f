import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { exampleAlignment } from './alignment.fixture.ts';
import { diffEdit } from './diff.ts';
import { exportReview, type ExportFormat, type ExportWords } from './export-review.ts';
import { type Decisions, reviewParts } from './review.ts';
import type { ScoreReport } from './scores.ts';

const REJECTED = { type: 'rejected' } as const;

function reviewed(answer: string, edit: string, decisions: Decisions = new Map()) {
  const example = exampleAlignment();
  return {
    alignment: { ...example, request: { ...example.request, answer }, edit },
    parts: reviewParts(diffEdit(answer, edit, { isComplete: true, limit: { ms: 1000 } })),
    decisions,
  };
}

const WORDS: ExportWords = {
  language: 'la',
  title: 'Textus',
  objectives: 'Fines',
  model: 'Exemplar',
  decoding: 'Modus',
  greedy: 'avide',
  asCheckpoint: 'ut datum',
  context: 'Contextus',
  reviewedText: 'Probatum',
  changes: 'Mutata',
  scores: 'Aestimata',
  original: 'Primum',
  edit: 'Novum',
  reviewed: 'Probatum',
  lowerIsBetter: 'minus melius',
  withoutNumber: 'sine numero',
  mentalHealth: 'Medicum pete.',
};
const write = (format: ExportFormat, ...of: Parameters<typeof reviewed>) =>
  exportReview(format, reviewed(...of), WORDS);

it('says with mental health, and only there, who helps', () => {
  const { alignment, ...rest } = reviewed('A.', 'B.');
  const about = { ...rest, alignment: { ...alignment, request: { ...alignment.request, template: 'imhi' as const } } };
  expect(exportReview('markdown', about, WORDS)).toContain('# Textus\n\n> Medicum pete.\n\n');
  expect(exportReview('html', about, WORDS)).toContain('<h1>Textus</h1>\n<p>Medicum pete.</p>\n<dl>');
  expect(exportReview('text', about, WORDS)).toBe('B.');
  for (const format of ['markdown', 'html'] as const) expect(write(format, 'A.', 'B.')).not.toContain('Medicum');
});

describe('scores', () => {
  const score = { value: 7.123456, spread: { low: 6, high: 8 }, replies: 3, invalid: 1 };
  const rest = { cutAtTokens: undefined, problem: undefined };
  const scores: ScoreReport = {
    scoredAt: 5,
    reviewedText: undefined,
    scores: [
      {
        objective: { key: 'humour', label: 'Humour | <b>' },
        scorer: { type: 'judge', name: 'strict', host: 'judge.example', repeats: 4 },
        original: { ...score, ...rest },
        edit: { ...score, ...rest, value: undefined, spread: undefined },
        reviewed: undefined,
        comparison: undefined,
      },
    ],
  };
  const withScores = (format: ExportFormat) => exportReview(format, { ...reviewed('A.', 'B.'), scores }, WORDS);

  it('are in each form but the plain text, with who scored and where', () => {
    expect(withScores('text')).toBe('B.');
    expect(withScores('markdown')).toContain('judge.example');
    expect(withScores('markdown')).toContain('| 7.123 (6–8, n = 3) (1 sine numero) |');
    expect(withScores('html')).toContain('<td>Humour | &lt;b&gt;</td><td>strict (judge.example, 0–10, ×4)</td>');
    expect(JSON.parse(withScores('json'))).toMatchObject({ scores: JSON.parse(JSON.stringify(scores)) as object });
  });

  it('leave no heading where there are none', () => {
    expect(write('html', 'A.', 'B.')).not.toContain('Aestimata');
    expect(write('markdown', 'A.', 'B.')).not.toContain('Aestimata');
  });

  it('do not break the table with a label of their own', () => {
    const [, table] = withScores('markdown').split('## Aestimata');
    expect(
      table!
        .trim()
        .split('\n')
        .map((line) => line.match(/(?<!\\)\|/g)!.length),
    ).toEqual([6, 6, 6]);
  });
});

describe('exportReview', () => {
  it('writes the reviewed text alone as text', () => {
    expect(write('text', 'A rude answer.', 'A kind answer.', new Map([[0, REJECTED]]))).toBe('A rude answer.');
  });

  it('says which server the text was sent to, where one wrote the edit', () => {
    const given = reviewed('A rude answer.', 'A kind answer.');
    const model = { ...given.alignment.model, device: 'server', variant: undefined, host: 'aligner.example' } as const;
    const served = { ...given, alignment: { ...given.alignment, model } };
    expect(exportReview('html', served, WORDS)).toContain(' on aligner.example</dd>');
    expect(exportReview('markdown', served, WORDS)).toContain(' on aligner.example');
    expect(JSON.parse(exportReview('json', served, WORDS))).toMatchObject({ model: { host: 'aligner.example' } });
  });

  it('marks what changed in HTML, and what was rejected not', () => {
    expect(write('html', 'A rude answer.', 'A kind answer.')).toContain('A <del>rude</del><ins>kind</ins> answer.');
    expect(write('html', 'A rude answer.', 'A kind answer.', new Map([[0, REJECTED]]))).toContain('>A rude answer.<');
  });

  it('never lets a text become markup', () => {
    const attack = '<img src=x onerror=alert(1)> & "quotes"';
    expect(write('html', attack, `${attack} more`)).not.toContain('<img');
    expect(write('markdown', attack, `${attack} more`)).not.toMatch(/(?<!\\)<img/);
    fc.assert(
      fc.property(fc.string(), fc.string(), (answer, edit) => {
        const page = write('html', answer, edit).split('<h2>Mutata</h2>')[1]!;
        expect(page.replaceAll(/<\/?(?:p|ins|del|html)(?: dir="auto")?>/g, '')).not.toMatch(/[<>]/);
      }),
    );
  });

  it('marks what changed in Markdown, without stars around blanks', () => {
    const text = write('markdown', 'A rude answer.', 'A kind answer. It *ends*.');
    expect(text).toContain('A ~~rude~~**kind** answer.');
    expect(text).toContain('\\*ends\\*');
    expect(text).toContain(' **It ');
  });

  it('speaks the reader’s language', () => {
    expect(write('html', 'A.', 'B.')).toMatch(/<html lang="la">[^]*<h1>Textus<\/h1>[^]*<dt>Modus<\/dt><dd>avide<\/dd>/);
    expect(write('markdown', 'A.', 'B.')).toMatch(/^# Textus\n[^]*## Probatum\n/);
  });

  it('keeps everything in JSON', () => {
    const decisions: Decisions = new Map([[0, { type: 'reworded', text: 'warm' }]]);
    expect(JSON.parse(write('json', 'A rude answer.', 'A kind answer.', decisions))).toMatchObject({
      request: { answer: 'A rude answer.' },
      edit: 'A kind answer.',
      reviewedText: 'A warm answer.',
      changes: [{ deleted: 'rude', inserted: 'kind', decision: 'reworded', result: 'warm' }],
      model: { name: 'Demo aligner' },
      finishReason: 'stop',
    });
  });
});
