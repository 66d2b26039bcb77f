import { describe, expect, it } from 'vitest';
import { AlignError } from '../../align/errors.ts';
import { loadTokenizer } from '../../align/tokenizer.ts';
import type { GgufMetadata, GgufValue } from '../checkpoint/gguf.ts';
import smallSentencePiece from './fixtures/small-sentencepiece.json' with { type: 'json' };
import small from './fixtures/small-byte-level.json' with { type: 'json' };
import { tokenizerFromGguf } from './gguf-tokenizer.ts';
import { readProtobuf } from './protobuf.ts';
import { tokenizerFromSentencePiece } from './sentencepiece.ts';

/** The small byte-level vocabulary as GGUF metadata; `undefined` takes a key out. */
function byteLevel(changes: Record<string, GgufValue | undefined> = {}): GgufMetadata {
  return metadata({
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'smollm',
    'tokenizer.ggml.tokens': small.tokens,
    'tokenizer.ggml.token_type': Int32Array.from(small.tokenTypes),
    'tokenizer.ggml.merges': small.merges,
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.add_bos_token': false,
    ...changes,
  });
}

/** The small SentencePiece model as llama.cpp's converter would write it. */
function sentencePiece(changes: Record<string, GgufValue | undefined> = {}): GgufMetadata {
  const pieces = [...readProtobuf(Buffer.from(smallSentencePiece.modelBase64, 'base64'), 'model')]
    .filter(({ number }) => number === 1)
    .map(({ bytes }) => {
      const fields = new Map([...readProtobuf(bytes, 'piece')].map((field) => [field.number, field]));
      const score = fields.get(2)?.bytes ?? new Uint8Array(4);
      return {
        piece: Buffer.from(fields.get(1)?.bytes ?? []).toString(),
        score: Buffer.from(score).readFloatLE(),
        type: Number(fields.get(3)?.value ?? 1n),
      };
    });
  return metadata({
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.pre': 'default',
    'tokenizer.ggml.tokens': pieces.map(({ piece }) => piece),
    'tokenizer.ggml.scores': Float32Array.from(pieces.map(({ score }) => score)),
    'tokenizer.ggml.token_type': Int32Array.from(pieces.map(({ type }) => type)),
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.unknown_token_id': 0,
    ...changes,
  });
}

const metadata = (entries: Record<string, GgufValue | undefined>): GgufMetadata =>
  new Map(Object.entries(entries).filter((entry): entry is [string, GgufValue] => entry[1] !== undefined));

function load(gguf: GgufMetadata) {
  const { tokenizerJson, tokenizerConfigJson } = tokenizerFromGguf(gguf);
  return loadTokenizer(JSON.parse(tokenizerJson), JSON.parse(tokenizerConfigJson));
}

it('keeps the chat template', () => {
  const { tokenizerConfigJson } = tokenizerFromGguf(sentencePiece({ 'tokenizer.chat_template': '{{ messages }}' }));
  expect(JSON.parse(tokenizerConfigJson)).toMatchObject({ chat_template: '{{ messages }}' });
});

