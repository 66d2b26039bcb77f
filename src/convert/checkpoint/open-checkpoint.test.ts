import { describe, expect, it } from 'vitest';
import {
  failureOf,
  fromBase64,
  MemoryFolder,
  MemorySource,
  readFixture,
  rowCount,
  sha256OfRows,
} from './checkpoint.fixture.ts';
import type { Checkpoint } from './checkpoint.ts';
import { BLOCK_FORMATS } from './dequantize.ts';
import { openCheckpoint, openGgufFile } from './open-checkpoint.ts';

const FORMATS = {
  'safetensors.json': 'safetensors',
  'safetensors-sharded.json': 'safetensors',
  'torch.json': 'torch',
  'torch-sharded.json': 'torch',
  'gguf.json': 'gguf',
  'gguf-tied.json': 'gguf',
} as const;

const CONFIG = {
  vocabularySize: 40,
  hiddenSize: 32,
  intermediateSize: 32,
  layerCount: 2,
  headCount: 2,
  kvHeadCount: 1,
  headDim: 16,
  ropeTheta: 20000,
  contextLength: 128,
  bosTokenId: 1,
};

describe.each(Object.entries(FORMATS))('openCheckpoint on %s', (name, format) => {
  const fixture = readFixture(name);
  const open = (changes?: Record<string, Uint8Array | undefined>) => openCheckpoint(MemoryFolder.of(fixture, changes));

  it('gives the tensors that transformers loads, bit for bit', async () => {
    const checkpoint = await open();
    expect(checkpoint.format).toBe(format);
    const actual: typeof fixture.tensors = {};
    for (const [key, tensor] of checkpoint.tensors) {
      expect(tensor.name).toBe(key);
      actual[key] = { storedType: tensor.storedType, shape: [...tensor.shape], sha256: await sha256OfRows(tensor) };
    }
    expect(actual).toEqual(fixture.tensors);
  });

  it('reads any run of rows as the whole has them, values and bytes', async () => {
    for (const tensor of (await open()).tensors.values()) {
      const rows = rowCount(tensor);
      const columns = tensor.shape.at(-1)!;
      const { elements, bytes } = BLOCK_FORMATS[tensor.storedType];
      const bytesPerRow = (columns / elements) * bytes;
      const all = await tensor.readRows(0, rows);
      const allRaw = await tensor.readRawRows(0, rows);
      expect(all.length).toBe(rows * columns);
      expect(allRaw.length).toBe(rows * bytesPerRow);
      for (const [first, count] of [
        [0, 0],
        [0, 1],
        [rows - 1, 1],
        [Math.floor(rows / 3), Math.ceil(rows / 2)],
      ] as const) {
        expect(await tensor.readRows(first, count)).toEqual(all.slice(first * columns, (first + count) * columns));
        expect(await tensor.readRawRows(first, count)).toEqual(
          allRaw.slice(first * bytesPerRow, (first + count) * bytesPerRow),
        );
      }
      await expect(tensor.readRows(rows, 1)).rejects.toThrow('This is a bug');
    }
  });

  it('reads the configuration', async () => {
    const { config } = await open();
    expect(config).toMatchObject({ ...CONFIG, isEmbeddingTied: name === 'gguf-tied.json' });
    expect(config.rmsNormEpsilon).toBeCloseTo(1e-5, 10);
    expect(config.eosTokenIds).toEqual(format === 'gguf' ? [2] : [2, 5]);
  });

  it('counts the bytes of the tensors', async () => {
    const { sizeBytes, tensors } = await open();
    let expected = 0;
    for (const tensor of tensors.values()) expected += (await tensor.readRawRows(0, rowCount(tensor))).length;
    expect(sizeBytes).toBe(expected);
  });

  it('reads no tensor data on opening', async () => {
    const folder = MemoryFolder.of(fixture);
    await openCheckpoint(folder);
    for (const [path, { reads, sizeBytes }] of folder.sources) {
      const lengths = reads.map(({ length }) => length);
      if (path.endsWith('.safetensors')) expect(lengths).toEqual([8, headerLength(fixture.files[path]!)]);
      if (path.endsWith('.bin')) {
        // The zip directory is looked for in the last 64 kB, which is all of a file as small as this.
        const others = reads.filter(({ offset, length }) => offset + length < sizeBytes);
        expect(Math.max(...others.map(({ length }) => length))).toBeLessThan(4096);
      }
    }
  });

  it('has the tokenizer and generation files', async () => {
    const { sidecars } = await open();
    expect([...sidecars.keys()].sort()).toEqual(['generation_config.json', 'tokenizer.json', 'tokenizer_config.json']);
    for (const text of sidecars.values()) expect(JSON.parse(text)).toBeTypeOf('object');
    if (format !== 'gguf') {
      expect(sidecars.get('tokenizer.json')).toBe(Buffer.from(fixture.files['tokenizer.json']!, 'base64').toString());
    }
  });

  it('refuses every cut of a weights file with its name', async () => {
    for (const path of Object.keys(fixture.files).filter((file) => /\.(safetensors|bin|gguf)$/.test(file))) {
      const whole = fromBase64(fixture.files[path]!);
      for (const fraction of [0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999]) {
        const error = await failureOf(open({ [path]: whole.slice(0, Math.floor(whole.length * fraction)) }));
        expect(error.code).toBe('checkpoint-corrupt');
        expect(error.message).toContain(path);
      }
    }
  });
});

