import { AlignError } from '../align/errors.ts';
import type { TemplateId } from '../align/prompt.ts';
import type { Variant } from '../align/variant.ts';
import type { TargetFile, TargetFolder } from './byte-source.ts';
import type { Checkpoint, CheckpointTensor, StoredType } from './checkpoint/checkpoint.ts';
import type { LlamaConfig } from './llama-config.ts';
import { MANIFEST_PATH, type ManifestFile, type ModelManifest } from './manifest.ts';
import { placeData } from './onnx/graph-builder.ts';
import { buildLlamaGraph } from './onnx/llama-graph.ts';
import { type PlannedWeight, planWeights } from './onnx/llama-plan.ts';
import { DataWriter } from './onnx/data-writer.ts';
import { VARIANT_FORMATS, type VariantFormat, WeightEncoder } from './onnx/weight-format.ts';

export interface ConvertOptions {
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
  signal?: AbortSignal;
  onProgress?: (progress: ConvertProgress) => void;
}

export interface ConvertProgress {
  /** Of the bytes that are read from the checkpoint. */
  doneBytes: number;
  totalBytes: number;
}

/** transformers.js's file names, without `.onnx`. */
export const VARIANT_FILE_NAMES: Record<Variant, string> = {
  fp32: 'model',
  fp16: 'model_fp16',
  q8: 'model_quantized',
  q4: 'model_q4',
  q4f16: 'model_q4f16',
};

/** Rows are read in pieces of about this many float32 bytes. */
const READ_BYTES = 8 << 20;

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
  const progress = new Progress(checkpoint, options);
  const jobs: VariantJob[] = [];
  try {
    for (const variant of options.variants) {
      const format = options.formats?.[variant] ?? VARIANT_FORMATS[variant];
      jobs.push(await VariantJob.open(variant, format, config, target));
    }
    for (const weight of planWeights(config)) {
      const wanting = jobs.filter(({ weightNames }) => weightNames.has(weight.name));
      if (wanting.length > 0) await convertWeight(weight, checkpoint, wanting, progress);
    }
    for (const job of jobs) await job.finish();
  } catch (error) {
    for (const job of jobs) await job.abort();
    throw error;
  }

  const variants: ModelManifest['variants'] = { ...options.existing?.variants };
  for (const { variant, files } of jobs) variants[variant] = files;
  const sidecars: ManifestFile[] = [];
  const texts = new Map(checkpoint.sidecars).set('config.json', huggingFaceConfig(config, variants));
  for (const [path, text] of texts) sidecars.push(await writeFile(target, path, new TextEncoder().encode(text)));
  const manifest: ModelManifest = {
    formatVersion: 1,
    name: options.name,
    source: options.source,
    family: options.family,
    config,
    parameterCount: [...checkpoint.tensors.values()].reduce((sum, { shape }) => sum + product(shape), 0),
    variants,
    sidecars,
  };
  await writeFile(target, MANIFEST_PATH, new TextEncoder().encode(JSON.stringify(manifest, null, 2) + '\n'));
  return manifest;
}

async function convertWeight(
  weight: PlannedWeight,
  checkpoint: Checkpoint,
  jobs: readonly VariantJob[],
  progress: Progress,
): Promise<void> {
  const encoders = jobs.map((job) => ({ encoder: new WeightEncoder(weight, job.format), job }));
  const passCount = Math.max(...encoders.map(({ encoder }) => encoder.passCount));
  for (const { job } of encoders) await job.data.begin(`${weight.name}.data`);
  for (let pass = 0; pass < passCount; pass++) {
    const active = encoders.filter(({ encoder }) => pass < encoder.passCount);
    for await (const piece of readPieces(weight, checkpoint, active)) {
      progress.check();
      for (const { encoder, job } of active) {
        const given = encoder.rawType === piece.storedType ? piece.rawRows : piece.rows;
        await encoder.addRows(pass, given, piece.firstRow, job.data.write);
      }
      if (pass === 0) progress.add(piece.rowCount * weight.columns);
    }
    for (const { encoder, job } of active) await encoder.endPass(job.data.write);
  }
  for (const { encoder, job } of encoders) {
    for (const part of encoder.furtherParts) {
      await job.data.begin(`${weight.name}.${part}`);
      await encoder.writePart(part, job.data.write);
    }
  }
}

/** Some rows of a weight in the forms that its encoders want; a form that none of them wants is empty. */
interface Piece {
  storedType: StoredType;
  /** In the weight, which is its tensors one after the other. */
  firstRow: number;
  rowCount: number;
  rows: Float32Array;
  rawRows: Uint8Array;
}

