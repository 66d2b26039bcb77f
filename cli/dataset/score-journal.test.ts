import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PairScore, ScoreJournal } from './score-journal.ts';

const JOB = { scores: ['a', 'b'] };
let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-journal-'));
  path = join(directory, 'scored.csv.journal.jsonl');
});
afterEach(() => rm(directory, { recursive: true }));

const open = (isRestarted = false) => ScoreJournal.open(path, JOB, 2, isRestarted);
const first: PairScore[] = [[1, 0.5], 'A dialogue has 3 tokens, fewer than 8.'];

describe('the journal of scores', () => {
  it('gives back what was written, by objective', async () => {
    const journal = await open();
    await journal.append(0, first);
    await journal.append(1, [[0, 0]]);
    await journal.append(0, [[2, 2]]);
    await journal.close();
    const again = await open();
    expect(again.scoresOf(0)).toEqual([...first, [2, 2]]);
    expect(again.scoresOf(1)).toEqual([[0, 0]]);
    await again.close();
  });

  it('cuts off what a kill tore, and goes on behind what is whole', async () => {
    const journal = await open();
    await journal.append(0, first);
    await journal.close();
    await appendFile(path, '{"objective":0,"first":2,"scores":[[9,');
    const again = await open();
    expect(again.scoresOf(0)).toEqual(first);
    await again.append(0, [[3, 3]]);
    await again.close();
    const last = await open();
    expect(last.scoresOf(0)).toEqual([...first, [3, 3]]);
    await last.close();
  });

  it('begins anew with nothing but a torn header', async () => {
    await writeFile(path, '{"scores":["a"');
    const journal = await open();
    expect(journal.scoresOf(0)).toEqual([]);
    await journal.close();
    expect(await readFile(path, 'utf8')).toBe(`${JSON.stringify(JOB)}\n`);
  });

  it('refuses another job’s and a damaged one, until it is begun anew', async () => {
    for (const [text, said] of [
      ['{"scores":["a"]}\n', 'belongs to other scores'],
      [`${JSON.stringify(JOB)}\n{"objective":0,"first":5,"scores":[[1,1]]}\n`, 'is damaged at line 2'],
      [`${JSON.stringify(JOB)}\n{"objective":2,"first":0,"scores":[[1,1]]}\n`, 'is damaged at line 2'],
      [`${JSON.stringify(JOB)}\nnull\n`, 'is damaged at line 2'],
    ] as const) {
      await writeFile(path, text);
      await expect(open()).rejects.toMatchObject({
        code: 'invalid-request',
        message: expect.stringContaining(said) as string,
      });
    }
    const journal = await open(true);
    expect(journal.scoresOf(0)).toEqual([]);
    await journal.close();
  });
});
