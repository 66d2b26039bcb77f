import { AlignError } from '../align/errors.ts';
import { type ByteSource, ForwardReader, type ReadOptions } from '../convert/byte-source.ts';
import type { RowsModel } from './rows-model.ts';
import {
  filled,
  FLOAT_FIELDS,
  type Layout,
  layOut,
  MODEL_FIELDS,
  type ModelField,
  type PlacedWeight,
  roundUp,
} from './wasm-layout.ts';

/** What src/engines/wasm-kernels exports. */
export interface Kernels {
  /** Computes the step that the memory describes, with all threads. */
  step(): void;
  /** A thread's share of every step from now on. Does not return. */
  serve(thread: number): void;
  /** A little of the work of a step, to be timed. */
  probe(): void;
  packColumns(source: number, outputs: number, weight: number, inputs: number, first: number): void;
  packRow(source: number, weight: number, inputs: number, output: number): void;
  sumRows(weight: number, inputs: number, outputs: number): void;
}

/** Where the kernels look for their `Model`. */
const MODEL_ADDRESS = 1024;
const PAGE_BYTES = 65_536;
/** That 32 bits address. */
const MAX_PAGES = 65_536;
/** The cache grows by so many tokens. */
const CACHE_TOKENS = 256;

/** A file of weights, and how it is read. */
export interface DataFile extends ReadOptions {
  /** As the graph calls it. */
  name: string;
  source: ByteSource;
}

/** A step as `Decoder.step` is asked for it. */
export interface WasmStep {
  tokenIds: Int32Array;
  pastTokens: number;
  logitRows: number;
}

/**
 * The memory that kernels compute in: a model's weights as the kernels read them, the keys and values of what was read, and what a
 * step needs on its way.
 */
