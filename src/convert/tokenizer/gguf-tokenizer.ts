import { AlignError } from '../../align/errors.ts';
import type { GgufMetadata, GgufValue } from '../checkpoint/gguf.ts';
import { addedTokensOf, PIECE_TYPE, sentencePieceFiles } from './sentencepiece-vocabulary.ts';
import { type RoleIds, type TokenizerFiles, withChatTemplate, writeTokenizerFiles } from './tokenizer-files.ts';

/**
 * Makes the tokenizer files from a GGUF's metadata.
 *
 * @throws AlignError `checkpoint-corrupt` with the key that is missing or wrong; `unsupported-model` with the name of
 *   a tokenizer kind or pre-tokenizer that we do not know
 * @see ggml docs/gguf.md, "Tokenizer"; what the names mean is in llama.cpp src/llama-vocab.cpp
 */
export function tokenizerFromGguf(metadata: GgufMetadata): TokenizerFiles {
  const template = metadata.get('tokenizer.chat_template');
  return withChatTemplate(filesOfKind(metadata), typeof template === 'string' ? template : undefined);
}

function filesOfKind(metadata: GgufMetadata): TokenizerFiles {
  const kind = readString(metadata, 'tokenizer.ggml.model');
  switch (kind) {
    case 'gpt2':
      return byteLevelFiles(metadata);
    case 'llama':
      return sentencePieceFilesFrom(metadata);
    default:
      throw new AlignError(
        'unsupported-model',
        `The GGUF’s tokenizer (tokenizer.ggml.model) is of kind ${JSON.stringify(kind)}; known are "gpt2" and "llama".`,
        { details: { kind } },
      );
  }
}

/** `llama`: SentencePiece BPE, whose merges follow from the scores. */
function sentencePieceFilesFrom(metadata: GgufMetadata): TokenizerFiles {
  const tokens = readTokens(metadata);
  const scores = readNumbers(metadata, 'tokenizer.ggml.scores', tokens.length);
  const types = readNumbers(metadata, 'tokenizer.ggml.token_type', tokens.length);
  if (scores === undefined) throw wrong('tokenizer.ggml.scores', 'one number per token', undefined);
  if (types === undefined) throw wrong('tokenizer.ggml.token_type', 'one number per token', undefined);
  return sentencePieceFiles({
    name: 'The GGUF’s vocabulary',
    pieces: tokens.map((piece, id) => ({ piece, score: scores[id] ?? NaN, type: types[id] ?? 0 })),
    hasByteFallback: types.includes(PIECE_TYPE.byte),
    addsSpacePrefix: readBoolean(metadata, 'tokenizer.ggml.add_space_prefix', true),
    // llama.cpp's defaults for a file that says nothing.
    roles: readRoles(metadata, tokens.length, { bos: 1, eos: 2, unk: 0 }),
    addsBos: readBoolean(metadata, 'tokenizer.ggml.add_bos_token', true),
    addsEos: readBoolean(metadata, 'tokenizer.ggml.add_eos_token', false),
  });
}

/** How a byte-level tokenizer cuts text before it merges, in tokenizer.json's words. */
interface WordSplitting {
  normalizer: object | null;
  preTokenizer: object;
  /** A word that is a token is not taken apart. */
  ignoresMerges: boolean;
  addsBos: boolean;
}

const GPT2_WORDS: WordSplitting = {
  normalizer: null,
  preTokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  ignoresMerges: false,
  addsBos: false,
};

const SINGLE_DIGITS: WordSplitting = {
  ...GPT2_WORDS,
  preTokenizer: {
    type: 'Sequence',
    pretokenizers: [{ type: 'Digits', individual_digits: true }, GPT2_WORDS.preTokenizer],
  },
};

const splitBy = (regex: string) => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
});

/** Digits in groups of up to `digits`. */
const modernWords = (digits: string) =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

const LLAMA3_WORDS: WordSplitting = {
  normalizer: null,
  preTokenizer: splitBy(modernWords(String.raw`\p{N}{1,3}`)),
  ignoresMerges: true,
  addsBos: true,
};

const QWEN2_WORDS: WordSplitting = {
  normalizer: { type: 'NFC' },
  preTokenizer: splitBy(modernWords(String.raw`\p{N}`)),
  ignoresMerges: false,
  addsBos: false,
};

/**
 * By `tokenizer.ggml.pre`. A file without the key, or with `default`, is read as GPT-2's, as Hugging Face does
 * (llama.cpp has an older rule there, and warns that it suits no model).
 */
const WORD_SPLITTING: Record<string, WordSplitting> = {
  default: GPT2_WORDS,
  'gpt-2': GPT2_WORDS,
  smollm: SINGLE_DIGITS,
  starcoder: SINGLE_DIGITS,
  refact: SINGLE_DIGITS,
  codeshell: SINGLE_DIGITS,
  'llama-bpe': LLAMA3_WORDS,
  llama3: LLAMA3_WORDS,
  'llama-v3': LLAMA3_WORDS,
  qwen2: QWEN2_WORDS,
  'deepseek-r1-qwen': QWEN2_WORDS,
};

