import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertBart } from '../convert/bart/convert-bart.ts';
import { openBartCheckpoint } from '../convert/checkpoint/open-bart.ts';
import { MemoryFolder } from '../convert/small-llama.fixture.ts';
import { openNodeFolder } from '../weights/node-folder.ts';
import { BartScorer } from './bart-scorer.ts';
import { startNodeSession } from './node-classifier.ts';
import { BART_SCORE_REFERENCE, smallCheckpointFolder } from './small-scorers.fixture.ts';

const { sources, targets, cases } = BART_SCORE_REFERENCE;

let directory: string;
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'metaaligner-bart-'))));
afterAll(() => rm(directory, { recursive: true }));

describe.each(cases)('$name', (bartCase) => {
  it('gives transformers’ BARTScore', { timeout: 60_000 }, async () => {
    const checkpoint = await openBartCheckpoint(smallCheckpointFolder(bartCase));
    const converted = new MemoryFolder();
    const files = await convertBart(checkpoint, converted);
    for (const [path, bytes] of converted.files) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), bytes);
    }
    const folder = await openNodeFolder(directory);
    const opened = await Promise.all(files.map(async ({ path }) => ({ path, source: await folder.open(path) })));
    const scorer = new BartScorer({
      config: checkpoint.config,
      tokenizerJson: JSON.parse(checkpoint.tokenizer.tokenizerJson) as object,
      tokenizerConfigJson: JSON.parse(checkpoint.tokenizer.tokenizerConfigJson) as object,
      ...(await startNodeSession({ directory, threads: 1 })(opened)),
    });
    for (const [i, source] of sources.entries()) {
      expect(Math.abs((await scorer.score(source, targets[i]!)) - bartCase.scores[i]!), `pair ${i}`).toBeLessThan(1e-4);
    }
    await scorer.dispose();
  });

  it('takes the embedding under any of its names, and refuses what is not this model', async () => {
    const { 'model.shared.weight': _, ...shapes } = bartCase.shapes;
    await expect(openBartCheckpoint(smallCheckpointFolder({ ...bartCase, shapes }))).resolves.toBeDefined();
    const extra = { ...shapes, 'model.encoder.layers.0.adapter.weight': [2, 2] };
    await expect(openBartCheckpoint(smallCheckpointFolder({ ...bartCase, shapes: extra }))).rejects.toThrow('adapter');
    const { config } = bartCase;
    for (const odd of [{ model_type: 'mbart' }, { normalize_before: true }, { tie_word_embeddings: false }]) {
      const folder = smallCheckpointFolder({ ...bartCase, config: { ...config, ...odd } });
      await expect(openBartCheckpoint(folder)).rejects.toMatchObject({ code: 'unsupported-model' });
    }
  });
});