export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  readonly #model: RowsModel;
  readonly #layout: Layout;
  readonly #maxStepTokens: number;
  #cacheTokens = 0;

  /** @throws RangeError if there is not so much memory */
  constructor(model: RowsModel, threads: number, maxStepTokens: number) {
    this.#model = model;
    this.#maxStepTokens = maxStepTokens;
    this.#layout = layOut(model, threads, maxStepTokens);
    const { fields, layers } = this.#layout;
    const [initial, whole] = [this.#pages(0), this.#pages(roundUp(model.contextLength, 2))];
    if (initial > MAX_PAGES) throw outOfMemory(initial * PAGE_BYTES);
    this.memory = new WebAssembly.Memory({ initial, maximum: Math.min(MAX_PAGES, whole), shared: true });
    for (const [name, value] of Object.entries(fields)) this.#set(name as ModelField, value);
    new Int32Array(this.memory.buffer, fields.layers, layers.length).set(layers);
    this.#writeRotary();
  }

  /** Makes room for a cache of so many tokens; what it holds stays. @throws RangeError if there is not so much memory */
  reserve(tokens: number): void {
    if (tokens <= this.#cacheTokens) return;
    const { layerCount, kvHeadCount, headDim } = this.#model;
    const capacity = Math.min(roundUp(tokens, CACHE_TOKENS), roundUp(this.#model.contextLength, 2));
    const pages = this.#pages(capacity);
    if (pages > MAX_PAGES) throw outOfMemory(pages * PAGE_BYTES);
    const missing = pages - this.memory.buffer.byteLength / PAGE_BYTES;
    if (missing > 0) this.memory.grow(missing);
    const cache = new Float32Array(this.memory.buffer, this.#layout.fields.cache);
    const [oldRun, run] = [this.#cacheTokens * headDim, capacity * headDim];
    for (let head = 2 * layerCount * kvHeadCount - 1; head > 0; head--) {
      cache.copyWithin(head * run, head * oldRun, (head + 1) * oldRun);
    }
    this.#cacheTokens = capacity;
    this.#set('cacheTokens', capacity);
  }

  describe({ tokenIds, pastTokens, logitRows }: WasmStep): void {
    const tokens = tokenIds.length;
    const room = Math.min(this.#maxStepTokens, Math.min(this.#cacheTokens, this.#model.contextLength) - pastTokens);
    if (tokens > room) throw new Error(`A step of ${tokens} tokens where there is room for ${room}; this is a bug.`);
    new Int32Array(this.memory.buffer, this.#layout.fields.tokenIds, tokens).set(tokenIds);
    this.#set('tokens', tokens);
    this.#set('pastTokens', pastTokens);
    this.#set('logitRows', logitRows);
  }

  /** float32 [vocabulary], of a row of the last step's; the next step overwrites it. */
  logits(row: number): Float32Array {
    const { logits, vocabularyColumns } = this.#layout.fields;
    return new Float32Array(this.memory.buffer, logits + 4 * row * vocabularyColumns, this.#model.vocabularySize);
  }

  /**
   * Reads the weights and lays them out as the kernels read them, one by one: no two are in memory beside this one.
   *
   * @throws AlignError `weights-corrupt` if a file is missing or ends before a weight does; what the files throw
   */
  async pack(kernels: Kernels, files: readonly DataFile[]): Promise<void> {
    const { fields, vectors, weights, stepBytes } = this.#layout;
    const readers = new Map<DataFile, ForwardReader>();
    const read = ({ file, offset, sizeBytes }: StoredInFile) => {
      const reader = readers.get(file) ?? new ForwardReader(file.source, file);
      readers.set(file, reader);
      return reader.read(offset, sizeBytes);
    };
    const parts = [
      ...vectors.map((vector) => ({
        stored: this.#storedOf(vector.name, 4 * vector.size, files),
        lay: (data: Uint8Array) => new Uint8Array(this.memory.buffer).set(data, vector.address),
      })),
      ...weights.map((weight) => ({
        stored: this.#storedOf(weight.name, weight.inputs * weight.outputs, files),
        lay: (data: Uint8Array) => this.#packWeight(kernels, weight, data),
      })),
    ];
    parts.sort((a, b) => orderOf(a.stored, files) - orderOf(b.stored, files));
    refuseOverlaps(parts.map(({ stored }) => stored));
    try {
      for (const { stored, lay } of parts) lay(stored instanceof Uint8Array ? stored : await read(stored));
    } finally {
      await Promise.all([...readers.values()].map((reader) => reader.close()));
    }
    new Uint8Array(this.memory.buffer).fill(0, fields.residual, fields.residual + stepBytes);
  }

  #packWeight(kernels: Kernels, { address, inputs, outputs, isByRow }: PlacedWeight, data: Uint8Array): void {
    const bytes = new Uint8Array(this.memory.buffer);
    // A piece of a weight on its way is where steps will be computed.
    const piece = this.#layout.fields.residual;
    const columns = filled(inputs);
    const width = isByRow ? inputs : outputs;
    const [rowsOfPiece, pieceBytes] = isByRow ? [1, columns] : [16, 16 * outputs];
    for (let row = 0; row < (isByRow ? outputs : inputs); row += rowsOfPiece) {
      const rows = data.subarray(row * width, (row + rowsOfPiece) * width);
      bytes.set(rows, piece);
      bytes.fill(0, piece + rows.length, piece + pieceBytes);
      if (isByRow) kernels.packRow(piece, address, columns, row);
      else kernels.packColumns(piece, outputs, address, columns, row);
    }
    kernels.sumRows(address, columns, filled(outputs));
  }

  /** Pages of everything with a cache of so many tokens. */
  #pages(cacheTokens: number): number {
    const { layerCount, kvHeadCount, headDim } = this.#model;
    const tokenBytes = 4 * 2 * layerCount * kvHeadCount * headDim;
    return Math.ceil((this.#layout.fields.cache + cacheTokens * tokenBytes) / PAGE_BYTES);
  }

  #set(field: ModelField, value: number): void {
    const at = MODEL_ADDRESS + 4 * MODEL_FIELDS.indexOf(field);
    const view = new DataView(this.memory.buffer);
    if (FLOAT_FIELDS.includes(field)) view.setFloat32(at, value, true);
    else view.setUint32(at, value, true);
  }

  /** Where a weight's bytes are. */
  #storedOf(name: string, sizeBytes: number, files: readonly DataFile[]): Stored {
    const refuse = (what: string): never => {
      throw new AlignError('weights-corrupt', `The weight ${name} ${what}.`, { details: { weight: name } });
    };
    const data = this.#model.initializers.get(name)?.data;
    if (data === undefined) return refuse('is missing in the graph');
    const storedBytes = data instanceof Uint8Array ? data.length : data.sizeBytes;
    if (storedBytes !== sizeBytes) return refuse(`has ${storedBytes} bytes; its shape takes ${sizeBytes}`);
    if (data instanceof Uint8Array) return data;
    const { location, offset } = data;
    if (!(offset >= 0)) return refuse(`begins at byte ${offset} of ${location}`);
    const file = files.find((each) => each.name === location);
    if (file === undefined) return refuse(`is in ${location}, which is not there`);
    const end = offset + sizeBytes;
    if (!(end <= file.source.sizeBytes)) {
      return refuse(`ends at byte ${end} of ${location}, which has ${file.source.sizeBytes}`);
    }
    return { file, offset, sizeBytes };
  }

  /** Angles in float32, as the graph has them. */
  #writeRotary(): void {
    const { contextLength, rotaryFrequencies } = this.#model;
    const size = contextLength * rotaryFrequencies.length;
    const cos = new Float32Array(this.memory.buffer, this.#layout.fields.cos, size);
    const sin = new Float32Array(this.memory.buffer, this.#layout.fields.sin, size);
    for (let position = 0, at = 0; position < contextLength; position++) {
      for (const frequency of rotaryFrequencies) {
        const angle = Math.fround(position * frequency);
        cos[at] = Math.cos(angle);
        sin[at++] = Math.sin(angle);
      }
    }
  }
}

interface StoredInFile {
  file: DataFile;
  offset: number;
  sizeBytes: number;
}

/** A weight's bytes, or where they are. */
type Stored = Uint8Array | StoredInFile;

/** @param stored  in the order of the files' bytes */
function refuseOverlaps(stored: readonly Stored[]): void {
  let last: StoredInFile | undefined;
  for (const one of stored) {
    if (one instanceof Uint8Array) continue;
    if (one.file === last?.file && one.offset < last.offset + last.sizeBytes) {
      throw new AlignError('weights-corrupt', `Two weights share byte ${one.offset} of ${one.file.name}.`);
    }
    last = one;
  }
}

/** Of the order in which files hold weights; those in the graph come first. */
function orderOf(stored: Stored, files: readonly DataFile[]): number {
  if (stored instanceof Uint8Array) return -1;
  const before = files.slice(0, files.indexOf(stored.file));
  return before.reduce((sum, { source }) => sum + source.sizeBytes, stored.offset);
}

/** In words that `toEngineError` knows. */
function outOfMemory(bytes: number): RangeError {
  return new RangeError(`out of memory: ${bytes} bytes are needed, and wasm addresses ${MAX_PAGES * PAGE_BYTES}`);
}
