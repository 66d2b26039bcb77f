import type { TemplateId } from '../align/prompt.ts';
import type { Variant } from '../align/variant.ts';
import type { TargetFolder } from './byte-source.ts';
import type { Checkpoint } from './checkpoint/checkpoint.ts';
import type { LlamaConfig } from './llama-config.ts';
import { MANIFEST_PATH, type ManifestFile, type ModelManifest } from './manifest.ts';
import { buildLlamaGraph } from './onnx/llama-graph.ts';
import { planWeights } from './onnx/llama-plan.ts';
import { VARIANT_FORMATS, type VariantFormat } from './onnx/weight-format.ts';
import { parameterCount, VARIANT_FILE_NAMES, type WriteOptions, writeFile, writeGraphs } from './write-graphs.ts';

export interface ConvertOptions extends WriteOptions {
  /** At least one. */
  variants: readonly Variant[];
  /** Shown to the user. */
  name: string;
  /** Where the weights came from: a hub id, a file name. */
  source: string;
  /** Template that the model was trained on; undefined when unknown. */
  family: TemplateId | undefined;
  /** Of the target, where it holds other variants of the same checkpoint already: they stay. */
  existing?: ModelManifest | undefined;
  /** In place of a variant's own format, for measurements. */
  formats?: Partial<Record<Variant, VariantFormat>>;
}

/**
 * Writes a checkpoint as a folder that our engines and transformers.js load. Every tensor is read by rows and once
 * for all variants; memory does not grow with the model.
 *
 * @returns the manifest, which is the last file written
 * @throws AlignError of the checkpoint's reader; the signal's reason. Files that were begun are removed
 */
export async function convertCheckpoint(
  checkpoint: Checkpoint,
  target: TargetFolder,
  options: ConvertOptions,
): Promise<ModelManifest> {
  const { config } = checkpoint;
  const written = await writeGraphs(
    checkpoint,
    target,
    {
      graphName: 'llama',
      weights: planWeights(config),
      build: (format) => buildLlamaGraph(config, format),
      variants: options.variants.map((variant) => ({
        variant,
        format: options.formats?.[variant] ?? VARIANT_FORMATS[variant],
      })),
    },
    options,
  );
  const variants: ModelManifest['variants'] = { ...options.existing?.variants, ...written };
  const sidecars: ManifestFile[] = [];
  const texts = new Map(checkpoint.sidecars).set('config.json', huggingFaceConfig(config, variants));
  for (const [path, text] of texts) sidecars.push(await writeFile(target, path, new TextEncoder().encode(text)));
  const manifest: ModelManifest = {
    formatVersion: 1,
    name: options.name,
    source: options.source,
    family: options.family,
    config,
    parameterCount: parameterCount(checkpoint),
    variants,
    sidecars,
  };
  await writeFile(target, MANIFEST_PATH, new TextEncoder().encode(JSON.stringify(manifest, null, 2) + '\n'));
  return manifest;
}

/** What transformers and transformers.js read. */
export function huggingFaceConfig(config: LlamaConfig, variants: ModelManifest['variants']): string {
  const entries = Object.entries(variants) as [Variant, ManifestFile[]][];
  const dataFileCounts = entries.map(
    ([variant, files]) => [`${VARIANT_FILE_NAMES[variant]}.onnx`, files.length - 1] as const,
  );
  const halfVariants = entries.map(([variant]) => variant).filter((v) => VARIANT_FORMATS[v].activation === 'float16');
  return (
    JSON.stringify(
      {
        architectures: ['LlamaForCausalLM'],
        model_type: 'llama',
        vocab_size: config.vocabularySize,
        hidden_size: config.hiddenSize,
        intermediate_size: config.intermediateSize,
        num_hidden_layers: config.layerCount,
        num_attention_heads: config.headCount,
        num_key_value_heads: config.kvHeadCount,
        head_dim: config.headDim,
        hidden_act: 'silu',
        rms_norm_eps: config.rmsNormEpsilon,
        rope_theta: config.ropeTheta,
        max_position_embeddings: config.contextLength,
        tie_word_embeddings: config.isEmbeddingTied,
        bos_token_id: config.bosTokenId ?? null,
        eos_token_id: config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds,
        'transformers.js_config': {
          use_external_data_format: Object.fromEntries<number>(dataFileCounts),
          kv_cache_dtype: Object.fromEntries(halfVariants.map((variant) => [variant, 'float16'])),
        },
      },
      null,
      2,
    ) + '\n'
  );
}
