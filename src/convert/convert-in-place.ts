import type { Variant } from '../align/variant.ts';
import type { Checkpoint, CheckpointTensor } from './checkpoint/checkpoint.ts';
import { type ConvertOptions, huggingFaceConfig, VARIANT_FILE_NAMES } from './convert.ts';
import type { LlamaConfig } from './llama-config.ts';
import type { ManifestFile, ModelManifest } from './manifest.ts';
import { encodeRows, rawTypeOf } from './onnx/encode-rows.ts';
import { placeData } from './onnx/graph-builder.ts';
import { buildLlamaGraph } from './onnx/llama-graph.ts';
import type { PlannedWeight } from './onnx/llama-plan.ts';
import { formatOf, isTransposed, VARIANT_FORMATS } from './onnx/weight-format.ts';

/** Files that are written at any place; what was not written is zero. */
export interface InPlaceTarget {
  /** Before anything is written to a file. */
  declare(path: string, sizeBytes: number): Promise<void>;
  /** `bytes` may be reused when the promise resolves. */
  write(path: string, offset: number, bytes: Uint8Array): Promise<void>;
}

/** How far a conversion is: tensors in the order of the checkpoint's files, then rows. JSON data. */
export interface ConvertPosition {
  tensor: number;
  row: number;
}

export interface ConvertInPlaceOptions extends Omit<ConvertOptions, 'existing' | 'onProgress'> {
  /** Where an earlier call with the same checkpoint, variants and target stopped. */
  from?: ConvertPosition | undefined;
  /** Everything before the position has been written to the target. Called about every 8 MiB of float32 elements. */
  onStep?: (position: ConvertPosition) => Promise<void>;
}

/** Rows are read in pieces of about this many float32 bytes. */
const READ_BYTES = 8 << 20;
/**
 * The same for weights that are stored transposed: each piece touches every line of the weight, so that larger pieces
 * save more than they cost.
 */
const TRANSPOSED_READ_BYTES = 32 << 20;

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
  const start = options.from ?? { tensor: 0, row: 0 };
  for (let index = start.tensor; index < tensors.length; index++) {
    const tensor = tensors[index]!;
    await convertTensor(tensor, index === start.tensor ? start.row : 0, layouts, target, options.signal, (row) =>
      options.onStep?.({ tensor: index, row }),
    );
    await options.onStep?.({ tensor: index + 1, row: 0 });
  }
  for (const layout of layouts) await layout.writeRest(target);

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
  return new VariantLayout(variant, config).files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
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

async function convertTensor(
  tensor: CheckpointTensor,
  startRow: number,
  layouts: readonly VariantLayout[],
  target: InPlaceTarget,
  signal: AbortSignal | undefined,
  onStep: (row: number) => Promise<void> | undefined,
): Promise<void> {
  const uses = layouts.flatMap((layout) => layout.usesOf(tensor.name).map((use) => ({ ...use, layout })));
  const columns = tensor.shape.at(-1) ?? 1;
  const rowCount = tensor.shape.length < 2 ? 1 : (tensor.shape[0] ?? 0);
  const hasTransposed = uses.some(({ weight, layout }) => isTransposed(weight, formatOf(weight, layout.format)));
  const readBytes = hasTransposed ? TRANSPOSED_READ_BYTES : READ_BYTES;
  const rowsPerRead = Math.max(1, Math.floor(readBytes / (4 * columns)));
  for (let row = startRow; row < rowCount && uses.length > 0; row += rowsPerRead) {
    signal?.throwIfAborted();
    const count = Math.min(rowsPerRead, rowCount - row);
    let rows: Float32Array | undefined;
    let rawRows: Uint8Array | undefined;
    for (const { weight, firstRow, layout } of uses) {
      const isRaw = rawTypeOf(weight, layout.format) === tensor.storedType;
      const given = isRaw
        ? (rawRows ??= await tensor.readRawRows(row, count))
        : (rows ??= await tensor.readRows(row, count));
      for (const { part, offset, bytes } of encodeRows(weight, layout.format, given, firstRow + row)) {
        await layout.write(target, `${weight.name}.${part}`, offset, bytes);
      }
    }
    if (row + count < rowCount) await onStep(row + count);
  }
}

/** Where a weight's rows come from and begin. */
interface TensorUse {
  weight: PlannedWeight;
  firstRow: number;
}

/** Places of one variant's initializers in its data files. */
class VariantLayout {
  readonly variant: Variant;
  /** The graph first, then its data in order. */
  readonly files: readonly ManifestFile[];
  readonly #places = new Map<string, { path: string; offset: number }>();
  readonly #uses = new Map<string, TensorUse[]>();
  readonly #graphBytes: Uint8Array;

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
    this.#graphBytes = graph.finish('llama', placements, names);
    this.files = [
      { path: `onnx/${base}`, sizeBytes: this.#graphBytes.length },
      ...sizes.map((sizeBytes, i) => ({ path: `onnx/${names[i]}`, sizeBytes })),
    ];
    for (const weight of weights) this.#addUses(weight, config);
  }

  get format() {
    return VARIANT_FORMATS[this.variant];
  }

  usesOf(tensorName: string): readonly TensorUse[] {
    return this.#uses.get(tensorName) ?? [];
  }

  async write(target: InPlaceTarget, initializer: string, offset: number, bytes: Uint8Array): Promise<void> {
    const place = this.#places.get(initializer);
    if (place === undefined) throw new Error(`The graph has no initializer ${initializer}; this is a bug.`);
    await target.write(place.path, place.offset + offset, bytes);
  }

  /** What does not come from the checkpoint: the graph. */
  async writeRest(target: InPlaceTarget): Promise<void> {
    await target.write(this.files[0]?.path ?? '', 0, this.#graphBytes);
  }

  #addUses(weight: PlannedWeight, config: LlamaConfig): void {
    let firstRow = 0;
    for (const source of weight.sources) {
      const uses = this.#uses.get(source) ?? [];
      uses.push({ weight, firstRow });
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
