import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlignError } from '../../align/errors.ts';
import { TEMPLATE_IDS } from '../../align/prompt.ts';
import { loadTokenizer } from '../../align/tokenizer.ts';
import llama2 from './fixtures/llama-2.json' with { type: 'json' };
import small from './fixtures/small-sentencepiece.json' with { type: 'json' };
import { type Case, measureParity, readReferenceFile } from './reference-data.fixture.ts';
import { tokenizerFromSentencePiece } from './sentencepiece.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';

const smallModel = Uint8Array.from(Buffer.from(small.modelBase64, 'base64'));

function load({ tokenizerJson, tokenizerConfigJson }: TokenizerFiles) {
  return loadTokenizer(JSON.parse(tokenizerJson), JSON.parse(tokenizerConfigJson));
}

/** Fields at a message's end override earlier ones: how the tests change one setting of the model. */
const withBytes = (...bytes: number[]) => Uint8Array.from([...smallModel, ...bytes]);
const errorOf = (bytes: Uint8Array): unknown => {
  try {
    tokenizerFromSentencePiece(bytes);
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('a small SentencePiece model', () => {
  const tokenizer = load(tokenizerFromSentencePiece(smallModel));

  it('gives SentencePiece’s ids and text', () => {
    for (const { text, ids, decoded } of small.cases as Case[]) {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
    }
  });

  it('decodes bytes that are no text as SentencePiece does', () => {
    for (const { ids, decoded } of small.malformed) expect(tokenizer.decode(ids), String(ids)).toBe(decoded);
  });

  it('tells its special tokens', () => {
    expect(tokenizer).toMatchObject({ vocabularySize: 560, bosTokenId: 1, eosTokenId: 2 });
    expect(tokenizer.decode([0, 1, 2])).toBe('');
  });

  it('adds BOS and never EOS', () => {
    const ids = [...tokenizer.encode('x')];
    expect(ids[0]).toBe(1);
    expect(ids.slice(1).filter((id) => id < 3)).toEqual([]);
  });

  it('reads a text without a space before it when the model says so', () => {
    // normalizer_spec { add_dummy_prefix: false }
    const bare = load(tokenizerFromSentencePiece(withBytes(0x1a, 0x02, 0x18, 0x00)));
    expect([...bare.encode(' answer')]).toEqual([...tokenizer.encode('answer')]);
    expect(bare.decode([...bare.encode(' answer')])).toBe(' answer');
  });
});

describe('models that are refused', () => {
  it.each([
    ['Unigram', [0x12, 0x02, 0x18, 0x01], 'Unigram'],
    ['Word', [0x12, 0x02, 0x18, 0x03], 'Word'],
    ['normalizing', [0x1a, 0x04, 0x12, 0x02, 0x41, 0x42], 'normalizes text'],
    ['space-removing', [0x1a, 0x02, 0x20, 0x01], 'removes repeated spaces'],
    ['suffix-marking', [0x12, 0x03, 0xc0, 0x01, 0x01], 'marks spaces'],
  ])('names a %s model', (_, bytes, words) => {
    const error = errorOf(withBytes(...bytes));
    expect(error).toBeInstanceOf(AlignError);
    expect(error).toMatchObject({ code: 'unsupported-model' });
    expect((error as AlignError).message).toContain(words);
  });
});

describe('damaged models', () => {
  it.each([
    ['an empty file', new Uint8Array(0), 'no pieces'],
    ['a field longer than the file', Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), 'where 0 are left'],
    ['a number without end', new Uint8Array(64).fill(0xff), 'longer than ten bytes'],
    ['a piece that is no text', withBytes(0x0a, 0x03, 0x0a, 0x01, 0xff), 'not UTF-8'],
    [
      'a piece that stands twice',
      withBytes(0x0a, 0x05, 0x0a, 0x03, 0x3c, 0x73, 0x3e),
      'pieces 1 and 560 are both "<s>"',
    ],
    ['a score that is no number', withBytes(0x0a, 0x08, 0x0a, 0x01, 0x7f, 0x15, 0, 0, 0xc0, 0x7f), 'has the score NaN'],
    ['a piece of an unknown type', withBytes(0x0a, 0x05, 0x0a, 0x01, 0x7f, 0x18, 0x09), 'unknown type 9'],
    ['an end of sequence outside the pieces', withBytes(0x12, 0x04, 0xd0, 0x02, 0xb0, 0x09), 'eos token has id 1200'],
    ['a field of another type', withBytes(0x08, 0x01), 'wire type 0; it must be 2'],
  ])('names %s', (_, bytes, words) => {
    const error = errorOf(bytes);
    expect(error).toMatchObject({ code: 'checkpoint-corrupt' });
    expect((error as AlignError).message).toContain(words);
  });

  it('refuses a piece too long to be one', () => {
    const piece = new Uint8Array(2000).fill(0x61);
    const field = [0x0a, 0xd3, 0x0f, 0x0a, 0xd0, 0x0f, ...piece];
    expect(errorOf(withBytes(...field))).toMatchObject({ code: 'checkpoint-corrupt' });
  });

  it('never fails in another way, wherever the file is cut', { timeout: 60_000 }, () => {
    for (let length = 0; length < smallModel.length; length += 7) {
      const error = errorOf(smallModel.subarray(0, length));
      expect(error, `${length} bytes`).toBeInstanceOf(AlignError);
    }
  });

  it('never fails in another way, whatever the bytes', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(errorOf(bytes)).toBeInstanceOf(AlignError);
      }),
    );
    fc.assert(
      fc.property(fc.nat(smallModel.length - 1), fc.nat(255), (at, byte) => {
        const changed = smallModel.slice();
        changed[at] = byte;
        const error = errorOf(changed);
        expect(error === undefined || error instanceof AlignError).toBe(true);
      }),
    );
  });
});

describe('the real Llama-2 tokenizer', () => {
  const LLAMA = '../models/llama-2-tokenizer/tokenizer.model';

  it('gives transformers’ ids for the prompts of every row, under each template', { timeout: 120_000 }, (context) => {
    const tokenizer = load(tokenizerFromSentencePiece(readReferenceFile(context, LLAMA)));
    for (const template of TEMPLATE_IDS) {
      const { rowHashes: _, rows: __, ...expected } = llama2.prompts[template];
      expect(measureParity(context, tokenizer, template, llama2.prompts[template])).toEqual({
        ...expected,
        differentRows: [],
      });
    }
  });

  it('gives transformers’ ids and text for texts made to be hard', { timeout: 60_000 }, (context) => {
    const tokenizer = load(tokenizerFromSentencePiece(readReferenceFile(context, LLAMA)));
    for (const { text, ids, decoded } of llama2.cases as Case[]) {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
    }
  });

  it('gives the merges of transformers’ converter, in its order', { timeout: 60_000 }, (context) => {
    const { tokenizerJson } = tokenizerFromSentencePiece(readReferenceFile(context, LLAMA));
    const { merges } = (JSON.parse(tokenizerJson) as { model: { merges: [string, string][] } }).model;
    const lines = merges.map((merge) => merge.join(' ')).join('\n');
    expect(merges).toHaveLength(llama2.merges.count);
    expect(createHash('sha256').update(lines).digest('hex')).toBe(llama2.merges.sha256);
  });
});