/** All rows of a weight. A piece is read while the one before it is converted. */
async function* readPieces(
  weight: PlannedWeight,
  checkpoint: Checkpoint,
  active: readonly { encoder: WeightEncoder }[],
): AsyncGenerator<Piece, void, void> {
  const rowsPerRead = Math.max(1, Math.floor(READ_BYTES / (4 * weight.columns)));
  const reads: (() => Promise<Piece>)[] = [];
  let tensorStart = 0;
  for (const source of weight.sources) {
    const tensor = tensorOf(checkpoint, source);
    const { storedType } = tensor;
    const isRawWanted = active.some(({ encoder }) => encoder.rawType === storedType);
    const areRowsWanted = active.some(({ encoder }) => encoder.rawType !== storedType);
    const tensorRows = tensor.shape.length === 1 ? 1 : (tensor.shape[0] ?? 0);
    for (let row = 0; row < tensorRows; row += rowsPerRead) {
      const rowCount = Math.min(rowsPerRead, tensorRows - row);
      const firstRow = tensorStart + row;
      reads.push(async () => ({
        storedType,
        firstRow,
        rowCount,
        rows: areRowsWanted ? await tensor.readRows(row, rowCount) : new Float32Array(),
        rawRows: isRawWanted ? await tensor.readRawRows(row, rowCount) : new Uint8Array(),
      }));
    }
    tensorStart += tensorRows;
  }
  let next = reads[0]?.();
  for (let i = 1; next !== undefined; i++) {
    const current: Promise<Piece> = next;
    next = reads[i]?.();
    // Its failure is met when its turn comes, which it may never do.
    next?.catch(() => undefined);
    yield await current;
  }
}

function tensorOf(checkpoint: Checkpoint, name: string): CheckpointTensor {
  const tensor = checkpoint.tensors.get(name);
  if (tensor === undefined) {
    throw new AlignError('checkpoint-corrupt', `The checkpoint has no tensor ${name}.`, { details: { tensor: name } });
  }
  return tensor;
}

/** One variant on its way: its graph, and its data files being written. */
class VariantJob {
  readonly variant: Variant;
  readonly format: VariantFormat;
  readonly weightNames: ReadonlySet<string>;
  readonly data: DataWriter;
  readonly files: ManifestFile[] = [];
  readonly #target: TargetFolder;
  readonly #graphBytes: Uint8Array;

  static async open(
    variant: Variant,
    format: VariantFormat,
    config: LlamaConfig,
    target: TargetFolder,
  ): Promise<VariantJob> {
    const { graph, weights } = buildLlamaGraph(config, format);
    const placements = placeData(graph.external);
    const fileCount = (placements.at(-1)?.fileIndex ?? 0) + 1;
    const base = `${VARIANT_FILE_NAMES[variant]}.onnx`;
    const dataNames = Array.from({ length: fileCount }, (_, i) => `${base}_data${i === 0 ? '' : `_${i}`}`);
    const graphBytes = graph.finish('llama', placements, dataNames);
    const data = await DataWriter.open(
      target,
      graph.external,
      placements,
      dataNames.map((name) => `onnx/${name}`),
    );
    return new VariantJob(variant, format, new Set(weights.map(({ name }) => name)), data, target, graphBytes);
  }

  private constructor(
    variant: Variant,
    format: VariantFormat,
    weightNames: ReadonlySet<string>,
    data: DataWriter,
    target: TargetFolder,
    graphBytes: Uint8Array,
  ) {
    this.variant = variant;
    this.format = format;
    this.weightNames = weightNames;
    this.data = data;
    this.#target = target;
    this.#graphBytes = graphBytes;
  }

  async finish(): Promise<void> {
    const dataFiles = await this.data.close();
    const path = `onnx/${VARIANT_FILE_NAMES[this.variant]}.onnx`;
    this.files.push(await writeFile(this.#target, path, this.#graphBytes), ...dataFiles);
  }

  abort(): Promise<void> {
    return this.data.abort();
  }
}

class Progress {
  #doneElements = 0;
  readonly #totalElements: number;
  readonly #totalBytes: number;
  readonly #options: ConvertOptions;

  constructor(checkpoint: Checkpoint, options: ConvertOptions) {
    this.#totalElements = [...checkpoint.tensors.values()].reduce((sum, { shape }) => sum + product(shape), 0);
    this.#totalBytes = checkpoint.sizeBytes;
    this.#options = options;
  }

  check(): void {
    this.#options.signal?.throwIfAborted();
  }

  add(elements: number): void {
    this.#doneElements += elements;
    const fraction = Math.min(1, this.#doneElements / this.#totalElements);
    this.#options.onProgress?.({ doneBytes: Math.round(fraction * this.#totalBytes), totalBytes: this.#totalBytes });
  }
}

async function writeFile(target: TargetFolder, path: string, bytes: Uint8Array): Promise<ManifestFile> {
  const file: TargetFile = await target.create(path);
  try {
    await file.write(bytes);
    await file.close();
  } catch (error) {
    await file.abort();
    throw error;
  }
  return { path, sizeBytes: bytes.length };
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

function product(shape: readonly number[]): number {
  return shape.reduce((result, size) => result * size, 1);
}
