import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, GenerateOptions } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { ENGINE_CONTRACT, type Subject, type SubjectOptions } from './engine.contract.ts';
import { createLlamaCppEngine } from './llama-cpp-engine.ts';
import { loadLlamaCppPackage } from './llama-cpp-package.ts';
import { isLlamaCppMissing } from './llama-cpp.fixture.ts';
import { createNodeEngine } from './node-engine.ts';
import { writeSmallGguf } from './small-gguf.fixture.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';

let gguf: Awaited<ReturnType<typeof writeSmallGguf>>;
beforeAll(async () => void (gguf = await writeSmallGguf(CONTRACT_CONFIG)));
afterAll(() => gguf.remove());

const create = ({ prefillChunkTokens, ...change }: SubjectOptions = {}, concurrency = 1, mayDraft = true) =>
  createLlamaCppEngine({
    path: gguf.path,
    config: { ...CONTRACT_CONFIG, mayDraft, ...change },
    device: 'cpu',
    threads: 1,
    concurrency,
    ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
  });

const never = new AbortController().signal;
const PROMPT = Int32Array.of(1, 17, 4, 9, 23, 11, 30, 6, 2, 14, 28);
const NO_EOS = { eosTokenIds: [] };

async function stepsOf(
  engine: Engine,
  promptIds: Int32Array,
  options: Partial<GenerateOptions> = {},
  signal = never,
): Promise<(readonly number[])[]> {
  const steps: (readonly number[])[] = [];
  for await (const step of engine.generate(promptIds, { ...GREEDY, maxNewTokens: 24, ...options }, signal)) {
    steps.push(step);
  }
  return steps;
}

describe.skipIf(isLlamaCppMissing).each([1, 3])('the llama-cpp engine with %d at a time', (concurrency) => {
  const subject: Subject = { create: (options) => create(options, concurrency) };
  const cases = ENGINE_CONTRACT.filter(({ isOfOneAtATime }) => isOfOneAtATime !== true || concurrency === 1);
  it.each(cases)('$name', (contractCase) => contractCase.run(subject), 60_000);
});