function errorOf(gguf: GgufMetadata): AlignError {
  try {
    tokenizerFromGguf(gguf);
  } catch (error) {
    if (error instanceof AlignError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('byte-level BPE', () => {
  it.each(Object.entries(small.idsByPre))('gives Hugging Face’s ids with the pre-tokenizer %s', (pre, idsByText) => {
    const tokenizer = load(byteLevel({ 'tokenizer.ggml.pre': pre }));
    small.texts.forEach((text, i) => {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(idsByText[i]);
    });
  });

  it('decodes what Hugging Face decodes', () => {
    const tokenizer = load(byteLevel());
    small.idsByPre['gpt-2'].forEach((ids, i) => {
      expect(tokenizer.decode(ids), JSON.stringify(small.texts[i])).toBe(small.decoded[i]);
    });
  });

  it('decodes bytes that are no text as Hugging Face does', () => {
    const tokenizer = load(byteLevel());
    for (const { ids, decoded } of small.malformed) expect(tokenizer.decode(ids), String(ids)).toBe(decoded);
  });

  it('adds the tokens that the flags ask for', () => {
    const around = (changes: Record<string, GgufValue | undefined>) => {
      const ids = [...load(byteLevel(changes)).encode('a')];
      return [ids[0] === 1, ids.at(-1) === 2];
    };
    expect(around({})).toEqual([false, false]);
    expect(around({ 'tokenizer.ggml.add_bos_token': true })).toEqual([true, false]);
    expect(around({ 'tokenizer.ggml.add_eos_token': true })).toEqual([false, true]);
    const silent = { 'tokenizer.ggml.add_bos_token': undefined };
    expect(around(silent)).toEqual([false, false]);
    expect(around({ ...silent, 'tokenizer.ggml.pre': 'llama-bpe' })).toEqual([true, false]);
  });

  it('reads a file without a pre-tokenizer as GPT-2’s', () => {
    const tokenizer = load(byteLevel({ 'tokenizer.ggml.pre': undefined }));
    const i = small.texts.indexOf('12345678');
    expect([...tokenizer.encode('12345678')]).toEqual(small.idsByPre['gpt-2'][i]);
    expect(small.idsByPre['gpt-2'][i]).not.toEqual(small.idsByPre.smollm[i]);
  });
});

describe('SentencePiece BPE', () => {
  it('gives what the same model’s tokenizer.model gives, byte for byte', () => {
    const model = Uint8Array.from(Buffer.from(smallSentencePiece.modelBase64, 'base64'));
    expect(tokenizerFromGguf(sentencePiece())).toEqual(tokenizerFromSentencePiece(model));
  });

  it('makes no merge to a marker, though its parts are pieces', () => {
    const { tokenizerJson } = tokenizerFromGguf(
      sentencePiece({
        'tokenizer.ggml.tokens': ['<unk>', '<s>', '</s>', '</', 's>', '<', '/'],
        'tokenizer.ggml.scores': Float32Array.of(0, 0, 0, -1, -2, -3, -4),
        'tokenizer.ggml.token_type': Int32Array.of(2, 3, 3, 1, 1, 1, 1),
      }),
    );
    expect(JSON.parse(tokenizerJson)).toMatchObject({ model: { merges: [['<', '/']] } });
  });

  it('leaves out the space before the text when the file says so', () => {
    const tokenizer = load(sentencePiece({ 'tokenizer.ggml.add_space_prefix': false }));
    expect([...tokenizer.encode(' answer')]).toEqual([...load(sentencePiece()).encode('answer')]);
  });
});

describe('metadata that is refused', () => {
  it.each<[string, GgufMetadata, AlignError['code'], string]>([
    ['no tokenizer', metadata({}), 'checkpoint-corrupt', 'tokenizer.ggml.model is missing'],
    ['another kind', metadata({ 'tokenizer.ggml.model': 't5' }), 'unsupported-model', '"t5"'],
    [
      'another pre-tokenizer',
      byteLevel({ 'tokenizer.ggml.pre': 'tekken' }),
      'unsupported-model',
      '"tekken"; known are',
    ],
    ['a name of Object', byteLevel({ 'tokenizer.ggml.pre': 'constructor' }), 'unsupported-model', '"constructor"'],
    ['no tokens', byteLevel({ 'tokenizer.ggml.tokens': undefined }), 'checkpoint-corrupt', 'tokens is missing'],
    [
      'tokens that are numbers',
      byteLevel({ 'tokenizer.ggml.tokens': Int32Array.of(1) }),
      'checkpoint-corrupt',
      'a list of 1',
    ],
    [
      'a token twice',
      byteLevel({ 'tokenizer.ggml.tokens': [...small.tokens.slice(1), '!'] }),
      'checkpoint-corrupt',
      '"!" at',
    ],
    ['no merges', byteLevel({ 'tokenizer.ggml.merges': undefined }), 'checkpoint-corrupt', 'merges is missing'],
    [
      'a merge of three',
      byteLevel({ 'tokenizer.ggml.merges': ['a b c'] }),
      'checkpoint-corrupt',
      'merges[0] is "a b c"',
    ],
    ['a merge to nothing', byteLevel({ 'tokenizer.ggml.merges': ['! "'] }), 'checkpoint-corrupt', 'merges[0]'],
    [
      'no end of sequence',
      byteLevel({ 'tokenizer.ggml.eos_token_id': undefined }),
      'checkpoint-corrupt',
      'eos_token_id is missing',
    ],
    [
      'an id too large',
      byteLevel({ 'tokenizer.ggml.bos_token_id': small.tokens.length }),
      'checkpoint-corrupt',
      `bos_token_id is "${small.tokens.length}"`,
    ],
    [
      'a flag that is a number',
      byteLevel({ 'tokenizer.ggml.add_bos_token': 1 }),
      'checkpoint-corrupt',
      'add_bos_token is "1"',
    ],
    [
      'types of another length',
      byteLevel({ 'tokenizer.ggml.token_type': Int32Array.of(1) }),
      'checkpoint-corrupt',
      `${small.tokens.length} numbers`,
    ],
    ['no scores', sentencePiece({ 'tokenizer.ggml.scores': undefined }), 'checkpoint-corrupt', 'scores is missing'],
  ])('names %s', (_, gguf, code, words) => {
    const error = errorOf(gguf);
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });
});
