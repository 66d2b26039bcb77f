import { AlignError } from '../align/errors.ts';
import type { Variant } from '../align/variant.ts';
import type { TargetFile, TargetFolder } from './byte-source.ts';
import type { CheckpointTensor, StoredType } from './checkpoint/checkpoint.ts';
import type { ManifestFile } from './manifest.ts';
import { type GraphBuilder, placeData } from './onnx/graph-builder.ts';
import type { PlannedWeight } from './onnx/llama-plan.ts';
import { DataWriter } from './onnx/data-writer.ts';
import { type VariantFormat, WeightEncoder } from './onnx/weight-format.ts';

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

/** What is read of a checkpoint: its tensors by name, and their bytes as stored. */
export interface TensorSource {
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  readonly sizeBytes: number;
}

export interface GraphPlan {
  /** Names the graph inside its file. */
  graphName: string;
  /** Every weight, in the order of the bytes. */
  weights: readonly PlannedWeight[];
  /** The graph of one form, with the weights that it stores. */
  build: (format: VariantFormat) => { graph: GraphBuilder; weights: readonly PlannedWeight[] };
  /** In the order in which they are listed. */
  variants: readonly { variant: Variant; format: VariantFormat }[];
}

export interface WriteOptions {
  signal?: AbortSignal;
  onProgress?: (progress: ConvertProgress) => void;
}

/** Rows are read in pieces of about this many float32 bytes. */
const READ_BYTES = 8 << 20;

/**
 * Writes one graph and its data files for each variant. Every tensor is read by rows and once for all variants; memory does
 * not grow with the model.
 *
 * @returns the files of each variant: the graph first, then its data
 * @throws AlignError of the checkpoint's reader; the signal's reason. Files that were begun are removed
 */
export async function writeGraphs(
  source: TensorSource,
  target: TargetFolder,
  plan: GraphPlan,
  options: WriteOptions,
): Promise<Partial<Record<Variant, ManifestFile[]>>> {
  const progress = new Progress(source, options);
  const jobs: VariantJob[] = [];
  try {
    for (const { variant, format } of plan.variants) jobs.push(await VariantJob.open(variant, format, plan, target));
    for (const weight of plan.weights) {
      const wanting = jobs.filter(({ weightNames }) => weightNames.has(weight.name));
      if (wanting.length > 0) await convertWeight(weight, source, wanting, progress);
    }
    for (const job of jobs) await job.finish();
  } catch (error) {
    for (const job of jobs) await job.abort();
    throw error;
  }
  return Object.fromEntries(jobs.map(({ variant, files }) => [variant, files]));
}

async function convertWeight(
  weight: PlannedWeight,
  source: TensorSource,
  jobs: readonly VariantJob[],
  progress: Progress,
): Promise<void> {
  const encoders = jobs.map((job) => ({ encoder: new WeightEncoder(weight, job.format), job }));
  const passCount = Math.max(...encoders.map(({ encoder }) => encoder.passCount));
  for (const { job } of encoders) await job.data.begin(`${weight.name}.data`);
  for (let pass = 0; pass < passCount; pass++) {
    const active = encoders.filter(({ encoder }) => pass < encoder.passCount);
    for await (const piece of readPieces(weight, source, active)) {
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
  source: TensorSource,
  active: readonly { encoder: WeightEncoder }[],
): AsyncGenerator<Piece, void, void> {
  const rowsPerRead = Math.max(1, Math.floor(READ_BYTES / (4 * weight.columns)));
  const reads: (() => Promise<Piece>)[] = [];
  let tensorStart = 0;
  for (const name of weight.sources) {
    const tensor = tensorOf(source, name);
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

function tensorOf(source: TensorSource, name: string): CheckpointTensor {
  const tensor = source.tensors.get(name);
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
    plan: GraphPlan,
    target: TargetFolder,
  ): Promise<VariantJob> {
    const { graph, weights } = plan.build(format);
    const placements = placeData(graph.external);
    const fileCount = (placements.at(-1)?.fileIndex ?? 0) + 1;
    const base = `${VARIANT_FILE_NAMES[variant]}.onnx`;
    const dataNames = Array.from({ length: fileCount }, (_, i) => `${base}_data${i === 0 ? '' : `_${i}`}`);
    const graphBytes = graph.finish(plan.graphName, placements, dataNames);
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
  readonly #options: WriteOptions;

  constructor(source: TensorSource, options: WriteOptions) {
    this.#totalElements = parameterCount(source);
    this.#totalBytes = source.sizeBytes;
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

/** Elements of all tensors. */
export function parameterCount({ tensors }: Pick<TensorSource, 'tensors'>): number {
  return [...tensors.values()].reduce((sum, { shape }) => sum + product(shape), 0);
}

/** One file whole. */
export async function writeFile(target: TargetFolder, path: string, bytes: Uint8Array): Promise<ManifestFile> {
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

function product(shape: readonly number[]): number {
  return shape.reduce((result, size) => result * size, 1);
}
