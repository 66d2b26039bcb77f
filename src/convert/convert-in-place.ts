import type { Variant } from '../align/variant.ts';
import type { Checkpoint, CheckpointTensor } from './checkpoint/checkpoint.ts';
import { BLOCK_FORMATS } from './checkpoint/dequantize.ts';
import { type ConvertOptions, huggingFaceConfig } from './convert.ts';
import { VARIANT_FILE_NAMES } from './write-graphs.ts';
import type { InPlaceTarget } from './in-place-target.ts';
import type { LlamaConfig } from './llama-config.ts';
import type { ManifestFile, ModelManifest } from './manifest.ts';
import { placeData } from './onnx/graph-builder.ts';
import { buildLlamaGraph } from './onnx/llama-graph.ts';
import type { PlannedWeight } from './onnx/llama-plan.ts';
import { type InitializerPlace, WeightAssembly } from './onnx/weight-assembly.ts';
import { VARIANT_FORMATS } from './onnx/weight-format.ts';

/** How far a conversion is: tensors in the order of the checkpoint's files, then rows. JSON data. */
export interface ConvertPosition {
  tensor: number;
  row: number;
}

export interface ConvertInPlaceOptions extends Omit<ConvertOptions, 'existing' | 'onProgress'> {
  /** Where an earlier call with the same checkpoint, variants and target stopped. */
  from?: ConvertPosition | undefined;
  /** Everything before the position has been given to the target. */
  onStep?: (position: ConvertPosition) => Promise<void>;
  /**
   * Bytes of the checkpoint from step to step, at most but for a single row: what a crash in between costs. The same in
   * each call for a target. 1 MiB by default.
   */
  stepBytes?: number;
}

const STEP_BYTES = 1 << 20;

/**
 * The conversion of {@link convertCheckpoint}, byte for byte, for a checkpoint that is read once from front to back:
 * tensors come in the order of its files, and each row is written where it belongs. It can stop at any step and go on.
 *
 * @returns the manifest; it is not written
 * @throws AlignError of the checkpoint's reader and of the target; the signal's reason
 */
export async function convertInPlace(
  checkpoint: Checkpoint,
  target: InPlaceTarget,
  options: ConvertInPlaceOptions,
): Promise<ModelManifest> {
  const { config } = checkpoint;
  const layouts = options.variants.map((variant) => new VariantLayout(variant, config));
  for (const { files } of layouts) {
    for (const { path, sizeBytes } of files) await target.declare(path, sizeBytes);
  }
  const tensors = tensorsInFileOrder(checkpoint);
  const { from: start = { tensor: 0, row: 0 }, stepBytes = STEP_BYTES } = options;
  let sinceStep = 0;
  for (const [index, tensor] of tensors.entries()) {
    const uses = layouts.flatMap((layout) => layout.usesOf(tensor.name));
    for (const rows of rowRanges(tensor, stepBytes)) {
      if (index < start.tensor || (index === start.tensor && rows.first < start.row)) {
        // An earlier call has done this.
        for (const { assembly, firstRow } of uses) assembly.recall(firstRow + rows.first, rows.end - rows.first);
        continue;
      }
      options.signal?.throwIfAborted();
      await convertRows(tensor, rows, uses, target);
      sinceStep += rows.sizeBytes;
      const isLast = rows.end === rowCountOf(tensor);
      // Small tensors share a step.
      if (isLast && sinceStep < stepBytes / 2 && index + 1 < tensors.length) continue;
      await options.onStep?.(isLast ? { tensor: index + 1, row: 0 } : { tensor: index, row: rows.end });
      sinceStep = 0;
    }
  }
  for (const { files, graphBytes } of layouts) await target.write(files[0]?.path ?? '', 0, graphBytes);

  const variants = Object.fromEntries(layouts.map(({ variant, files }) => [variant, files]));
  const sidecars: ManifestFile[] = [];
  const texts = new Map(checkpoint.sidecars).set('config.json', huggingFaceConfig(config, variants));
  for (const [path, text] of texts) {
    const bytes = new TextEncoder().encode(text);
    await target.declare(path, bytes.length);
    await target.write(path, 0, bytes);
    sidecars.push({ path, sizeBytes: bytes.length });
  }
  return {
    formatVersion: 1,
    name: options.name,
    source: options.source,
    family: options.family,
    config,
    parameterCount: tensors.reduce((sum, { shape }) => sum + elements(shape), 0),
    variants,
    sidecars,
  };
}

