import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAll } from '../convert/byte-source.ts';
import { openClassifierCheckpoint } from '../convert/checkpoint/open-classifier.ts';
import { parseClassifierConfig } from '../convert/classifier/classifier-config.ts';
import { convertClassifier } from '../convert/classifier/convert-classifier.ts';
import { CLASSIFIER_CASES, classifierCheckpointFolder } from '../convert/classifier/small-classifier.fixture.ts';
import { MemoryFolder } from '../convert/small-llama.fixture.ts';
import { openNodeFolder } from '../weights/node-folder.ts';
import { Classifier } from './classifier.ts';
import { loadClassifier, type StartClassifierSession } from './load-classifier.ts';
import { startNodeSession } from './node-classifier.ts';

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'metaaligner-classifier-'))));
afterAll(() => rm(root, { recursive: true }));

async function writeAll(folder: MemoryFolder, directory: string): Promise<void> {
  for (const [path, bytes] of folder.files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
}

/** As a page would: the files in memory, onnxruntime-web's wasm. */
const startWasmSession: StartClassifierSession = async ([graph, ...data]) => {
  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = 1;
  const externalData = await Promise.all(
    data.map(async ({ path, source }) => ({ path: path.replace('onnx/', ''), data: await readAll(source) })),
  );
  const session = await ort.InferenceSession.create(await readAll(graph!.source), { externalData });
  return { session, Tensor: ort.Tensor };
};

function largestDifference(actual: readonly Float32Array[], expected: readonly (readonly number[])[]): number {
  return Math.max(...expected.flatMap((row, i) => row.map((value, j) => Math.abs(value - (actual[i]?.[j] ?? NaN)))));
}

describe.each(CLASSIFIER_CASES)('$name', (classifierCase) => {
  const { rows } = classifierCase;
  const expected = rows.map(({ logits }) => logits);
  const [classifiers, opened]: [Record<string, Classifier>, Classifier[]] = [{}, []];
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(root, 'case-'));
    const converted = new MemoryFolder();
    const checkpoint = await openClassifierCheckpoint(classifierCheckpointFolder(classifierCase));
    await convertClassifier(checkpoint, converted, { variants: ['fp32', 'q8'], source: 'random' });
    await writeAll(converted, directory);
    const folder = await openNodeFolder(directory);
    for (const variant of ['fp32', 'q8'] as const) {
      classifiers[variant] = await loadClassifier(folder, variant, startNodeSession({ directory, threads: 1 }));
      opened.push(classifiers[variant]);
    }
  }, 60_000);
  afterAll(async () => {
    for (const classifier of opened) await classifier.dispose();
  });

  it('tokenizes texts and pairs as transformers does', () => {
    const classifier = classifiers.fp32!;
    for (const { texts, ids, typeIds } of rows) {
      const encoded = classifier.encode(...texts);
      expect(encoded.ids).toEqual(ids);
      if (classifierCase.config.model_type === 'bert') expect(encoded.typeIds).toEqual(typeIds);
    }
  });

  it('cuts a text off where transformers does', () => {
    const { tokenizer, tokenizerConfig } = classifierCase;
    const short = new Classifier({
      config: parseClassifierConfig(classifierCase.config, 'config.json'),
      session: { run: () => Promise.reject(new Error('not run')), release: async () => {} },
      Tensor,
      tokenizerJson: tokenizer,
      tokenizerConfigJson: { ...tokenizerConfig, model_max_length: 12 },
    });
    expect(short.encodeStart(rows[1]!.texts[0]).ids).toEqual(classifierCase.cutTo12);
    expect(short.encodeStart('A').ids).toEqual(rows[2]!.ids);
  });

  it('gives transformers’ logits, one by one and in padded batches', async () => {
    const classifier = classifiers.fp32!;
    const inputs = rows.map(({ texts }) => classifier.encode(...texts));
    const together = await classifier.classify(inputs);
    expect(largestDifference(together, expected)).toBeLessThan(1e-4);
    const alone: Float32Array[] = [];
    for (const input of inputs) alone.push(...(await classifier.classify([input])));
    expect(largestDifference(alone, expected)).toBeLessThan(1e-4);
  });

  it('stays near them in 8 bits', async () => {
    const classifier = classifiers.q8!;
    const actual = await classifier.classify(rows.map(({ texts }) => classifier.encode(...texts)));
    expect(largestDifference(actual, expected)).toBeLessThan(0.1);
  });

  it.each(['fp32', 'q8'] as const)('gives the same logits in onnxruntime-web, %s', async (variant) => {
    const web = await loadClassifier(await openNodeFolder(directory), variant, startWasmSession);
    const inputs = rows.map(({ texts }) => web.encode(...texts));
    const node = await classifiers[variant]!.classify(inputs);
    const actual = await web.classify(inputs);
    await web.dispose();
    expect(
      largestDifference(
        actual,
        node.map((row) => [...row]),
      ),
    ).toBeLessThan(variant === 'fp32' ? 1e-4 : 0.02);
  });

  it('refuses what has more tokens than positions, and what has none', async () => {
    const classifier = classifiers.fp32!;
    const long = { ids: Array<number>(300).fill(5), typeIds: Array<number>(300).fill(0) };
    await expect(classifier.classify([long])).rejects.toMatchObject({ code: 'prompt-too-long' });
    await expect(classifier.classify([{ ids: [], typeIds: [] }])).rejects.toMatchObject({ code: 'invalid-request' });
  });
});
