import { beforeEach, describe, expect, it } from 'vitest';
import { AlignError } from '../align/errors.ts';
import { GREEDY } from '../align/request.ts';
import { convertedSmallLlama, type MemoryFolder, SMALL_LLAMA } from '../convert/small-llama.fixture.ts';
import { NODE_SUPPORT } from './choose-variant.ts';
import { type EngineStart, loadModel, type LoadModelOptions } from './load-model.ts';
import { createScriptedEngine, type ScriptedDecoder } from './scripted-engine.ts';
import { startWebEngine } from './start-web-engine.ts';

let folder: MemoryFolder;
let starts: EngineStart[];
let decoders: ScriptedDecoder[];
beforeEach(async () => {
  folder = await convertedSmallLlama(['fp32', 'q8']);
  starts = [];
  decoders = [];
});

const load = (change: Partial<LoadModelOptions> = {}) =>
  loadModel(folder, {
    support: NODE_SUPPORT,
    wish: { device: 'auto', variant: 'auto' },
    startEngine: async (start) => {
      starts.push(start);
      const { engine, decoder } = createScriptedEngine(() => 2, { config: start.config });
      decoders.push(decoder);
      return engine;
    },
    ...change,
  });

const text = (path: string) => new TextDecoder().decode(folder.files.get(path));
const write = (path: string, content: string) => folder.files.set(path, new TextEncoder().encode(content));
/** Changes a sidecar and, as a converter would, the size in the manifest. */
function rewrite(path: string, content: string) {
  write(path, content);
  const manifest = JSON.parse(text('metaaligner.json')) as { sidecars: { path: string; sizeBytes: number }[] };
  manifest.sidecars.find((file) => file.path === path)!.sizeBytes = folder.files.get(path)!.length;
  write('metaaligner.json', JSON.stringify(manifest));
}

