import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { OBJECTIVES } from '../src/align/objectives.ts';
import packageJson from '../package.json' with { type: 'json' };
import { runCli } from './run-cli.fixture.ts';

// Each test starts Node anew.
vi.setConfig({ testTimeout: 30_000 });

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-cli-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

const COMMANDS = ['align', 'prompt', 'convert', 'models', 'pull', 'serve', 'key', 'start'];

describe('metaaligner', () => {
  it('prints its version', async () => {
    const { code, stdout } = await runCli(['--version']);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: `${packageJson.version}\n` });
  });

  it('helps with every command', async () => {
    const help = await runCli(['--help']);
    expect(help.code).toBe(0);
    for (const command of COMMANDS) {
      expect(help.stdout.toString()).toContain(`  ${command} `);
      const own = await runCli([command, '--help']);
      expect(own.code).toBe(0);
      expect(own.stdout.toString()).toContain(`Usage: metaaligner ${command}`);
      expect(own.stderr).toBe('');
    }
  });

  it.each([
    ['no command', [], 'Commands:'],
    ['an unknown command', ['alingn'], 'Commands:'],
    ['an unknown flag', ['prompt', '--contxt', 'x'], '--context'],
    ['an unknown family', ['prompt', '--family', 'llama'], 'hh-rlhf, ultrafeedback, imhi'],
    ['no family', ['prompt', '--objectives', 'length'], '--family'],
    ['an unknown objective', ['prompt', '--family', 'imhi', '--objectives', 'kindness'], 'factuality'],
    ['no objective', ['prompt', '--family', 'imhi'], 'factuality'],
    ['an objective without colon', ['prompt', '--family', 'imhi', '--objective', 'Kind'], 'Name: description'],
    ['no answer', ['prompt', '--family', 'imhi', '--objectives', 'length'], '--answer'],
    ['a port that is none', ['start', '--port', 'http'], '65535'],
    ['an argument too many', ['models', 'x'], 'too many arguments'],
  ])('exits 2 and says what exists: %s', async (_name, args, expected) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(expected);
  });

  it('lists every objective when one is unknown', async () => {
    const { stderr } = await runCli(['prompt', '--family', 'imhi', '--objectives', 'x']);
    for (const { key } of OBJECTIVES) expect(stderr).toContain(key);
  });

  it('ends without a word when its reader has seen enough', async () => {
    const answer = await file('long.txt', 'word '.repeat(400_000));
    const bin = resolve(import.meta.dirname, 'metaaligner.mjs');
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '-c',
        `set -o pipefail; node "${bin}" prompt --family imhi --objectives length --answer "${answer}" | head -c 4; echo " $?"`,
      ],
      { encoding: 'utf8' },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'Edit 0\n', stderr: '' });
  });
});

describe('metaaligner prompt', () => {
  const BASE = ['prompt', '--family', 'hh-rlhf', '--objectives', 'harmless, humor'];

  it('prints the exact bytes and nothing more', async () => {
    const context = await file('context.txt', '\ufeff Human: hi\r\n\n\nAssistant:');
    const answer = await file('answer.txt', 'A {answer} $& </s> 🦙 \n');
    const { code, stdout, stderr } = await runCli([...BASE, '--context', context, '--answer', answer]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toBe(
      'You are an assistant to human. You will be provided with a context and an answer. Consider the context, then edit the answer to improve it considering these aspects: Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful; Humour: The response should be cheerful and amusing | Context: \ufeff Human: hi\r\n\n\nAssistant: | Answer: A {answer} $& </s> 🦙 \n | Edit: ',
    );
  });

  it('reads standard input, and puts own objectives after the published ones', async () => {
    const answer = await file('answer.txt', 'a');
    const own = ['--objective', 'Rhyme: every line rhymes: always', '--objective', 'Calm: no shouting'];
    const { stdout } = await runCli([...BASE, ...own, '--context', '-', '--answer', answer], { stdin: 'from stdin' });
    expect(stdout.toString()).toContain(
      'amusing; Rhyme: every line rhymes: always; Calm: no shouting | Context: from stdin |',
    );
  });

  it('puts the prompt into the Vicuna conversation when asked to', async () => {
    const answer = await file('answer.txt', 'a');
    const { stdout } = await runCli([...BASE, '--answer', answer, '--prompt-style', 'vicuna']);
    expect(stdout.toString()).toMatch(/^A chat between .* USER: You are .* \| Edit: {2}ASSISTANT: $/s);
  });

  it.each([
    ['a blank answer', ' \n', 2, 'blank'],
    ['an answer that is not UTF-8', Uint8Array.from([0x61, 0xff]), 1, 'not UTF-8'],
  ])('refuses %s', async (_name, content, expectedCode, expected) => {
    const answer = await file('odd.txt', content);
    const { code, stdout, stderr } = await runCli([...BASE, '--answer', answer]);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: expectedCode, stdout: '' });
    expect(stderr).toContain(expected);
  });

  it('names a file that does not exist', async () => {
    const { code, stderr } = await runCli([...BASE, '--answer', join(directory, 'absent.txt')]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${join(directory, 'absent.txt')} does not exist`);
  });

  it('prints one JSON string for each row, with the cells as they are', async () => {
    const csv = await file(
      'rows.csv',
      '\ufeffgoldens,query,generated_text\r\ng,"one ""quoted"", two\nlines",first\r\n,, \r\nx,q3,a "loose" quote\r\n',
    );
    const { code, stdout, stderr } = await runCli([...BASE, '--input', csv]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.toString().split('\n');
    expect(lines.pop()).toBe('');
    const tails = lines.map((line) => (JSON.parse(line) as string).split(' | Context: ')[1]);
    expect(tails).toEqual([
      'one "quoted", two\nlines | Answer: first | Edit: ',
      ' | Answer:   | Edit: ',
      'q3 | Answer: a "loose" quote | Edit: ',
    ]);
  });

  it.each([
    ['a column is missing', 'query,answer\nq,a\n', 'no column generated_text. Its columns: query, answer.'],
    ['a row has another number of cells', 'query,generated_text\nq,a,b\n', 'not CSV at line 2'],
    ['it has a header only', 'query\n', 'no column generated_text'],
    ['it is empty', '', 'no column query'],
  ])('says when %s', async (_name, content, expected) => {
    const csv = await file('bad.csv', content);
    const { code, stderr } = await runCli([...BASE, '--input', csv]);
    expect(code).toBe(1);
    expect(stderr).toContain(expected);
  });

  it('takes a table or texts, not both', async () => {
    const csv = await file('rows.csv', 'query,generated_text\n');
    expect((await runCli([...BASE, '--input', csv, '--answer', csv])).code).toBe(2);
  });
});

describe('metaaligner models', () => {
  it('lists the published models as JSON', async () => {
    const { code, stdout } = await runCli(['models', '--json'], { cwd: directory });
    const { published } = JSON.parse(stdout.toString()) as { published: { id: string }[] };
    expect(code).toBe(0);
    expect(published.map(({ id }) => id)).toContain('MetaAligner/MetaAligner-IMHI-13B');
    expect(published).toHaveLength(8);
  });

  it('says which folder it leaves out, and why', async () => {
    await mkdir(join(directory, 'models', 'damaged'), { recursive: true });
    await writeFile(join(directory, 'models', 'damaged', 'metaaligner.json'), '{}');
    const { code, stdout, stderr } = await runCli(['models'], { cwd: directory });
    expect(code).toBe(0);
    expect(stdout.toString()).not.toContain('damaged');
    expect(stderr).toContain('damaged is left out: ');
  });
});