/** Bytes that a conversion will write, to the byte but for the few of the sidecars. */
export function convertedBytes(config: LlamaConfig, variant: Variant): number {
  const { files } = new VariantLayout(variant, config);
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function tensorsInFileOrder(checkpoint: Checkpoint): CheckpointTensor[] {
  const files = new Map<string, number>();
  const tensors = [...checkpoint.tensors.values()];
  for (const { location } of tensors) {
    if (location !== undefined && !files.has(location.file)) files.set(location.file, files.size);
  }
  const place = ({ location }: CheckpointTensor) =>
    location === undefined ? [0, 0] : [files.get(location.file) ?? 0, location.offsetBytes];
  return tensors.sort((one, other) => {
    const [[file = 0, offset = 0], [otherFile = 0, otherOffset = 0]] = [place(one), place(other)];
    return file - otherFile || offset - otherOffset;
  });
}

/** Rows `first` to before `end` of a tensor, and their bytes in the checkpoint. */
interface RowRange {
  first: number;
  end: number;
  sizeBytes: number;
}

/** A vector counts as one row. */
function rowCountOf({ shape }: CheckpointTensor): number {
  return shape.length < 2 ? 1 : (shape[0] ?? 0);
}

/** The same ranges in each call for a checkpoint, so that pieces of an earlier call are found again. */
function* rowRanges(tensor: CheckpointTensor, stepBytes: number): Generator<RowRange, void, void> {
  const rowCount = rowCountOf(tensor);
  const { elements: blockElements, bytes: blockBytes } = BLOCK_FORMATS[tensor.storedType];
  const rowBytes = ((tensor.shape.at(-1) ?? 1) / blockElements) * blockBytes;
  const perRange = Math.max(1, Math.floor(stepBytes / rowBytes));
  for (let first = 0; first < rowCount; first += perRange) {
    const end = Math.min(first + perRange, rowCount);
    yield { first, end, sizeBytes: (end - first) * rowBytes };
  }
}

async function convertRows(
  tensor: CheckpointTensor,
  range: RowRange,
  uses: readonly TensorUse[],
  target: InPlaceTarget,
): Promise<void> {
  const { first } = range;
  const count = range.end - first;
  let rows: Float32Array | undefined;
  let rawRows: Uint8Array | undefined;
  for (const { assembly, firstRow } of uses) {
    const given =
      assembly.rawType === tensor.storedType
        ? (rawRows ??= await tensor.readRawRows(first, count))
        : (rows ??= await tensor.readRows(first, count));
    await assembly.add(given, firstRow + first, count, target);
  }
}

/** Where a tensor's rows go. */
interface TensorUse {
  assembly: WeightAssembly;
  /** Of the tensor's first row, in the weight. */
  firstRow: number;
}

/** Places of one variant's initializers in its data files. */
class VariantLayout {
  readonly variant: Variant;
  /** The graph first, then its data in order. */
  readonly files: readonly ManifestFile[];
  readonly graphBytes: Uint8Array;
  readonly #places = new Map<string, InitializerPlace>();
  readonly #uses = new Map<string, TensorUse[]>();

  constructor(variant: Variant, config: LlamaConfig) {
    this.variant = variant;
    const { graph, weights } = buildLlamaGraph(config, VARIANT_FORMATS[variant]);
    const placements = placeData(graph.external);
    const base = `${VARIANT_FILE_NAMES[variant]}.onnx`;
    const sizes: number[] = [];
    for (const [i, { fileIndex, offset }] of placements.entries()) {
      sizes[fileIndex] = offset + (graph.external[i]?.sizeBytes ?? 0);
    }
    const names = sizes.map((_, i) => `${base}_data${i === 0 ? '' : `_${i}`}`);
    for (const [i, { fileIndex, offset }] of placements.entries()) {
      this.#places.set(graph.external[i]?.name ?? '', { path: `onnx/${names[fileIndex]}`, offset });
    }
    this.graphBytes = graph.finish('llama', placements, names);
    this.files = [
      { path: `onnx/${base}`, sizeBytes: this.graphBytes.length },
      ...sizes.map((sizeBytes, i) => ({ path: `onnx/${names[i]}`, sizeBytes })),
    ];
    for (const weight of weights) this.#addUses(weight, config);
  }

  usesOf(tensorName: string): readonly TensorUse[] {
    return this.#uses.get(tensorName) ?? [];
  }

  #addUses(weight: PlannedWeight, config: LlamaConfig): void {
    const assembly = new WeightAssembly(
      `${this.variant}/${weight.name}`,
      weight,
      VARIANT_FORMATS[this.variant],
      (part) => {
        const place = this.#places.get(`${weight.name}.${part}`);
        if (place === undefined) throw new Error(`The graph has no initializer ${weight.name}.${part}; this is a bug.`);
        return place;
      },
    );
    let firstRow = 0;
    for (const source of weight.sources) {
      const uses = this.#uses.get(source) ?? [];
      uses.push({ assembly, firstRow });
      this.#uses.set(source, uses);
      firstRow += sourceRows(weight, source, config);
    }
    if (firstRow !== weight.rows)
      throw new Error(`${weight.name} has ${weight.rows} rows, not ${firstRow}; this is a bug.`);
  }
}

/** Rows that one tensor gives to a weight. */
function sourceRows({ sources, rows }: PlannedWeight, source: string, config: LlamaConfig): number {
  if (sources.length === 1) return rows;
  return (source.endsWith('.q_proj.weight') ? config.headCount : config.kvHeadCount) * config.headDim;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