describe.skipIf(isLlamaCppMissing)('the llama-cpp engine', () => {
  it('writes and draws what the onnx engine does on the same weights', async () => {
    const folder = await convertToDisk(['fp32']);
    const graphPath = join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES.fp32}.onnx`);
    const onnx = await createNodeEngine({ graphPath, config: { ...CONTRACT_CONFIG, ...NO_EOS }, threads: 1 });
    const llama = await create(NO_EOS);
    const settings: Partial<GenerateOptions>[] = [
      {},
      { repetitionPenalty: 1.3 },
      // Short: the cache of llama.cpp is float16, and a draw can fall between the two.
      { temperature: 0.8, seed: 7, maxNewTokens: 6 },
      { temperature: 2, topK: 12, topP: 0.9, seed: 8, maxNewTokens: 6 },
      { temperature: 1.5, repetitionPenalty: 1.4, topP: 0.95, seed: 10, maxNewTokens: 6 },
    ];
    for (const options of settings) {
      const [ours, theirs] = [await stepsOf(llama, PROMPT, options), await stepsOf(onnx, PROMPT, options)];
      expect(ours.flat(), JSON.stringify(options)).toEqual(theirs.flat());
    }
    for (const engine of [onnx, llama]) await engine.dispose();
    await folder.remove();
  });

  it('drafts from the prompt, several tokens a step, and writes the same', async () => {
    const blind = await writeSmallGguf(CONTRACT_CONFIG, { isBlind: true });
    const start = (mayDraft: boolean) =>
      createLlamaCppEngine({
        path: blind.path,
        config: { ...CONTRACT_CONFIG, ...NO_EOS, mayDraft },
        device: 'cpu',
        threads: 1,
      });
    const [drafting, plain] = [await start(true), await start(false)];
    const edit = (await stepsOf(plain, PROMPT)).flat();
    // It holds what comes after its last token.
    const promptIds = Int32Array.of(...PROMPT, ...edit, 28);
    const expected = await stepsOf(plain, promptIds);
    expect(expected).toEqual(edit.map((id) => [id]));
    const drafted = await stepsOf(drafting, promptIds);
    expect(drafted.flat()).toEqual(edit);
    expect(drafted.some((step) => step.length > 1)).toBe(true);
    for (const engine of [drafting, plain]) await engine.dispose();
    await blind.remove();
  });

  it('runs several at a time, each as alone, and lets the others wait their turn', async () => {
    const alone = await create(NO_EOS);
    const prompts = [0, 1, 2, 3, 4].map((n) => Int32Array.of(1, 20 + n, 7, 40 * n, 9));
    const expected = [];
    for (const promptIds of prompts) expected.push((await stepsOf(alone, promptIds)).flat());
    const together = await create(NO_EOS, 2);
    const edits = await Promise.all(prompts.map(async (promptIds) => (await stepsOf(together, promptIds)).flat()));
    expect(edits).toEqual(expected);
    for (const engine of [alone, together]) await engine.dispose();
  });

  it('drops what waits when its signal aborts, and all that waits when it is disposed of', async () => {
    const engine = await create(NO_EOS, 2);
    const running = [engine, engine].map((one) => one.generate(PROMPT, { ...GREEDY, maxNewTokens: 60 }, never));
    for (const steps of running) await steps.next();
    const controller = new AbortController();
    const leaving = stepsOf(engine, PROMPT, {}, controller.signal);
    const staying = stepsOf(engine, PROMPT);
    const reason = new Error('left');
    controller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    await running[0]?.return(undefined as never);
    expect((await staying).flat()).toHaveLength(24);
    await running[0]?.next();
    const again = engine.generate(PROMPT, { ...GREEDY, maxNewTokens: 60 }, never);
    await again.next();
    const unloaded = { code: 'engine-failed', message: 'The model was unloaded.' };
    const waiting = expect(stepsOf(engine, PROMPT)).rejects.toMatchObject(unloaded);
    await engine.dispose();
    await waiting;
  });

  it('tells how much of a prompt is read', async () => {
    const engine = await create({ ...NO_EOS, prefillChunkTokens: 4 });
    const read: number[] = [];
    const steps = await stepsOf(engine, PROMPT, { maxNewTokens: 2, onPromptRead: (tokens) => void read.push(tokens) });
    expect(read).toEqual([4, 8]);
    expect(steps.map(({ length }) => length)).toEqual([0, 0, 1, 1]);
    // Held from before.
    expect(await stepsOf(engine, PROMPT, { maxNewTokens: 2, onPromptRead: () => expect.unreachable() })).toEqual(
      steps.slice(2),
    );
    await engine.dispose();
  });

  it('says what is wrong with a file that is not there, and with a build that is not', async () => {
    const { path } = gguf;
    await expect(
      createLlamaCppEngine({ path: `${path}.none`, config: CONTRACT_CONFIG, device: 'cpu' }),
    ).rejects.toMatchObject({ code: 'engine-failed', message: expect.stringContaining('ENOENT') as string });
    await expect(createLlamaCppEngine({ path, config: CONTRACT_CONFIG, device: 'metal' })).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringMatching(/no build for metal that works here/) as string,
    });
  });
});

it('says which command installs node-llama-cpp where it is missing', async () => {
  const missing = Object.assign(new Error("Cannot find package 'node-llama-cpp' imported from here"), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
  await expect(loadLlamaCppPackage(() => Promise.reject(missing))).rejects.toMatchObject({
    code: 'engine-failed',
    message: expect.stringMatching(/not installed\. Run: npm install node-llama-cpp@3$/) as string,
  });
  await expect(loadLlamaCppPackage(async () => ({ getLlama: () => {} }))).rejects.toThrow('too old');
});