describe('openCheckpoint', () => {
  const fixture = readFixture('safetensors.json');
  const configText = Buffer.from(fixture.files['config.json']!, 'base64').toString();
  const withConfig = (changes: object, others: Record<string, Uint8Array | undefined> = {}) =>
    openCheckpoint(
      MemoryFolder.of(fixture, {
        'config.json': json({ ...(JSON.parse(configText) as object), ...changes }),
        ...others,
      }),
    );

  it('says what it looked for in a folder without weights', async () => {
    const error = await failureOf(openCheckpoint(MemoryFolder.of(fixture, { 'model.safetensors': undefined })));
    expect(error.code).toBe('weights-missing');
    for (const name of ['model.safetensors', 'pytorch_model.bin.index.json', '*.gguf']) {
      expect(error.message).toContain(name);
    }
  });

  it('prefers safetensors to GGUF to torch', async () => {
    const gguf = fromBase64(Object.values(readFixture('gguf.json').files)[0]!);
    const torch = fromBase64(readFixture('torch.json').files['pytorch_model.bin']!);
    const all = { 'pytorch_model.bin': torch, 'model.gguf': gguf };
    const format = async (files: Record<string, Uint8Array | undefined>) =>
      (await openCheckpoint(MemoryFolder.of(fixture, files))).format;
    expect(await format(all)).toBe('safetensors');
    expect(await format({ ...all, 'model.safetensors': undefined })).toBe('gguf');
    expect(await format({ ...all, 'model.safetensors': undefined, 'model.gguf': undefined })).toBe('torch');
  });

  it.each([
    ['config.json', 'config.json'],
    ['tokenizer.json', 'tokenizer.json'],
    ['tokenizer_config.json', 'tokenizer_config.json'],
  ])('asks for %s', async (path, named) => {
    const error = await failureOf(openCheckpoint(MemoryFolder.of(fixture, { [path]: undefined })));
    expect(error.code).toBe('weights-missing');
    expect(error.message).toContain(named);
  });

  it('takes a chat template that is a file of its own into tokenizer_config.json, unless that has one', async () => {
    const template = new TextEncoder().encode('{{ messages }}');
    const configOf = async (changes: Record<string, Uint8Array>) => {
      const { sidecars } = await openCheckpoint(MemoryFolder.of(fixture, changes));
      return JSON.parse(sidecars.get('tokenizer_config.json')!) as Record<string, unknown>;
    };
    const plain = await configOf({});
    expect(await configOf({ 'chat_template.jinja': template })).toEqual({ ...plain, chat_template: '{{ messages }}' });
    const own = new TextEncoder().encode(JSON.stringify({ ...plain, chat_template: 'own' }));
    const both = await configOf({ 'chat_template.jinja': template, 'tokenizer_config.json': own });
    expect(both.chat_template).toBe('own');
  });

  it('makes generation_config.json where there is none', async () => {
    const { sidecars, config } = await openCheckpoint(
      MemoryFolder.of(fixture, { 'generation_config.json': undefined }),
    );
    expect(config.eosTokenIds).toEqual([2]);
    expect(JSON.parse(sidecars.get('generation_config.json')!)).toEqual({ bos_token_id: 1, eos_token_id: 2 });
  });

  it('names the tensor and both shapes where the configuration asks for another', async () => {
    const error = await failureOf(withConfig({ intermediate_size: 48 }));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toMatch(/model\.safetensors: .*layers\.0\.mlp\.gate_proj\.weight .*\[32, 32\].*\[48, 32\]/);
  });

  it('names the first tensor that is missing, however many layers the configuration claims', async () => {
    const error = await failureOf(withConfig({ num_hidden_layers: 50_000_000 }));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain('model.layers.2.input_layernorm.weight is missing');
  });

  it('refuses tensors that a plain decoder has no place for', async () => {
    const error = await failureOf(withConfig({ num_hidden_layers: 1 }));
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toContain('model.layers.1.');
  });

  it('leaves the copy of a tied embedding out', async () => {
    const { tensors, config } = await withConfig({ tie_word_embeddings: true });
    expect(config.isEmbeddingTied).toBe(true);
    expect(tensors.has('lm_head.weight')).toBe(false);
  });

  it('refuses a text file that is absurdly long before it reads it', async () => {
    const folder = MemoryFolder.of(fixture, { 'config.json': new Uint8Array(3 << 20) });
    expect((await failureOf(openCheckpoint(folder))).message).toContain('config.json: 3145728 bytes');
    expect(folder.sources.get('config.json')!.reads).toEqual([]);
  });
});

