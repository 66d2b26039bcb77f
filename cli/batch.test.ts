import { createServer, type Server } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { join, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findObjective } from '../src/align/objectives.ts';
import { buildPrompt } from '../src/align/prompt.ts';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { randomCheckpoint } from '../src/convert/small-llama.fixture.ts';
import { createNodeTarget } from '../src/weights/node-folder.ts';
import { runCli, startCli } from './run-cli.fixture.ts';

// Each test starts Node anew.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const COLUMNS = ['query', 'goldens', 'generated_text'];
const ROWS = [
  ['\n\nHuman: "Why", he said?\n\nAssistant:', 'None', 'Because, of "it".\r\nYes'],
  ['\n\nHuman: back\\slash\n\nAssistant:', 'NA', 'é🙂 \\" {answer} $&'],
  ['blank', '', ' \n'],
  ['', 'g', 'no context'],
];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-batch-'));
  const target = createNodeTarget(join(directory, 'models', 'tiny-HH-RLHF'));
  await convertCheckpoint(randomCheckpoint(), target, { variants: ['q8'], name: 'T', source: 'r', family: 'hh-rlhf' });
  await writeFile(join(directory, 'Claude-3.csv'), csv(ROWS));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function csv(rows: string[][], columns = COLUMNS): string {
  return formatHeader('csv', columns) + rows.map((row) => formatRow('csv', columns, row)).join('');
}

async function readCsv(path: string): Promise<Record<string, string>[]> {
  return parse(await readFile(join(directory, path)), { columns: true });
}

/** The reference's command line, its own flags. */
function referenceArgs(output: string, ...more: string[]): string[] {
  const args = ['batch', '--aligner_path', 'models/tiny-HH-RLHF', '--data_dir', '.', '--aligned_model', 'Claude-3'];
  args.push('--model_output_path', output, '--batch_size', '16', '--cuda', '--llama');
  return [...args, '--aspects', 'harmlessness,helpfulness,humour', '--max-new-tokens', '8', ...more];
}

function inputArgs(input: string, output: string, ...more: string[]): string[] {
  const args = ['batch', '--model', 'tiny-HH-RLHF', '--input', input, '--output', output, '--max-new-tokens', '8'];
  return [...args, '--objectives', 'length', ...more];
}

async function run(args: string[]) {
  const result = await runCli(args, { cwd: directory });
  expect(result.code, result.stderr).toBe(0);
  return result;
}

