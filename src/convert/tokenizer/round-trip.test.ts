import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEdit } from '../../align/edit.ts';
import type { GenerateFinishReason } from '../../align/engine.ts';
import { loadTokenizer, type Tokenizer } from '../../align/tokenizer.ts';
import smallByteLevel from './fixtures/small-byte-level.json' with { type: 'json' };
import smallSentencePiece from './fixtures/small-sentencepiece.json' with { type: 'json' };
import { tokenizerFromGguf } from './gguf-tokenizer.ts';
import { tokenizerFromSentencePiece } from './sentencepiece.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';

const load = ({ tokenizerJson, tokenizerConfigJson }: TokenizerFiles) =>
  loadTokenizer(JSON.parse(tokenizerJson), JSON.parse(tokenizerConfigJson));

const tokenizers: Record<string, Tokenizer> = {
  SentencePiece: load(
    tokenizerFromSentencePiece(Uint8Array.from(Buffer.from(smallSentencePiece.modelBase64, 'base64'))),
  ),
  ...Object.fromEntries(
    ['gpt-2', 'smollm', 'llama-bpe'].map((pre) => [
      pre,
      load(
        tokenizerFromGguf(
          new Map<string, string | readonly string[] | Int32Array | number>([
            ['tokenizer.ggml.model', 'gpt2'],
            ['tokenizer.ggml.pre', pre],
            ['tokenizer.ggml.tokens', smallByteLevel.tokens],
            ['tokenizer.ggml.token_type', Int32Array.from(smallByteLevel.tokenTypes)],
            ['tokenizer.ggml.merges', smallByteLevel.merges],
            ['tokenizer.ggml.bos_token_id', 1],
            ['tokenizer.ggml.eos_token_id', 2],
          ]),
        ),
      ),
    ]),
  ),
};

/** Any text, and texts dense in what tokenizers trip over. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string({
    unit: fc.constantFrom(
      ...[' ', '  ', '\n', '\t', 'a', 'answer', 'é', '👩‍👩‍👧', '1', '23', "'s", '</s>', '<|im_end|>', '<think>', '<0x0A>'],
      ...['\ufeff', '\u0085', '\u00a0', '\ufffd', '\0', '.', '='],
    ),
  }),
);

async function* oneByOne(ids: readonly number[], sizes: readonly number[]) {
  const rest = [...ids];
  for (let i = 0; rest.length > 0; i++) yield rest.splice(0, sizes[i % sizes.length] ?? 1);
  return 'stop' satisfies GenerateFinishReason as GenerateFinishReason;
}

describe.each(Object.entries(tokenizers))('the tokenizer %s', { timeout: 60_000 }, (name, tokenizer) => {
  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        // The mark of a space is a space to SentencePiece.
        fc.pre(name !== 'SentencePiece' || !text.includes('▁'));
        expect(tokenizer.decode([...tokenizer.encode(text)])).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('never makes a special token of a text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = [...tokenizer.encode(text)];
        const own = ids[0] === tokenizer.bosTokenId ? ids.slice(1) : ids;
        expect(own.filter((id) => id < 3)).toEqual([]);
      }),
    );
  });

  it('streams, whatever the tokens, deltas that join to the whole text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.array(fc.nat(tokenizer.vocabularySize - 1), { maxLength: 40 }),
          anyText.map((text) => [...tokenizer.encode(text)]),
          // Bytes of SentencePiece: mostly no text.
          fc.array(fc.integer({ min: 0xc0, max: 0x104 }), { maxLength: 12 }),
        ),
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 }),
        async (ids, sizes) => {
          const signal = new AbortController().signal;
          let streamed = '';
          for await (const event of decodeEdit(oneByOne(ids, sizes), { tokenizer, promptTokens: 1, signal })) {
            if (event.type === 'edit-delta') streamed += event.text;
          }
          expect(streamed).toBe(tokenizer.decode(ids));
        },
      ),
      { numRuns: 500 },
    );
  });
});
