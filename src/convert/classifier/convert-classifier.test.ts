import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { openClassifierCheckpoint } from '../checkpoint/open-classifier.ts';
import { MemoryFolder } from '../small-llama.fixture.ts';
import { CLASSIFIER_MANIFEST_PATH, readClassifierManifest } from './classifier-manifest.ts';
import { convertClassifier } from './convert-classifier.ts';
import { CLASSIFIER_CASES, classifierCheckpointFolder } from './small-classifier.fixture.ts';

const [bert, distilBert, gpt2] = CLASSIFIER_CASES as [
  (typeof CLASSIFIER_CASES)[0],
  (typeof CLASSIFIER_CASES)[0],
  (typeof CLASSIFIER_CASES)[0],
];
const encoder = new TextEncoder();

function bertWith(change: object): MemoryFolder {
  const folder = classifierCheckpointFolder(bert);
  folder.files.set('config.json', encoder.encode(JSON.stringify({ ...bert.config, ...change })));
  return folder;
}

describe('a classifier’s checkpoint', () => {
  it.each([
    ['another model', { model_type: 'roberta' }, 'unsupported-model', 'model_type'],
    ['a model that writes', { architectures: ['BertForMaskedLM'] }, 'unsupported-model', 'BertForMaskedLM'],
    ['positions of another kind', { position_embedding_type: 'relative_key' }, 'unsupported-model', 'relative_key'],
    ['an activation it does not run', { hidden_act: 'mish' }, 'unsupported-model', 'mish'],
    ['heads that do not divide the size', { num_attention_heads: 5 }, 'unsupported-model', '5 attention heads'],
    ['labels with a gap', { id2label: { 0: 'a', 2: 'c', 3: 'd' } }, 'checkpoint-corrupt', 'id2label'],
    ['another count of labels', { id2label: { 0: 'a' } }, 'checkpoint-corrupt', 'classifier.weight'],
    ['a size that is no number', { hidden_size: 'wide' }, 'checkpoint-corrupt', 'hidden_size'],
    ['a padding token outside the vocabulary', { pad_token_id: 5000 }, 'checkpoint-corrupt', 'pad_token_id'],
  ])('refuses %s by its name', async (_name, change, code, said) => {
    const opening = openClassifierCheckpoint(bertWith(change));
    await expect(opening).rejects.toMatchObject({ code, message: expect.stringContaining(said) as string });
  });

  it('names its labels by number where it has no names', async () => {
    const { config } = await openClassifierCheckpoint(bertWith({ id2label: null, num_labels: 3 }));
    expect(config.labels).toEqual(['LABEL_0', 'LABEL_1', 'LABEL_2']);
  });

  it('takes the first BERTs’ names of norms, and leaves out what only pretraining used', async () => {
    const folder = classifierCheckpointFolder(bert);
    const bytes = folder.files.get('model.safetensors')!;
    const headerLength = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength))) as Record<string, object>;
    const renamed = Object.entries(header).map(([name, tensor]): [string, object] => [
      name.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta'),
      tensor,
    ]);
    const end = bytes.length - 8 - headerLength;
    renamed.push(['cls.seq_relationship.bias', { dtype: 'F32', shape: [2], data_offsets: [end, end + 8] }]);
    const text = encoder.encode(JSON.stringify(Object.fromEntries(renamed)));
    const changed = new Uint8Array(8 + text.length + end + 8);
    new DataView(changed.buffer).setBigUint64(0, BigInt(text.length), true);
    changed.set(text, 8);
    changed.set(bytes.subarray(8 + headerLength), 8 + text.length);
    folder.files.set('model.safetensors', changed);
    expect((await openClassifierCheckpoint(folder)).tensors.has('bert.embeddings.LayerNorm.weight')).toBe(true);
  });

  it('makes the tokenizer of vocab.txt that transformers makes', async () => {
    for (const { vocabulary, rows, tokenizerConfig, ...rest } of [bert, distilBert]) {
      const folder = classifierCheckpointFolder({ vocabulary, rows, tokenizerConfig, ...rest });
      folder.files.delete('tokenizer.json');
      folder.files.set('vocab.txt', encoder.encode(`${vocabulary.join('\n')}\n`));
      const { sidecars } = await openClassifierCheckpoint(folder);
      const tokenizer = new Tokenizer(JSON.parse(sidecars.get('tokenizer.json')!) as object, tokenizerConfig);
      for (const { texts, ids } of rows) {
        expect(tokenizer.encode(texts[0], { text_pair: texts[1] ?? null }).ids).toEqual(ids);
      }
    }
  });

  it('makes the tokenizer of vocab.json and merges.txt that transformers makes', async () => {
    const folder = classifierCheckpointFolder(gpt2);
    const { vocab, merges = [] } = gpt2.tokenizer.model;
    folder.files.delete('tokenizer.json');
    folder.files.set('vocab.json', encoder.encode(JSON.stringify(vocab)));
    const lines = ['#version: 0.2', ...merges.map((pair) => pair.join(' '))];
    folder.files.set('merges.txt', encoder.encode(`${lines.join('\n')}\n`));
    const { sidecars } = await openClassifierCheckpoint(folder);
    const tokenizer = new Tokenizer(JSON.parse(sidecars.get('tokenizer.json')!) as object, {});
    for (const { texts, ids } of gpt2.rows.filter(({ texts }) => texts.length === 1)) {
      expect(tokenizer.encode(texts[0]).ids).toEqual(ids);
    }
    folder.files.delete('merges.txt');
    await expect(openClassifierCheckpoint(folder)).rejects.toMatchObject({ code: 'weights-missing' });
  });
});

describe('a converted classifier', () => {
  it('lists its files, gains a variant, and is refused when one is cut short or the list is damaged', async () => {
    const checkpoint = await openClassifierCheckpoint(classifierCheckpointFolder(gpt2));
    const folder = new MemoryFolder();
    const existing = await convertClassifier(checkpoint, folder, { variants: ['fp32'], source: 'random' });
    await convertClassifier(checkpoint, folder, { variants: ['q8'], source: 'random', existing });
    const manifest = await readClassifierManifest(folder);
    expect(Object.keys(manifest.variants)).toEqual(['fp32', 'q8']);
    expect(manifest.parameterCount).toBe([...checkpoint.tensors.values()].reduce((n, { shape }) => n + size(shape), 0));
    const [, data] = manifest.variants.fp32!;
    const whole = folder.files.get(data!.path)!;
    folder.files.set(data!.path, whole.subarray(0, 100));
    await expect(readClassifierManifest(folder)).rejects.toMatchObject({ code: 'weights-corrupt' });
    folder.files.set(data!.path, whole);
    for (const text of [
      '{',
      '[]',
      '{"formatVersion":2}',
      '{"formatVersion":1}',
      '{"formatVersion":1,"variants":{"q8":[]}}',
    ]) {
      folder.files.set(CLASSIFIER_MANIFEST_PATH, encoder.encode(text));
      await expect(readClassifierManifest(folder)).rejects.toMatchObject({ code: 'weights-corrupt' });
    }
  });
});

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
