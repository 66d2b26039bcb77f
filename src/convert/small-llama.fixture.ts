import type { Variant } from '../align/variant.ts';
import { AlignError } from '../align/errors.ts';
import { type ByteSource, checkRange, type SourceFolder, type TargetFolder } from './byte-source.ts';
import type { Checkpoint, CheckpointTensor } from './checkpoint/checkpoint.ts';
import { convertCheckpoint } from './convert.ts';
import type { LlamaConfig } from './llama-config.ts';
import { planWeights } from './onnx/llama-plan.ts';

/** A Llama small enough for a test, with the tokens of {@link BYTE_TOKENIZER}. */
export const SMALL_LLAMA: LlamaConfig = {
  vocabularySize: 259,
  hiddenSize: 64,
  intermediateSize: 96,
  layerCount: 2,
  headCount: 4,
  kvHeadCount: 2,
  headDim: 16,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10000,
  contextLength: 2048,
  isEmbeddingTied: false,
  bosTokenId: 1,
  eosTokenIds: [2],
};

/** `<unk>`, `<s>`, `</s>`, then one token per byte; BOS is added. */
export const BYTE_TOKENIZER = {
  tokenizerJson: JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(['<unk>', '<s>', '</s>', ...byteAlphabet()].map((token, id) => [token, id])),
      merges: [],
    },
  }),
  tokenizerConfigJson: JSON.stringify({
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: '<s>',
    eos_token: '</s>',
    unk_token: '<unk>',
    add_bos_token: true,
    add_eos_token: false,
    model_max_length: 2048,
  }),
};

/** GPT-2's printable character for each byte. */
function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
}

/**
 * A checkpoint of random weights: normal with deviation 1 / sqrt(columns), so that activations keep their size; norms
 * about 1. The same seed gives the same weights.
 */
export function randomCheckpoint(config: LlamaConfig = SMALL_LLAMA, seed = 1): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>();
  let tensorSeed = seed;
  for (const weight of planWeights(config)) {
    const rowsOf = (source: string) => {
      if (weight.sources.length === 1) return weight.rows;
      return (source.includes('q_proj') ? config.headCount : config.kvHeadCount) * config.headDim;
    };
    for (const name of weight.sources) {
      if (tensors.has(name)) continue;
      const isNorm = weight.kind === 'norm';
      const rows = rowsOf(name);
      const values = normalValues(rows * weight.columns, tensorSeed++).map((value) =>
        isNorm ? 1 + value / 10 : value / Math.sqrt(weight.columns),
      );
      const shape = isNorm ? [weight.columns] : [rows, weight.columns];
      tensors.set(name, memoryTensor(name, values, shape));
    }
  }
  return {
    format: 'safetensors',
    config,
    tensors,
    sizeBytes: [...tensors.values()].reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0),
    sidecars: new Map([
      ['tokenizer.json', BYTE_TOKENIZER.tokenizerJson],
      ['tokenizer_config.json', BYTE_TOKENIZER.tokenizerConfigJson],
      ['generation_config.json', JSON.stringify({ bos_token_id: 1, eos_token_id: 2 })],
    ]),
  };
}

function memoryTensor(name: string, values: Float32Array, shape: readonly number[]): CheckpointTensor {
  const columns = shape.at(-1) ?? 0;
  const readRows = async (first: number, count: number) => values.slice(first * columns, (first + count) * columns);
  return {
    name,
    storedType: 'F32',
    shape,
    readRows,
    readRawRows: async (first, count) => new Uint8Array((await readRows(first, count)).buffer),
  };
}

/** Standard normal values: mulberry32 and Box-Muller. */
export function normalValues(count: number, seed: number): Float32Array {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (((x ^ (x >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return values;
}

/** Files in memory, to convert into and to load from. */
export class MemoryFolder implements SourceFolder, TargetFolder {
  readonly name = 'memory';
  readonly files = new Map<string, Uint8Array>();

  async list(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async open(path: string): Promise<ByteSource> {
    const bytes = this.files.get(path);
    if (bytes === undefined)
      throw new AlignError('weights-missing', `There is no ${path} in memory.`, { details: { path } });
    const source = { name: path, sizeBytes: bytes.length };
    return {
      ...source,
      read: async (offset, length) => {
        checkRange(source, offset, length);
        return bytes.slice(offset, offset + length);
      },
    };
  }

  async create(path: string) {
    const parts: Uint8Array[] = [];
    return {
      write: async (bytes: Uint8Array) => void parts.push(bytes.slice()),
      close: async () => {
        const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
        let offset = 0;
        for (const part of parts) {
          whole.set(part, offset);
          offset += part.length;
        }
        this.files.set(path, whole);
      },
      abort: async () => undefined,
    };
  }
}

/** A whole converted model with random weights, in memory. */
export async function convertedSmallLlama(
  variants: readonly Variant[],
  config: LlamaConfig = SMALL_LLAMA,
  seed = 1,
): Promise<MemoryFolder> {
  const folder = new MemoryFolder();
  await convertCheckpoint(randomCheckpoint(config, seed), folder, {
    variants,
    name: 'Small random Llama',
    source: `random weights, seed ${seed}`,
    family: 'hh-rlhf',
  });
  return folder;
}
