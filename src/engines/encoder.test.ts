import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEncoderCheckpoint } from '../convert/checkpoint/open-encoder.ts';
import { MemoryFolder } from '../convert/small-llama.fixture.ts';
import { convertEncoder } from '../convert/encoder/convert-encoder.ts';
import { bertScore, equalWeights, idfWeights, type ScoredText } from '../evaluation/bert-score.ts';
import { openNodeFolder } from '../weights/node-folder.ts';
import { Encoder } from './encoder.ts';
import { startNodeSession } from './node-classifier.ts';
import { BERT_SCORE_REFERENCE, type EncoderCase, smallCheckpointFolder } from './small-scorers.fixture.ts';

const { texts, references, cases } = BERT_SCORE_REFERENCE;

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'metaaligner-encoder-'))));
afterAll(() => rm(root, { recursive: true }));

async function startEncoder(encoderCase: EncoderCase): Promise<Encoder> {
  const directory = await mkdtemp(join(root, 'case-'));
  const checkpoint = await openEncoderCheckpoint(smallCheckpointFolder(encoderCase), encoderCase.layer);
  const converted = new MemoryFolder();
  const files = await convertEncoder(checkpoint, converted);
  for (const [path, bytes] of converted.files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  const folder = await openNodeFolder(directory);
  const sources = await Promise.all(files.map(async ({ path }) => ({ path, source: await folder.open(path) })));
  const started = await startNodeSession({ directory, threads: 1 })(sources);
  const { tokenizerJson, tokenizerConfigJson } = checkpoint.tokenizer;
  return new Encoder({
    config: checkpoint.config,
    tokenizerJson: JSON.parse(tokenizerJson) as object,
    tokenizerConfigJson: JSON.parse(tokenizerConfigJson) as object,
    ...started,
  });
}

describe.each(cases)('$name', (encoderCase) => {
  let encoder: Encoder;
  const encoded: ScoredText[] = [];
  beforeAll(async () => {
    encoder = await startEncoder(encoderCase);
    const tokenized = [...texts, ...references].map((text) => encoder.tokenize(text));
    await encoder.encode(tokenized, (i, one) => (encoded[i] = one));
  }, 60_000);
  afterAll(() => encoder.dispose());

  it('tokenizes as bert_score does', () => {
    expect(texts.map((text) => encoder.tokenize(text).ids)).toEqual(encoderCase.ids);
  });

  it('gives bert_score’s precision, recall and F1, with and without idf', () => {
    const ids = encoder.tokenize('').ids;
    const idf = idfWeights(encoded.slice(texts.length).map((one) => one.ids));
    for (const [weights, wanted] of [
      [equalWeights(new Set(ids)), encoderCase.equal],
      [idf, encoderCase.idf],
    ] as const) {
      texts.forEach((_, i) => {
        const { precision, recall, f1 } = bertScore(encoded[i]!, encoded[texts.length + i]!, weights);
        [precision, recall, f1].forEach((value, k) => {
          expect(Math.abs(value - wanted[i]![k]!), `text ${i}, value ${k}`).toBeLessThan(2e-5);
        });
      });
    }
  });

  it('refuses a layer that it does not have, and a tensor that would change the states', async () => {
    const folder = smallCheckpointFolder(encoderCase);
    await expect(openEncoderCheckpoint(folder, 12)).rejects.toMatchObject({ code: 'unsupported-model' });
    const prefix = encoderCase.shapes['embeddings.LayerNorm.bias'] === undefined ? 'bert.' : '';
    const shapes = { ...encoderCase.shapes, [`${prefix}encoder.layer.0.adapter.weight`]: [2, 2] };
    const adapted = smallCheckpointFolder({ ...encoderCase, shapes });
    await expect(openEncoderCheckpoint(adapted, encoderCase.layer)).rejects.toThrow('adapter');
  });
});

it('refuses a model that is neither BERT nor RoBERTa', async () => {
  const folder = smallCheckpointFolder({ ...cases[0]!, config: { ...cases[0]!.config, model_type: 't5' } });
  await expect(openEncoderCheckpoint(folder, 1)).rejects.toMatchObject({ code: 'unsupported-model' });
});