describe('loadModel', () => {
  it('gives tokenizer, engine, and the checkpoint’s sampling', async () => {
    rewrite('generation_config.json', JSON.stringify({ do_sample: true, temperature: 0.6, top_p: 0.9 }));
    const { model, choice, manifest, sizeBytes } = await load();
    expect([...model.tokenizer.encode('ab')]).toEqual([1, 100, 101]);
    expect(model.engine.contextLength).toBe(SMALL_LLAMA.contextLength);
    expect(model.checkpointSampling).toEqual({ ...GREEDY, temperature: 0.6, topP: 0.9, topK: 50 });
    expect(choice).toMatchObject({ device: 'cpu', variant: 'q8' });
    expect(manifest.name).toBe('Small random Llama');
    expect(sizeBytes).toBe(
      folder.files.get('onnx/model_quantized.onnx')!.length +
        folder.files.get('onnx/model_quantized.onnx_data')!.length,
    );
  });

  it('starts the engine on the chosen variant’s files, the graph first', async () => {
    const choices: string[] = [];
    await load({ wish: { device: 'auto', variant: 'fp32' }, onChoice: ({ variant }) => choices.push(variant) });
    expect(choices).toEqual(['fp32']);
    expect(starts.map(({ files }) => files.map(({ path }) => path))).toEqual([
      ['onnx/model.onnx', 'onnx/model.onnx_data'],
    ]);
  });

  it('takes the next smaller variant where memory runs out, and says so', async () => {
    folder = await convertedSmallLlama(['fp32', 'q8', 'q4']);
    const sizes = JSON.parse(text('metaaligner.json')) as { variants: Record<string, { sizeBytes: number }[]> };
    const sizeOf = (variant: string) => sizes.variants[variant]!.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const smallest = ['fp32', 'q8', 'q4'].sort((one, other) => sizeOf(one) - sizeOf(other))[0]!;
    const tried: string[] = [];
    const reasons: string[] = [];
    const startEngine: LoadModelOptions['startEngine'] = async ({ choice, config }) => {
      tried.push(choice.variant);
      if (choice.variant !== smallest) throw new AlignError('out-of-memory', 'Memory ran out.');
      return createScriptedEngine(() => 2, { config }).engine;
    };
    // The fastest on wasm is not the smallest.
    const support = { ...NODE_SUPPORT, devices: ['wasm'] as const };
    const { choice } = await load({ support, startEngine, onChoice: ({ reason }) => reasons.push(reason) });
    expect(tried[0]).toBe('q8');
    expect(tried.length).toBeGreaterThan(1);
    expect(choice.variant).toBe(smallest);
    expect(reasons.at(-1)).toMatch(/^\w+ did not fit into memory on wasm\. Wasm runs /);

    const refused = load({ support, startEngine, wish: { device: 'auto', variant: 'q8' } });
    await expect(refused).rejects.toMatchObject({ code: 'out-of-memory' });
    const none = load({ support, startEngine: () => Promise.reject(new AlignError('out-of-memory', 'None.')) });
    await expect(none).rejects.toMatchObject({ code: 'out-of-memory', message: 'None.' });
  });

  it.each<[string, () => void, string, RegExp]>([
    ['no manifest', () => folder.files.delete('metaaligner.json'), 'weights-missing', /metaaligner\.json/],
    [
      'a manifest cut off',
      () => write('metaaligner.json', text('metaaligner.json').slice(0, 90)),
      'weights-corrupt',
      /not JSON/,
    ],
    [
      'a manifest of a later format',
      () => write('metaaligner.json', text('metaaligner.json').replace('"formatVersion": 1', '"formatVersion": 2')),
      'unsupported-model',
      /version 2/,
    ],
    [
      'a manifest without end',
      () => write('metaaligner.json', ' '.repeat(2 << 20)),
      'weights-corrupt',
      /2,097,152 bytes/,
    ],
    ['no weights', () => folder.files.delete('onnx/model_quantized.onnx_data'), 'weights-missing', /onnx_data/],
    [
      'weights cut off',
      () => folder.files.set('onnx/model_quantized.onnx_data', new Uint8Array(1000)),
      'weights-corrupt',
      /onnx_data is 1,000 bytes long; metaaligner\.json says [\d,]+/,
    ],
    ['no tokenizer', () => folder.files.delete('tokenizer.json'), 'weights-missing', /tokenizer\.json/],
    [
      'a tokenizer of another size',
      () => write('tokenizer.json', '{}'),
      'weights-corrupt',
      /tokenizer\.json is 2 bytes/,
    ],
    [
      'a tokenizer that is not JSON',
      () => rewrite('tokenizer.json', '{"model":'),
      'weights-corrupt',
      /tokenizer\.json is not JSON/,
    ],
    ['a tokenizer without a model', () => rewrite('tokenizer.json', '{}'), 'weights-corrupt', /tokenizer\.json: model/],
    [
      'sampling settings out of range',
      () => rewrite('generation_config.json', '{"do_sample":true,"top_p":7}'),
      'weights-corrupt',
      /generation_config\.json is damaged: topP is 7/,
    ],
  ])('refuses a folder with %s, before the engine starts', async (_case, damage, code, message) => {
    damage();
    await expect(load()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(starts).toEqual([]);
  });

  it('throws the signal’s reason, and disposes of an engine that started meanwhile', async () => {
    const reason = new DOMException('Another load has overtaken this one.', 'AbortError');
    await expect(load({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(starts).toEqual([]);

    const controller = new AbortController();
    const { engine, decoder } = createScriptedEngine(() => 2, { config: SMALL_LLAMA });
    const startEngine = async () => {
      controller.abort(reason);
      return engine;
    };
    await expect(load({ startEngine, signal: controller.signal })).rejects.toBe(reason);
    expect(decoder.disposeCount).toBe(1);

    const failing = new AbortController();
    const startFailing = async () => {
      failing.abort(reason);
      throw new Error('what an aborted start happens to throw');
    };
    await expect(load({ startEngine: startFailing, signal: failing.signal })).rejects.toBe(reason);
  });
});

describe('startWebEngine', { timeout: 60_000 }, () => {
  const page = { ...NODE_SUPPORT, devices: ['wasm'] as const };

  it('reads the files with progress, then starts, and the model writes', async () => {
    const progress: string[] = [];
    const { model, sizeBytes } = await load({
      support: page,
      startEngine: startWebEngine({ threads: 1 }),
      onProgress: ({ phase, file, loadedBytes, totalBytes }) =>
        progress.push(`${phase} ${file} ${loadedBytes}/${totalBytes}`),
    });
    const graphBytes = folder.files.get('onnx/model_quantized.onnx')!.length;
    expect(progress).toEqual([
      `reading onnx/model_quantized.onnx 0/${sizeBytes}`,
      `reading onnx/model_quantized.onnx ${graphBytes}/${sizeBytes}`,
      `reading onnx/model_quantized.onnx_data ${graphBytes}/${sizeBytes}`,
      `reading onnx/model_quantized.onnx_data ${sizeBytes}/${sizeBytes}`,
      `starting model_quantized.onnx ${sizeBytes}/${sizeBytes}`,
    ]);
    const never = new AbortController().signal;
    const steps = model.engine.generate(model.tokenizer.encode('Hello'), { ...GREEDY, maxNewTokens: 3 }, never);
    expect((await steps.next()).value).toHaveLength(1);
    await model.engine.dispose();
  });

  it('stops reading when the signal aborts', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const run = load({
      support: page,
      startEngine: startWebEngine({ threads: 1 }),
      onProgress: () => controller.abort(reason),
      signal: controller.signal,
    });
    await expect(run).rejects.toBe(reason);
  });

  it('says engine-failed with ORT’s words where the graph is noise', async () => {
    folder.files.get('onnx/model_quantized.onnx')!.fill(7);
    const run = load({ support: page, startEngine: startWebEngine({ threads: 1 }) });
    await expect(run).rejects.toMatchObject({ code: 'engine-failed', details: { device: 'wasm' } });
  });

  it.each([
    ['q8', 'model_quantized.onnx', 'layer.1.gate.data', /^The weight layer\.1\.gate\.data is missing in the graph/],
    ['fp32', 'model.onnx', 'num_logits_to_keep', /NUM_LOGITS_TO_KEEP/],
  ] as const)('says weights-corrupt where the graph is another’s, %s', async (variant, name, part, message) => {
    const { files } = await convertedSmallLlama([variant]);
    const graph = new TextDecoder('latin1').decode(files.get(`onnx/${name}`));
    const renamed = graph.replaceAll(part, part.toUpperCase());
    files.set(
      `onnx/${name}`,
      Uint8Array.from(renamed, (c) => c.charCodeAt(0)),
    );
    folder.files.clear();
    for (const file of files) folder.files.set(...file);
    const run = load({ support: page, startEngine: startWebEngine({ threads: 1 }) });
    await expect(run).rejects.toMatchObject({
      code: 'weights-corrupt',
      message: expect.stringMatching(message) as string,
    });
  });
});