describe('metaaligner batch', () => {
  it('takes the reference’s command line and writes its columns, row for row', async () => {
    const { stderr, stdout } = await run(referenceArgs('out'));
    expect(stdout.toString()).toBe('');
    expect(stderr).toContain('3 edits, 1 failed');
    const text = await readFile(join(directory, 'out/Claude-3.csv'), 'utf8');
    expect(text.split('\n')[0]).toBe('query,goldens,origin_responses,aligned_responses');
    const rows = await readCsv('out/Claude-3.csv');
    expect(rows.map((row) => [row.query, row.goldens, row.origin_responses])).toEqual(ROWS);
    expect(rows.map((row) => row.aligned_responses !== '')).toEqual([true, true, false, true]);
    const error = JSON.parse(await readFile(join(directory, 'out/Claude-3.errors.jsonl'), 'utf8')) as unknown;
    expect(error).toMatchObject({ row: 3, code: 'blank-answer' });

    // The same text as one at a time.
    await writeFile(join(directory, 'context'), ROWS[0]?.[0] ?? '');
    await writeFile(join(directory, 'answer'), ROWS[0]?.[2] ?? '');
    const single = await runCli(
      ['align', '--model', 'tiny-HH-RLHF', '--context', 'context', '--answer', 'answer'].concat([
        '--objectives',
        'harmlessness,helpfulness,humour',
        '--max-new-tokens',
        '8',
      ]),
      { cwd: directory },
    );
    expect(single.stdout.toString()).toBe(rows[0]?.aligned_responses);

    const report = JSON.parse(await readFile(join(directory, 'out/Claude-3.report.json'), 'utf8')) as object;
    expect(report).toMatchObject({ counts: { rows: 4, edited: 3, failed: 1, failures: { 'blank-answer': 1 } } });

    // Finished: nothing is run again. Other settings: nothing is overwritten.
    expect((await run(referenceArgs('out'))).stderr).toContain('(4 finished before)');
    expect(await readFile(join(directory, 'out/Claude-3.csv'), 'utf8')).toBe(text);
    const other = await runCli(referenceArgs('out', '--temperature', '1'), { cwd: directory });
    expect(other).toMatchObject({ code: 1 });
    expect(other.stderr).toContain('settings');
  });

  it('gives the same file after twenty kills at any moment', async () => {
    const rows = Array.from({ length: 64 }, (_, i) => [`q${i}`, '', i % 7 === 3 ? '' : `answer ${i}`]);
    await writeFile(join(directory, 'kill.csv'), csv(rows));
    await run(inputArgs('kill.csv', 'undisturbed/kill.csv'));
    const journalPath = join(directory, 'killed/kill.journal.jsonl');
    const lineCount = async () =>
      existsSync(journalPath) ? (await readFile(journalPath, 'utf8')).split('\n').length - 1 : 0;
    for (const stopAt of Array.from({ length: 20 }, (_, i) => 1 + 3 * i)) {
      const running = startCli(inputArgs('kill.csv', 'killed/kill.csv'), { cwd: directory });
      await vi.waitUntil(async () => (await lineCount()) >= stopAt, { timeout: 60_000, interval: 1 });
      running.child.kill('SIGKILL');
      await running.ended;
      expect(existsSync(join(directory, 'killed/kill.csv'))).toBe(false);
      // A line that a power cut tore.
      await appendFile(journalPath, '{"row":63,"set":0,"edit":"to');
    }
    const { stderr } = await run(inputArgs('kill.csv', 'killed/kill.csv'));
    expect(Number(/\((\d+) finished before\)/.exec(stderr)?.[1])).toBeGreaterThanOrEqual(57);
    for (const name of ['kill.csv', 'kill.errors.jsonl']) {
      const whole = await readFile(join(directory, 'undisturbed', name));
      expect((await readFile(join(directory, 'killed', name))).equals(whole)).toBe(true);
    }
    expect((await readdir(join(directory, 'killed'))).sort()).toEqual(
      ['kill.csv', 'kill.errors.jsonl', 'kill.journal.jsonl', 'kill.report.json'].sort(),
    );
    // Every row once.
    const keys = (await readFile(journalPath, 'utf8'))
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => (JSON.parse(line) as { row: number }).row);
    expect(keys.sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
  });

  it('stops at Ctrl-C, goes on later, tries failed rows again when asked, and starts anew when asked', async () => {
    const rows = Array.from({ length: 150 }, (_, i) => [`q${i}`, '', i === 0 ? '' : `answer ${i}`]);
    await writeFile(join(directory, 'stop.csv'), csv(rows));
    const args = inputArgs('stop.csv', 'stopped/stop.csv', '--max-new-tokens', '2');
    const journalPath = join(directory, 'stopped/stop.journal.jsonl');
    const running = startCli(args, { cwd: directory });
    await vi.waitUntil(() => existsSync(journalPath) && readFileSync(journalPath, 'utf8').split('\n').length > 2, {
      timeout: 60_000,
      interval: 1,
    });
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('Run the same command to go on');
    expect((await run(args)).stderr).toMatch(/149 edits, 1 failed \(\d+ finished before\)/);
    expect((await run([...args, '--retry-failed'])).stderr).toContain('149 edits, 1 failed (149 finished before)');
    expect((await run([...args, '--restart', '--limit', '2'])).stderr).toContain('1 edits, 1 failed.');
  });

  it('writes a column for each objective set, or a row', async () => {
    const sets = ['--objectives', 'mine=humour,length'];
    await run(inputArgs('Claude-3.csv', 'sets.csv', ...sets));
    expect(Object.keys((await readCsv('sets.csv'))[0] ?? {})).toEqual([
      'query',
      'goldens',
      'origin_responses',
      'aligned_responses_length',
      'aligned_responses_mine',
    ]);
    await run(inputArgs('Claude-3.csv', 'long.jsonl', ...sets, '--long'));
    const lines = (await readFile(join(directory, 'long.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(8);
    const sets2 = lines.map((line) => (JSON.parse(line) as { objectives: string }).objectives);
    expect(sets2.slice(0, 2)).toEqual(['length', 'mine']);
  });

  it('runs the rows asked for; shards one after the other are the whole', async () => {
    const rows = Array.from({ length: 7 }, (_, i) => [`q${i}`, i < 5 ? 'yes' : 'no', `a${i}`]);
    await writeFile(join(directory, 'some.csv'), csv(rows));
    await run(inputArgs('some.csv', 'picked.csv', '--where', 'goldens=yes', '--where', 'query!~[12]', '--limit', '2'));
    expect((await readCsv('picked.csv')).map(({ query }) => query)).toEqual(['q0', 'q3']);
    await run(inputArgs('some.csv', 'all.csv'));
    await run(inputArgs('some.csv', 'part.csv', '--shard', '1/2'));
    await run(inputArgs('some.csv', 'part.csv', '--shard', '2/2'));
    const parts = [...(await readCsv('part.shard-1-of-2.csv')), ...(await readCsv('part.shard-2-of-2.csv'))];
    expect(parts).toEqual(await readCsv('all.csv'));
  });

  it('tells rows that do not fit before it runs any, and skips or shortens them when asked', async () => {
    await writeFile(
      join(directory, 'big.csv'),
      csv([
        ['q', '', 'a'],
        ['x'.repeat(3000), '', 'a'],
      ]),
    );
    const refused = await runCli(inputArgs('big.csv', 'big-out.csv'), { cwd: directory });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('1 rows of big.csv do not fit');
    expect(existsSync(join(directory, 'big-out.journal.jsonl'))).toBe(false);
    expect((await run(inputArgs('big.csv', 'skip.csv', '--on-too-long', 'skip'))).stderr).toContain(
      '1 edits, 1 failed',
    );
    await run(inputArgs('big.csv', 'cut.csv', '--on-too-long', 'truncate-context'));
    const [, long] = await readCsv('cut.csv');
    expect(long?.query).toHaveLength(3000);
    expect(long?.aligned_responses).not.toBe('');
  });

  it('reads messages from JSONL, and keeps rows that cannot be used', async () => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Yes?' },
      { role: 'user', content: 'Why' },
    ];
    await writeFile(join(directory, 'chat.jsonl'), `${JSON.stringify({ messages, response: 'So' })}\nnonsense\n`);
    await run(inputArgs('chat.jsonl', 'chat-out.jsonl'));
    const [first = '', second = ''] = (await readFile(join(directory, 'chat-out.jsonl'), 'utf8')).split('\n');
    expect(JSON.parse(first)).toMatchObject({
      query: '\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why\n\nAssistant:',
      origin_responses: 'So',
    });
    expect(JSON.parse(second)).toMatchObject({ query: '', aligned_responses: '' });
    expect(await readFile(join(directory, 'chat-out.errors.jsonl'), 'utf8')).toContain('bad-row');
  });

  it.each([
    ['no file', ['batch', '--model', 'tiny-HH-RLHF', '--objectives', 'length'], 'No file is given'],
    ['a file that is not there', inputArgs('none.csv', 'x.csv'), 'none.csv does not exist'],
    ['its input as output', inputArgs('Claude-3.csv', './Claude-3.csv'), 'both input and output'],
    ['an unknown aspect', referenceArgs('x', '--aspects', 'kindness'), 'kindness'],
    ['a shard out of range', inputArgs('Claude-3.csv', 'x.csv', '--shard', '3/2'), 'no shard'],
  ])('refuses %s', async (_name, args, message) => {
    const { code, stderr } = await runCli(args, { cwd: directory });
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it('takes contexts from a file of their own, row for row, and refuses one of another length', async () => {
    const rows = ROWS.map(([query = '', goldens = '', answer = '']) => ({ query, goldens, answer }));
    const answers = rows.map(({ goldens, answer }) => [goldens, answer]);
    await mkdir(join(directory, 'questions'));
    await writeFile(join(directory, 'answers.csv'), csv(answers, ['goldens', 'generated_text']));
    const questions = (from: typeof rows) =>
      csv(
        from.map(({ query }) => [query, 'x']),
        ['query', 'gpt-3.5-turbo'],
      );
    await writeFile(join(directory, 'questions/answers.csv'), questions(rows));
    await run(inputArgs('answers.csv', 'joined.csv', '--query-file', 'questions'));
    await run(inputArgs('Claude-3.csv', 'together.csv'));
    expect(await readCsv('joined.csv')).toEqual(await readCsv('together.csv'));

    await writeFile(join(directory, 'few.csv'), questions(rows.slice(1)));
    const { code, stderr } = await runCli(inputArgs('answers.csv', 'other.csv', '--query-file', 'few.csv'), {
      cwd: directory,
    });
    expect([code, stderr]).toEqual([1, expect.stringContaining('answers.csv has more rows than few.csv, which has 3')]);
  });

  it('takes contexts beside a column of the same name, finds a later file’s fault first, and unpacks but never packs', async () => {
    const cells = [['Is it?', 'It is not.']];
    const folder = join(directory, 'several');
    await mkdir(folder);
    await writeFile(join(folder, 'a.csv.gz'), gzipSync(csv(cells, ['query', 'generated_text'])));
    await writeFile(join(directory, 'contexts.csv'), csv([['Ask me.']], ['query']));
    await run(inputArgs('several', 'unpacked/', '--query-file', 'contexts.csv', '--where', 'query=Is it?'));
    expect(await readCsv('unpacked/a.csv')).toMatchObject([{ query: 'Ask me.', origin_responses: 'It is not.' }]);

    await writeFile(join(folder, 'b.csv'), csv([['x']], ['other']));
    const { code, stderr } = await runCli(inputArgs('several', 'none/'), { cwd: directory });
    expect([code, stderr]).toEqual([1, expect.stringContaining('b.csv')]);
    expect(existsSync(join(directory, 'none'))).toBe(false);
  });

  it('names a missing column and those that there are', async () => {
    const { code, stderr } = await runCli(inputArgs('Claude-3.csv', 'x.csv', '--answer-column', 'nope'), {
      cwd: directory,
    });
    expect(code).toBe(1);
    expect(stderr).toContain('no column nope. Its columns: query, goldens, generated_text');
  });

  it('does not write over a file that it did not write', async () => {
    await writeFile(join(directory, 'mine.csv'), 'mine');
    const { code } = await runCli(inputArgs('Claude-3.csv', 'mine.csv'), { cwd: directory });
    expect(code).toBe(2);
    expect(await readFile(join(directory, 'mine.csv'), 'utf8')).toBe('mine');
  });
});

describe('metaaligner batch --endpoint', () => {
  const prompts: string[] = [];
  let server: Server;
  let url: string;
  let failures = 0;
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (piece: Buffer) => (body += piece.toString()));
      request.on('end', () => {
        const { prompt } = JSON.parse(body) as { prompt: string };
        if (failures > 0) {
          failures -= 1;
          response.writeHead(429, { 'retry-after': '0' }).end('busy');
          return;
        }
        prompts.push(prompt);
        const choice = { text: ` edit of ${prompt.length}`, finish_reason: 'stop' };
        response.end(JSON.stringify({ choices: [choice], usage: { prompt_tokens: 3, completion_tokens: 2 } }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  });
  afterAll(() => server.close());

  function endpointArgs(dataDir: string, output: string, ...more: string[]) {
    const args = ['batch', '--endpoint', url, '--aligner_path', 'MetaAligner/MetaAligner-HH-RLHF-7B', ...more];
    args.push('--data_dir', dataDir, '--aligned_model', 'Claude-3', '--model_output_path', output);
    return [...args, '--aspects', 'harmlessness,helpfulness,humour'];
  }

  it('sends several rows at a time, tries again when it is busy, and keeps the order', async () => {
    failures = 2;
    await run(endpointArgs('.', 'far', '--concurrency', '3'));
    const rows = await readCsv('far/Claude-3.csv');
    expect(rows.map((row) => [row.query, row.goldens, row.origin_responses])).toEqual(ROWS);
    expect(rows[3]?.aligned_responses).toMatch(/^ edit of \d+$/);
  });

  it('sends real rows in prompts of the template’s exact bytes', async (context) => {
    const data = resolve(process.env.METAALIGNER_DATA ?? '../shared/data', 'hh-rlhf');
    if (!existsSync(data)) context.skip(`no data at ${data} (METAALIGNER_DATA)`);
    prompts.length = 0;
    await run(endpointArgs(data, 'real', '--limit', '20', '--concurrency', '1'));
    const source: Record<string, string>[] = parse(await readFile(join(data, 'Claude-3.csv')), {
      columns: true,
      to: 20,
    });
    const objectives = ['harmlessness', 'helpfulness', 'humour'].map((key) => findObjective(key, 'hh-rlhf'));
    const expected = source.map(({ query = '', generated_text = '' }) =>
      buildPrompt({ objectives, context: query, answer: generated_text, template: 'hh-rlhf', promptStyle: 'bare' }),
    );
    expect(prompts).toEqual(expected);
    const written = await readCsv('real/Claude-3.csv');
    expect(written.map((row) => row.query)).toEqual(source.map((row) => row.query));
    expect(written.map((row) => row.origin_responses)).toEqual(source.map((row) => row.generated_text));
  });
});