describe('a sharded checkpoint', () => {
  const fixture = readFixture('safetensors-sharded.json');
  const index = JSON.parse(Buffer.from(fixture.files['model.safetensors.index.json']!, 'base64').toString()) as {
    weight_map: Record<string, string>;
  };
  const [shardA = '', shardB = ''] = [...new Set(Object.values(index.weight_map))];
  const shared = Object.values(index.weight_map).find((shard, i, all) => all.indexOf(shard) !== i)!;
  const withMap = (weight_map: unknown) =>
    failureOf(openCheckpoint(MemoryFolder.of(fixture, { 'model.safetensors.index.json': json({ weight_map }) })));

  it('names a shard that is not there', async () => {
    const error = await failureOf(openCheckpoint(MemoryFolder.of(fixture, { [shardB]: undefined })));
    expect(error.code).toBe('weights-missing');
    expect(error.message).toContain(shardB);
  });

  it('opens nothing outside the folder', async () => {
    const error = await withMap({ ...index.weight_map, 'lm_head.weight': '../secrets.safetensors' });
    expect(error.code).toBe('weights-missing');
  });

  it('names a tensor that is not in the shard that the index says', async () => {
    // One of several in its shard, so that the index still names both shards.
    const [tensor = ''] = Object.keys(index.weight_map)
      .filter((name) => index.weight_map[name] === shared)
      .slice(-1);
    const error = await withMap({ ...index.weight_map, [tensor]: shared === shardA ? shardB : shardA });
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain(`${tensor}” should be in`);
  });

  it('refuses a tensor in two shards', async () => {
    const copy = fromBase64(fixture.files[shardA]!);
    const error = await failureOf(
      openCheckpoint(
        MemoryFolder.of(fixture, {
          'copy.safetensors': copy,
          'model.safetensors.index.json': json({ weight_map: { ...index.weight_map, extra: 'copy.safetensors' } }),
        }),
      ),
    );
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain(`is also in ${shardA}`);
  });

  it.each([[[]], [null], [{ 'lm_head.weight': 3 }]])('refuses the map %j', async (map) => {
    expect((await withMap(map)).code).toBe('checkpoint-corrupt');
  });
});

describe('GGUF files', () => {
  const bytes = fromBase64(Object.values(readFixture('gguf.json').files)[0]!);

  it('open without a folder', async () => {
    const checkpoint: Checkpoint = await openGgufFile(new MemorySource('one.gguf', bytes));
    expect(checkpoint.tensors.size).toBe(21);
  });

  it('must be one model to be opened as a folder', async () => {
    for (const paths of [
      ['a.gguf', 'b.gguf'],
      ['a-00001-of-00002.gguf'],
      ['a-00001-of-00002.gguf', 'b-00002-of-00002.gguf'],
    ]) {
      const error = await failureOf(
        openCheckpoint(new MemoryFolder(Object.fromEntries(paths.map((path) => [path, bytes])))),
      );
      expect(error.code).toBe('invalid-request');
      expect(error.message).toContain(paths[0]);
    }
  });
});

function headerLength(base64: string): number {
  return Number(new DataView(fromBase64(base64).buffer).getBigUint64(0, true));
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
