import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type JudgeServer, startJudge } from './judge-server.fixture.ts';
import { runCli } from './run-cli.fixture.ts';

let folder: string;
let judge: JudgeServer | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-report-'));
});
afterEach(async () => {
  await judge?.close();
  judge = undefined;
  await rm(folder, { recursive: true });
});

describe('evaluate report', { timeout: 60_000 }, () => {
  it('puts win rates, their verdicts and IMHI’s labels into one page, JSON that opens again, and tables', async () => {
    const outputs = join(folder, 'outputs');
    await mkdir(outputs);
    await writeFile(
      join(outputs, 'Claude-3.csv'),
      'query,goldens,origin_responses,aligned_responses\nq0,gold,old,good new\nq1,good gold,old,new\n',
    );
    judge = await startJudge({ reply: ({ first }) => (first.includes('good') ? '1' : '2') });
    const won = join(folder, 'won');
    const fixed = ['evaluate', 'win-rate', '--outputs', outputs, '--judge', judge.url, '--judge-model', 'rule'];
    const asked = await runCli([...fixed, '--family', 'hh-rlhf', '--objectives', 'humour', '--report', won]);
    expect(asked.code, asked.stderr).toBe(0);
    const labelled = join(folder, 'DR.csv');
    await writeFile(labelled, 'goldens,generated_text\nYes. Reasoning: a.,yes. Reasoning: b.\n');

    const to = join(folder, 'report');
    const { code, stderr } = await runCli(['evaluate', 'report', join(won, 'report.json'), labelled, '--to', to]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('should see a professional');
    const page = await readFile(join(to, 'report.html'), 'utf8');
    // Of what was measured, and the paper's figures of this policy model beside it.
    expect(page).toContain('<td>13.17</td><td>26.17</td><td>27.17</td>');
    expect(page).toContain('should see a professional');
    expect((await readdir(to)).sort()).toEqual([
      ...['advantages.csv', 'confusion.csv', 'examples.csv', 'labels.csv', 'lengths.csv', 'published.csv'],
      ...['quality.csv', 'rates.csv', 'report.html', 'report.json'],
    ]);

    // From the verdicts and the outputs comes the same report of win rates.
    const again = join(folder, 'again');
    const files = [join(won, 'verdicts.csv'), join(outputs, 'Claude-3.csv')];
    expect((await runCli(['evaluate', 'report', ...files, '--to', again])).code).toBe(0);
    for (const name of ['rates.csv', 'advantages.csv', 'examples.csv']) {
      expect(await readFile(join(again, name), 'utf8'), name).toBe(await readFile(join(to, name), 'utf8'));
    }
    const whole = await runCli(['evaluate', 'report', join(to, 'report.json'), '--to', join(folder, 'third')]);
    expect(whole.code, whole.stderr).toBe(0);
    expect(await readFile(join(folder, 'third/report.html'), 'utf8')).toBe(page);
  });

  it('explains files that it cannot use, and writes nothing', async () => {
    const odd = join(folder, 'odd.json');
    await writeFile(odd, '{"rates": 3}');
    const to = join(folder, 'report');
    const { code, stderr } = await runCli(['evaluate', 'report', odd, '--to', to]);
    expect(code).toBe(1);
    expect(stderr).toContain('odd.json looks like a report of win rates but is none');
    await writeFile(odd, '{');
    expect((await runCli(['evaluate', 'report', odd, '--to', to])).stderr).toContain('odd.json is no JSON');
    expect((await runCli(['evaluate', 'report', odd, '--to', folder])).code).toBe(2);
    expect((await readdir(folder)).sort()).toEqual(['odd.json']);
  });
});