/** `gpt2`: byte-level BPE, with its merges in the file. */
function byteLevelFiles(metadata: GgufMetadata): TokenizerFiles {
  const pre = metadata.has('tokenizer.ggml.pre') ? readString(metadata, 'tokenizer.ggml.pre') : 'default';
  const splitting = Object.hasOwn(WORD_SPLITTING, pre) ? WORD_SPLITTING[pre] : undefined;
  if (splitting === undefined) {
    throw new AlignError(
      'unsupported-model',
      `The GGUF’s pre-tokenizer (tokenizer.ggml.pre) is ${JSON.stringify(pre)}; known are ${Object.keys(WORD_SPLITTING).join(', ')}.`,
      { details: { pre } },
    );
  }
  const tokens = readTokens(metadata);
  const types = readNumbers(metadata, 'tokenizer.ggml.token_type', tokens.length);
  const roles = readRoles(metadata, tokens.length, { bos: undefined, eos: undefined, unk: undefined });
  return writeTokenizerFiles({
    pieces: tokens,
    merges: readMerges(metadata, new Set(tokens)),
    addedTokens: addedTokensOf(types ?? [], roles),
    roles,
    addsBos: readBoolean(metadata, 'tokenizer.ggml.add_bos_token', splitting.addsBos),
    addsEos: readBoolean(metadata, 'tokenizer.ggml.add_eos_token', false),
    // A byte that the vocabulary lacks is dropped, as everywhere: SmolLM2 has none for U+0004, for one.
    model: { unk_token: null, fuse_unk: false, byte_fallback: false, ignore_merges: splitting.ignoresMerges },
    normalizer: splitting.normalizer,
    preTokenizer: splitting.preTokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  });
}

function readTokens(metadata: GgufMetadata): readonly string[] {
  const key = 'tokenizer.ggml.tokens';
  const tokens = readStrings(metadata, key);
  if (tokens.length === 0) throw wrong(key, 'a list of tokens', tokens);
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  if (idOf.size < tokens.length) {
    const id = tokens.findIndex((token, i) => idOf.get(token) !== i);
    const token = tokens[id] ?? '';
    throw new AlignError(
      'checkpoint-corrupt',
      `The GGUF’s ${key} has ${JSON.stringify(token.slice(0, 80))} at ${id} and at ${idOf.get(token)}.`,
      { details: { key, id } },
    );
  }
  return tokens;
}

function readMerges(metadata: GgufMetadata, tokens: ReadonlySet<string>): (readonly [string, string])[] {
  const key = 'tokenizer.ggml.merges';
  return readStrings(metadata, key).map((line, rank) => {
    const [left, right, ...rest] = line.split(' ');
    if (left === undefined || right === undefined || rest.length > 0) {
      throw wrong(`${key}[${rank}]`, 'two pieces with a space between', line);
    }
    for (const piece of [left, right, left + right]) {
      if (!tokens.has(piece)) throw wrong(`${key}[${rank}]`, `of tokens, and ${JSON.stringify(piece)} is none`, line);
    }
    return [left, right] as const;
  });
}

/** @param defaults  ids for a file without the key; where there is no such token the role has none */
function readRoles(
  metadata: GgufMetadata,
  tokenCount: number,
  defaults: Record<'bos' | 'eos' | 'unk', number | undefined>,
): RoleIds {
  const read = (key: string, fallback: number | undefined): number | undefined => {
    const id = metadata.get(key) ?? fallback;
    if (id === undefined) return undefined;
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= tokenCount) {
      throw wrong(key, `an id below ${tokenCount}`, id);
    }
    return id;
  };
  const eos = read('tokenizer.ggml.eos_token_id', defaults.eos);
  if (eos === undefined) throw wrong('tokenizer.ggml.eos_token_id', `an id below ${tokenCount}`, undefined);
  return {
    bos: read('tokenizer.ggml.bos_token_id', defaults.bos),
    eos,
    unk: read('tokenizer.ggml.unknown_token_id', defaults.unk),
    pad: read('tokenizer.ggml.padding_token_id', undefined),
  };
}

function readString(metadata: GgufMetadata, key: string): string {
  const value = metadata.get(key);
  if (typeof value !== 'string') throw wrong(key, 'a string', value);
  return value;
}

function readBoolean(metadata: GgufMetadata, key: string, fallback: boolean): boolean {
  const value = metadata.get(key) ?? fallback;
  if (typeof value !== 'boolean') throw wrong(key, 'true or false', value);
  return value;
}

function readStrings(metadata: GgufMetadata, key: string): readonly string[] {
  const value = metadata.get(key);
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) {
    throw wrong(key, 'a list of strings', value);
  }
  return value;
}

/** @returns undefined when the key is absent */
function readNumbers(metadata: GgufMetadata, key: string, length: number): readonly number[] | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (!(value instanceof Int32Array || value instanceof Uint32Array || value instanceof Float32Array)) {
    throw wrong(key, 'a list of 32-bit numbers', value);
  }
  if (value.length !== length) throw wrong(key, `${length} numbers, one per token`, value);
  return Array.from(value);
}

function wrong(key: string, expected: string, value: GgufValue | undefined): AlignError {
  const found =
    value === undefined
      ? 'missing'
      : typeof value === 'object'
        ? `a list of ${value.length}`
        : JSON.stringify(String(value).slice(0, 80));
  return new AlignError('checkpoint-corrupt', `The GGUF’s ${key} is ${found}; it must be ${expected}.`, {
    details: { key },
  });
}
