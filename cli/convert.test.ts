import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fromBase64, readFixture } from '../src/convert/checkpoint/checkpoint.fixture.ts';
import { readClassifierManifest } from '../src/convert/classifier/classifier-manifest.ts';
import { CLASSIFIER_CASES, classifierCheckpointFolder } from '../src/convert/classifier/small-classifier.fixture.ts';
import { planWeights } from '../src/convert/onnx/llama-plan.ts';
import { parseManifest } from '../src/convert/parse-manifest.ts';
import { BYTE_TOKENIZER, SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import { runCli, startCli } from './run-cli.fixture.ts';

// Each test starts Node anew.
vi.setConfig({ testTimeout: 30_000 });

let directory: string;
let from: string;
let to: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-convert-'));
  from = join(directory, 'MetaAligner-IMHI-tiny');
  to = join(directory, 'out', 'model');
  await writeCheckpoint('safetensors.json', from);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function writeCheckpoint(fixture: string, folder: string) {
  await mkdir(folder);
  for (const [path, text] of Object.entries(readFixture(fixture).files)) {
    await writeFile(join(folder, path), fromBase64(text));
  }
  await writeTokenizer(folder);
}

async function writeTokenizer(folder: string) {
  await writeFile(join(folder, 'tokenizer.json'), BYTE_TOKENIZER.tokenizerJson);
  await writeFile(join(folder, 'tokenizer_config.json'), BYTE_TOKENIZER.tokenizerConfigJson);
}

async function readManifest() {
  return parseManifest(await readFile(join(to, 'metaaligner.json'), 'utf8'), to);
}

async function allFiles(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

describe('metaaligner convert', () => {
  it('writes a folder whose manifest tells the truth, and the family that the name tells', async () => {
    const { code, stdout, stderr } = await runCli(['convert', '--from', from, '--to', to, '--variant', 'q8,fp32']);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('100 % converting');
    const manifest = await readManifest();
    expect(manifest).toMatchObject({ name: 'MetaAligner-IMHI-tiny', source: 'MetaAligner-IMHI-tiny', family: 'imhi' });
    expect(Object.keys(manifest.variants).sort()).toEqual(['fp32', 'q8']);
    for (const { path, sizeBytes } of [...manifest.sidecars, ...Object.values(manifest.variants).flat()]) {
      expect((await readFile(join(to, path))).length, path).toBe(sizeBytes);
    }
    const listed = [...manifest.sidecars, ...Object.values(manifest.variants).flat()].map(({ path }) => path);
    expect(await allFiles(to)).toEqual([...listed, 'metaaligner.json', 'onnx'].sort());
  });

  it('takes name and family from the command line', async () => {
    await runCli(['convert', '--from', from, '--to', to, '--variant', 'q8', '--name', 'Mine', '--family', 'hh-rlhf']);
    expect(await readManifest()).toMatchObject({ name: 'Mine', family: 'hh-rlhf' });
  });

  it('adds variants to the same model, and replaces none', async () => {
    await runCli(['convert', '--from', from, '--to', to, '--variant', 'q8', '--name', 'Mine']);
    const before = await readFile(join(to, 'onnx', 'model_quantized.onnx_data'));
    const again = await runCli(['convert', '--from', from, '--to', to, '--variant', 'q8,q4']);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('Leave out q8');
    expect((await runCli(['convert', '--from', from, '--to', to, '--variant', 'q4'])).code).toBe(0);
    const manifest = await readManifest();
    expect(manifest.name).toBe('Mine');
    expect(Object.keys(manifest.variants).sort()).toEqual(['q4', 'q8']);
    expect(await readFile(join(to, 'onnx', 'model_quantized.onnx_data'))).toEqual(before);
    const config = JSON.parse(await readFile(join(to, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(config['transformers.js_config']).toMatchObject({
      use_external_data_format: { 'model_quantized.onnx': 1, 'model_q4.onnx': 1 },
    });
  });

  it('does not write into the folder of another model', async () => {
    await runCli(['convert', '--from', from, '--to', to, '--variant', 'q8']);
    const other = join(directory, 'other');
    await cp(from, other, { recursive: true });
    const { code, stderr } = await runCli(['convert', '--from', other, '--to', to, '--variant', 'q4']);
    expect(code).toBe(2);
    expect(stderr).toContain('made from MetaAligner-IMHI-tiny');
  });

  it('reads a single GGUF file', async () => {
    const { files } = readFixture('gguf.json');
    const path = join(directory, 'tiny.gguf');
    await writeFile(path, fromBase64(Object.values(files)[0] ?? ''));
    const { code, stderr } = await runCli(['convert', '--from', path, '--to', to, '--variant', 'q8']);
    // The fixture has no tokenizer: what matters here is that the file was read as one.
    expect(code === 0 ? 'tokenizer' : stderr).toContain('tokenizer');
  });

  it.each([
    ['a folder that is not there', ['--from', 'nowhere'], 1, 'nowhere'],
    ['an unknown variant', ['--variant', 'q3'], 2, 'fp32, fp16, q8, q4, q4f16'],
    ['an unknown family', ['--family', 'llama'], 2, 'hh-rlhf'],
  ])('refuses %s', async (_name, args, expectedCode, expected) => {
    const { code, stderr } = await runCli(['convert', '--from', from, '--to', to, ...args]);
    expect(code).toBe(expectedCode);
    expect(stderr).toContain(expected);
    expect(await allFiles(directory)).not.toContain('out');
  });

  it('refuses a file that is no GGUF by its name', async () => {
    const { code, stderr } = await runCli(['convert', '--from', join(from, 'model.safetensors'), '--to', to]);
    expect(code).toBe(2);
    expect(stderr).toContain('name the checkpoint’s folder');
  });

  it('leaves nothing of a checkpoint that is damaged half way', async () => {
    const path = join(from, 'model.safetensors');
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length - 100));
    const { code, stderr } = await runCli(['convert', '--from', from, '--to', to, '--variant', 'q8']);
    expect(code).toBe(1);
    expect(stderr).toContain('Download the checkpoint again');
    expect(await allFiles(directory)).not.toContain('out');
  });

  it('takes back what it wrote when it is interrupted', async () => {
    const large = await writeLargeCheckpoint();
    const running = startCli(['convert', '--from', large, '--to', to, '--variant', 'q8']);
    await vi.waitUntil(() => running.stderr().includes('% converting'), { timeout: 20_000 });
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('Interrupted');
    expect(await allFiles(directory)).not.toContain('out');
  });
});

/** Half a gigabyte of zeros that takes no room on disk: converting it is not over before a signal arrives. */
async function writeLargeCheckpoint(): Promise<string> {
  const folder = join(directory, 'large');
  await mkdir(folder);
  const config = { ...SMALL_LLAMA, vocabularySize: 60_000, hiddenSize: 2048, headCount: 128, kvHeadCount: 128 };
  let offset = 0;
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = {};
  for (const weight of planWeights(config)) {
    for (const name of weight.sources) {
      const rows = weight.sources.length > 1 ? weight.rows / weight.sources.length : weight.rows;
      const shape = weight.kind === 'norm' ? [weight.columns] : [rows, weight.columns];
      const end = offset + 2 * shape.reduce((product, size) => product * size, 1);
      header[name] = { dtype: 'BF16', shape, data_offsets: [offset, end] };
      offset = end;
    }
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = await open(join(folder, 'model.safetensors'), 'w');
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(text.length), true);
  await file.write(new Uint8Array(length.buffer));
  await file.write(text);
  await file.truncate(8 + text.length + offset);
  await file.close();
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: config.vocabularySize,
      hidden_size: config.hiddenSize,
      intermediate_size: config.intermediateSize,
      num_hidden_layers: config.layerCount,
      num_attention_heads: config.headCount,
      num_key_value_heads: config.kvHeadCount,
      head_dim: config.headDim,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      max_position_embeddings: 64,
      tie_word_embeddings: false,
      bos_token_id: 1,
      eos_token_id: 2,
    }),
  );
  await writeTokenizer(folder);
  return folder;
}

describe('metaaligner convert of a sequence classifier', () => {
  const classifier = () => join(directory, 'classifier');
  beforeEach(async () => {
    await mkdir(classifier());
    const { files } = classifierCheckpointFolder(CLASSIFIER_CASES[0]!);
    for (const [path, bytes] of files) await writeFile(join(classifier(), path), bytes);
  });

  it('writes a folder of its own kind, once', async () => {
    const args = ['convert', '--from', classifier(), '--to', to];
    const { code, stderr } = await runCli([...args, '--variant', 'fp32,q8']);
    expect(code, stderr).toBe(0);
    const manifest = await readClassifierManifest(await openNodeFolder(to));
    expect(Object.keys(manifest.variants)).toEqual(['fp32', 'q8']);
    expect(await runCli(args)).toMatchObject({ code: 2 });
  });

  it('refuses what only a model that writes has', async () => {
    for (const more of [
      ['--variant', 'q4f16'],
      ['--family', 'imhi'],
    ]) {
      const { code, stderr } = await runCli(['convert', '--from', classifier(), '--to', to, ...more]);
      expect(code).toBe(2);
      expect(stderr).toContain('is a sequence classifier');
    }
  });
});
