import { describe, expect, it } from 'vitest';
import type { GgufMetadata, GgufValue } from './gguf.ts';
import { generationConfigText, parseConfig, parseGgufConfig } from './parse-config.ts';

/** As transformers 4 wrote it for a TinyLlama. */
const TINY_LLAMA = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: 'silu',
  hidden_size: 2048,
  intermediate_size: 5632,
  max_position_embeddings: 2048,
  model_type: 'llama',
  num_attention_heads: 32,
  num_hidden_layers: 22,
  num_key_value_heads: 4,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10000.0,
  tie_word_embeddings: false,
  vocab_size: 32000,
};
const parse = (changes: object = {}, generationConfig?: object) =>
  parseConfig({ ...TINY_LLAMA, ...changes }, 'config.json', generationConfig as Record<string, unknown> | undefined);

describe('parseConfig', () => {
  it('reads a Llama', () => {
    expect(parse()).toEqual({
      vocabularySize: 32000,
      hiddenSize: 2048,
      intermediateSize: 5632,
      layerCount: 22,
      headCount: 32,
      kvHeadCount: 4,
      headDim: 64,
      rmsNormEpsilon: 1e-5,
      ropeTheta: 10000,
      contextLength: 2048,
      isEmbeddingTied: false,
      bosTokenId: 1,
      eosTokenIds: [2],
    });
  });

  it('takes LlamaConfig’s defaults for what an old file leaves out', () => {
    const config = parse({
      num_key_value_heads: undefined,
      rope_theta: undefined,
      rms_norm_eps: undefined,
      max_position_embeddings: undefined,
      tie_word_embeddings: undefined,
      bos_token_id: undefined,
      eos_token_id: undefined,
      hidden_act: undefined,
      rope_scaling: undefined,
    });
    expect(config).toMatchObject({
      kvHeadCount: 32,
      ropeTheta: 10000,
      rmsNormEpsilon: 1e-6,
      contextLength: 2048,
      isEmbeddingTied: false,
      bosTokenId: 1,
      eosTokenIds: [2],
    });
  });

  it('reads transformers 5’s rope_parameters', () => {
    expect(parse({ rope_theta: undefined, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }).ropeTheta).toBe(
      5e5,
    );
    expect(parse({ rope_theta: 7, rope_parameters: { rope_type: 'default' } }).ropeTheta).toBe(7);
  });

  it('takes an own head_dim', () => {
    expect(parse({ head_dim: 128 }).headDim).toBe(128);
    expect(parse({ head_dim: null }).headDim).toBe(64);
  });

  it('joins the end-of-sequence tokens of both files', () => {
    expect(parse({ eos_token_id: [2, 7] }, { eos_token_id: [7, 9] }).eosTokenIds).toEqual([2, 7, 9]);
    expect(parse({ eos_token_id: null }, { eos_token_id: 4 }).eosTokenIds).toEqual([4]);
    expect(parse({ bos_token_id: null }).bosTokenId).toBeUndefined();
  });

  it.each<[changes: object, says: string]>([
    [{ architectures: ['MistralForCausalLM'] }, 'MistralForCausalLM'],
    [{ architectures: undefined, model_type: 'qwen2' }, 'qwen2'],
    [{ model_type: 'granite' }, 'granite'],
    [{ rope_scaling: { type: 'linear', factor: 2 } }, 'rope_scaling is of kind “linear”'],
    [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, 'rope_scaling is of kind “llama3”'],
    [{ rope_parameters: { rope_type: 'yarn' } }, 'rope_parameters is of kind “yarn”'],
    [{ rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.5 } }, 'partial_rotary_factor'],
    [{ rope_parameters: { full_attention: {} } }, 'full_attention'],
    [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
    [{ attention_bias: true }, 'attention_bias'],
    [{ mlp_bias: true }, 'mlp_bias'],
    [{ hidden_act: 'gelu' }, 'hidden_act is “gelu”'],
    [{ sliding_window: 4096 }, 'sliding_window'],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types'],
    [{ head_dim: 80 - 8 }, '72 elements'],
    [{ num_key_value_heads: 5 }, '32 attention heads are no multiple of 5'],
    [{ quantization_config: { quant_method: 'gptq' } }, 'quantization_config (“gptq”)'],
    [{ max_position_embeddings: 2 ** 23 }, '8388608 tokens'],
    [{ eos_token_id: null }, 'no end-of-sequence token'],
  ])('refuses %j by name', (changes, says) => {
    expect(() => parse(changes)).toThrow(
      expect.objectContaining({ code: 'unsupported-model', message: expect.stringContaining(says) as string }),
    );
  });

  it.each<[changes: object, says: string]>([
    [{ hidden_size: undefined }, 'hidden_size is missing'],
    [{ hidden_size: '2048' }, 'hidden_size'],
    [{ hidden_size: 2050 }, 'head_dim'],
    [{ num_hidden_layers: 0 }, 'num_hidden_layers'],
    [{ vocab_size: 1e12 }, 'vocab_size'],
    [{ vocab_size: 31999.5 }, 'vocab_size'],
    [{ rms_norm_eps: 0 }, 'rms_norm_eps'],
    [{ rope_theta: -1 }, 'rope_theta'],
    [{ tie_word_embeddings: 1 }, 'tie_word_embeddings'],
    [{ eos_token_id: [2, -1] }, 'eos_token_id'],
    [{ eos_token_id: 32000 }, '32000 is outside the vocabulary'],
    [{ bos_token_id: 'one' }, 'bos_token_id'],
    [{ model_type: 3 }, 'model_type'],
    [{ architectures: 'LlamaForCausalLM' }, 'architectures'],
    [{ rope_scaling: 2 }, 'rope_scaling'],
  ])('refuses %j as damaged', (changes, says) => {
    expect(() => parse(changes)).toThrow(
      expect.objectContaining({ code: 'checkpoint-corrupt', message: expect.stringContaining(says) as string }),
    );
  });

  it('does not mind settings that change nothing', () => {
    expect(
      parse({ pretraining_tp: 2, use_cache: false, torch_dtype: 'bfloat16', rope_scaling: { type: 'default' } }),
    ).toEqual(parse());
    expect(parse({ sliding_window: 4096, use_sliding_window: false })).toEqual(parse());
  });
});

