import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodePrompt } from '../src/align/align.ts';
import { findObjective } from '../src/align/objectives.ts';
import { DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../src/align/request.ts';
import { loadTokenizer } from '../src/align/tokenizer.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { BYTE_TOKENIZER, randomCheckpoint, SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { createNodeTarget } from '../src/weights/node-folder.ts';
import { runCli, startCli } from './run-cli.fixture.ts';

// Each test starts Node anew.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const CONTEXT = 'Human: Why?\n\nAssistant:';
const ANSWER = 'Because </s> of <s> it.\n';

let directory: string;
let context: string;
let answer: string;
/** With a model that may be slow enough to interrupt, `models/tiny`, and one of no family, `models/Owner/stray`. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-align-'));
  context = join(directory, 'context.txt');
  answer = join(directory, 'answer.txt');
  await writeFile(context, CONTEXT);
  await writeFile(answer, ANSWER);
  const settings = { variants: ['fp32', 'q8'], name: 'Tiny', source: 'random' } as const;
  const sampling = JSON.stringify({ do_sample: true, temperature: 5, top_k: 0, eos_token_id: 2 });
  for (const [id, family] of [
    ['tiny', 'hh-rlhf'],
    ['Owner/stray', undefined],
  ] as const) {
    const checkpoint = randomCheckpoint();
    const sidecars = new Map(checkpoint.sidecars).set('generation_config.json', sampling);
    const target = createNodeTarget(join(directory, 'models', id));
    await convertCheckpoint({ ...checkpoint, sidecars }, target, { ...settings, family });
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface JsonResult {
  edit: string;
  finishReason: string;
  promptTokenIds: number[];
  tokenIds: number[];
  usage: { promptTokens: number; editTokens: number };
  model: string;
  variant: string;
  device: string;
}

const BASE = ['--objectives', 'helpfulness,harmlessness', '--max-new-tokens', '12'];

function alignArgs(model: string, ...more: string[]): string[] {
  return ['align', '--model', model, '--context', context, '--answer', answer, ...BASE, ...more];
}

async function alignJson(...more: string[]): Promise<JsonResult> {
  const { code, stdout, stderr } = await runCli(alignArgs('tiny', '--json', ...more), { cwd: directory });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout.toString()) as JsonResult;
}

describe('metaaligner align', () => {
  it('prints the edit and nothing more; the same with --json, which tells what was read and written', async () => {
    const result = await alignJson();
    const { code, stdout, stderr } = await runCli(alignArgs('tiny'), { cwd: directory });
    expect(code).toBe(0);
    expect(stdout.toString()).toBe(result.edit);
    expect(stderr).toContain('Cut off at the limit: 12 tokens');

    const tokenizer = loadTokenizer(
      JSON.parse(BYTE_TOKENIZER.tokenizerJson),
      JSON.parse(BYTE_TOKENIZER.tokenizerConfigJson),
    );
    const objectives = ['helpfulness', 'harmlessness'].map((key) => findObjective(key, 'hh-rlhf'));
    const request = { objectives, context: CONTEXT, answer: ANSWER, template: 'hh-rlhf', promptStyle: 'bare' } as const;
    const rest = { maxNewTokens: DEFAULT_MAX_NEW_TOKENS, sampling: GREEDY };
    const promptIds = encodePrompt({ ...request, ...rest }, { tokenizer });
    expect(result.promptTokenIds).toEqual([...promptIds]);
    expect(result.promptTokenIds[0]).toBe(1);
    // Text that looks like a special token is text: one BOS, no EOS.
    expect(result.promptTokenIds.filter((id) => id < 3)).toEqual([1]);
    expect(result).toMatchObject({ finishReason: 'length', model: 'tiny', device: 'cpu' });
    expect(result.tokenIds).toHaveLength(12);
    expect(result.usage).toMatchObject({ promptTokens: promptIds.length, editTokens: 12 });
    expect(tokenizer.decode(result.tokenIds)).toBe(result.edit);
  });

  it('takes a folder as well as an id', async () => {
    const { stdout } = await runCli(alignArgs(join(directory, 'models', 'tiny'), '--json'));
    expect((JSON.parse(stdout.toString()) as JsonResult).tokenIds).toEqual((await alignJson()).tokenIds);
  });

  it('samples when asked to: by seed, and as the checkpoint says', async () => {
    const greedy = await alignJson();
    const hot = ['--temperature', '50', '--top-k', '0'];
    const sampled = await alignJson(...hot, '--seed', '7');
    expect(sampled.tokenIds).not.toEqual(greedy.tokenIds);
    expect((await alignJson(...hot, '--seed', '7')).tokenIds).toEqual(sampled.tokenIds);
    expect((await alignJson(...hot, '--seed', '8')).tokenIds).not.toEqual(sampled.tokenIds);
    const checkpoint = await alignJson('--use-checkpoint-settings', '--seed', '3');
    const same = await alignJson('--temperature', '5', '--top-k', '0', '--seed', '3');
    expect(checkpoint.tokenIds).toEqual(same.tokenIds);
    expect(checkpoint.tokenIds).not.toEqual(greedy.tokenIds);
  });

  it('runs the variant that it is told to', async () => {
    expect((await alignJson('--variant', 'fp32')).variant).toBe('fp32');
    expect((await alignJson('--variant', 'q8')).variant).toBe('q8');
  });

  it('uses the family that it is told to, and needs one where the model has none', async () => {
    const none = await runCli(alignArgs('Owner/stray'), { cwd: directory });
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('--family hh-rlhf|ultrafeedback|imhi');
    const told = await runCli(alignArgs('Owner/stray', '--family', 'imhi'), { cwd: directory });
    expect(told.code).toBe(0);
    const imhi = await alignJson('--family', 'imhi');
    expect(imhi.promptTokenIds).not.toEqual((await alignJson()).promptTokenIds);
  });

  it('caps the new tokens to what the context leaves, and says so', async () => {
    const long = join(directory, 'long.txt');
    await writeFile(long, 'x'.repeat(SMALL_LLAMA.contextLength - 400));
    const { code, stderr, stdout } = await runCli(
      ['align', '--model', 'tiny', '--objectives', 'length', '--answer', long, '--json'],
      { cwd: directory },
    );
    expect(code).toBe(0);
    const { promptTokenIds, tokenIds } = JSON.parse(stdout.toString()) as JsonResult;
    const room = SMALL_LLAMA.contextLength - promptTokenIds.length;
    expect(tokenIds.length).toBeLessThanOrEqual(room);
    expect(stderr).toContain(`room for ${room} of the 1024`);
  });

  it('refuses a prompt that leaves no room, before anything is written', async () => {
    const long = join(directory, 'long.txt');
    await writeFile(long, 'x'.repeat(SMALL_LLAMA.contextLength));
    const { code, stdout, stderr } = await runCli(
      ['align', '--model', 'tiny', '--objectives', 'length', '--answer', long],
      { cwd: directory },
    );
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('Shorten the context or the answer');
  });

  it.each([
    ['an unknown model', ['--model', 'nope'], 2, 'Converted models here: Owner/stray, demo-aligner, tiny'],
    ['a published model that is not here', ['--model', 'MetaAligner/MetaAligner-IMHI-7B'], 2, 'metaaligner convert'],
    ['an unknown variant', ['--variant', 'q3'], 2, 'fp32, fp16, q8, q4, q4f16'],
    ['a variant that the model lacks', ['--variant', 'q4'], 2, 'It holds: fp32, q8'],
    ['an unknown objective', ['--objectives', 'kindness'], 2, 'factuality'],
    ['a temperature below 0', ['--temperature', '-1'], 2, 'between 0 (greedy) and 100'],
    ['a number that is none', ['--top-k', 'many'], 2, 'must be a number'],
    ['no new tokens', ['--max-new-tokens', '0'], 2, 'at least 1'],
    ['settings twice', ['--use-checkpoint-settings', '--temperature', '1'], 2, 'cannot be used with'],
  ])('refuses %s', async (_name, args, expectedCode, expected) => {
    const { code, stdout, stderr } = await runCli(alignArgs('tiny', ...args), { cwd: directory });
    expect({ code, stdout: stdout.toString() }).toEqual({ code: expectedCode, stdout: '' });
    expect(stderr).toContain(expected);
  });

  it('names the command that converts a checkpoint which is not converted', async () => {
    const folder = join(directory, 'my checkpoint.gguf');
    await writeFile(folder, 'GGUF');
    const { code, stderr } = await runCli(alignArgs(folder), { cwd: directory });
    expect(code).toBe(1);
    expect(stderr).toContain(`metaaligner convert --from '${folder}' --to 'models/my checkpoint'`);
  });

  it('says which file of the model is damaged', async () => {
    const target = createNodeTarget(join(directory, 'models', 'damaged'));
    await convertCheckpoint(randomCheckpoint(), target, { variants: ['q8'], name: 'D', source: 'r', family: 'imhi' });
    await writeFile(join(target.directory, 'tokenizer.json'), '');
    const { code, stderr } = await runCli(alignArgs('damaged'), { cwd: directory });
    expect(code).toBe(1);
    expect(stderr).toContain('tokenizer.json');
    expect(stderr).toContain('Convert or download the model again');
    await rm(target.directory, { recursive: true });
  });

  it('prints what there is when it is interrupted', async () => {
    const args = [
      'align',
      '--model',
      'tiny',
      '--objectives',
      'length',
      '--answer',
      answer,
      '--variant',
      'fp32',
      '--json',
    ];
    const running = startCli(args, { cwd: directory });
    await vi.waitUntil(() => running.stderr().includes('Prompt: '), { timeout: 30_000, interval: 5 });
    running.child.kill('SIGINT');
    const { code, stdout } = await running.ended;
    const { finishReason, tokenIds } = JSON.parse(stdout.toString()) as JsonResult;
    expect({ code, finishReason }).toEqual({ code: 130, finishReason: 'cancelled' });
    expect(tokenIds.length).toBeLessThan(DEFAULT_MAX_NEW_TOKENS);
  });
});