/** As llama.cpp writes it for a TinyLlama. */
const GGUF: Record<string, GgufValue> = {
  'general.architecture': 'llama',
  'llama.vocab_size': 32000,
  'llama.context_length': 2048,
  'llama.embedding_length': 2048,
  'llama.block_count': 22,
  'llama.feed_forward_length': 5632,
  'llama.rope.dimension_count': 64,
  'llama.attention.head_count': 32,
  'llama.attention.head_count_kv': 4,
  'llama.attention.layer_norm_rms_epsilon': Math.fround(1e-5),
  'llama.rope.freq_base': 10000,
  'tokenizer.ggml.model': 'llama',
  'tokenizer.ggml.bos_token_id': 1,
  'tokenizer.ggml.eos_token_id': 2,
};
const parseGguf = (changes: Record<string, GgufValue | undefined> = {}) => {
  const entries = Object.entries({ ...GGUF, ...changes });
  const metadata: GgufMetadata = new Map(
    entries.filter((entry): entry is [string, GgufValue] => entry[1] !== undefined),
  );
  return parseGgufConfig(metadata, 'x.gguf', { vocabularySize: 32000, isEmbeddingTied: false });
};

describe('parseGgufConfig', () => {
  it('reads what config.json of the same model says', () => {
    expect(parseGguf()).toEqual({ ...parse(), rmsNormEpsilon: Math.fround(1e-5) });
  });

  it('takes llama.cpp’s defaults', () => {
    const absent = [
      'llama.vocab_size',
      'llama.rope.dimension_count',
      'llama.rope.freq_base',
      'tokenizer.ggml.bos_token_id',
    ];
    expect(
      parseGguf({
        ...Object.fromEntries(absent.map((key) => [key, undefined])),
        'tokenizer.ggml.eos_token_id': undefined,
        'llama.attention.head_count_kv': undefined,
      }),
    ).toEqual({ ...parseGguf(), kvHeadCount: 32 });
  });

  it('adds the end-of-turn token', () => {
    expect(parseGguf({ 'tokenizer.ggml.eot_token_id': 9 }).eosTokenIds).toEqual([2, 9]);
  });

  it.each<[changes: Record<string, GgufValue | undefined>, says: string]>([
    [{ 'general.architecture': 'qwen2' }, 'qwen2'],
    [{ 'general.architecture': undefined }, 'not named'],
    [{ 'llama.rope.scaling.type': 'linear' }, 'llama.rope.scaling.type is “linear”'],
    [{ 'llama.rope.scale_linear': 4 }, 'llama.rope.scale_linear is “4”'],
    [{ 'llama.expert_count': 8 }, 'llama.expert_count'],
    [{ 'llama.attention.sliding_window': 4096 }, 'sliding_window'],
    [{ 'llama.rope.dimension_count': 32 }, 'llama.rope.dimension_count is 32'],
    [{ 'llama.attention.value_length': 128 }, 'llama.attention.value_length is 128'],
    [{ 'llama.attention.causal': false }, 'llama.attention.causal'],
    [{ 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.eos_token_id': undefined }, 'no end-of-sequence token'],
  ])('refuses %j by name', (changes, says) => {
    expect(() => parseGguf(changes)).toThrow(
      expect.objectContaining({ code: 'unsupported-model', message: expect.stringContaining(says) as string }),
    );
  });

  it.each<[changes: Record<string, GgufValue | undefined>, says: string]>([
    [{ 'llama.vocab_size': 32001 }, '32001'],
    [{ 'llama.block_count': undefined }, 'llama.block_count is missing'],
    [{ 'llama.block_count': 2n ** 63n }, '9223372036854775808'],
    [{ 'llama.attention.head_count': Int32Array.of(32, 16) }, 'a list'],
    [{ 'tokenizer.ggml.eos_token_id': 'two' }, 'eos_token_id'],
  ])('refuses %o as damaged', (changes, says) => {
    expect(() => parseGguf(changes)).toThrow(
      expect.objectContaining({ code: 'checkpoint-corrupt', message: expect.stringContaining(says) as string }),
    );
  });
});

describe('generationConfigText', () => {
  it('writes one end-of-sequence token as a number and several as a list', () => {
    expect(JSON.parse(generationConfigText(parse()))).toEqual({ bos_token_id: 1, eos_token_id: 2 });
    expect(JSON.parse(generationConfigText(parse({ bos_token_id: null, eos_token_id: [2, 3] })))).toEqual({
      eos_token_id: [2, 3],
    });
  });
});
