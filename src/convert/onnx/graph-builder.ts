import { MessageWriter } from './protobuf.ts';

/** Element types of ONNX's TensorProto. */
export const ELEMENT_TYPES = {
  float32: { code: 1, bytes: 4 },
  uint8: { code: 2, bytes: 1 },
  int8: { code: 3, bytes: 1 },
  int32: { code: 6, bytes: 4 },
  int64: { code: 7, bytes: 8 },
  float16: { code: 10, bytes: 2 },
} as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** A fixed size, or the name of one that is known at run time. */
export type Dimension = number | string;

export interface ExternalInitializer {
  name: string;
  type: ElementType;
  shape: readonly number[];
  sizeBytes: number;
}

type Attribute = number | { float: number } | readonly number[];

/** The default ONNX domain, and the one of onnxruntime's own operators. */
type Domain = '' | 'com.microsoft';

const OPSET = { '': 18, 'com.microsoft': 1 } as const;
const IR_VERSION = 9;

/** External data is cut where a file would pass this: a page holds each file in one ArrayBuffer, which ends near 2 GB. */
export const MAX_DATA_FILE_BYTES = 1_900_000_000;

/** Files start their tensors at multiples of this, so that float views of a mapped file are aligned. */
export const DATA_ALIGNMENT = 64;

/** Where a tensor's bytes are. */
export interface DataPlacement {
  /** 0 for the first data file. */
  fileIndex: number;
  offset: number;
}

/**
 * Lays tensors out in order: aligned, and a new file where one would pass the limit.
 *
 * @throws nothing; a tensor above the limit gets a file of its own
 */
export function placeData(
  tensors: readonly ExternalInitializer[],
  maxFileBytes = MAX_DATA_FILE_BYTES,
): DataPlacement[] {
  let fileIndex = 0;
  let end = 0;
  return tensors.map(({ sizeBytes }) => {
    let offset = Math.ceil(end / DATA_ALIGNMENT) * DATA_ALIGNMENT;
    if (end > 0 && offset + sizeBytes > maxFileBytes) {
      fileIndex += 1;
      offset = 0;
    }
    end = offset + sizeBytes;
    return { fileIndex, offset };
  });
}

/** Collects nodes and tensors, then writes them as one ONNX model whose weights are in external data files. */
export class GraphBuilder {
  /** In the order of their declaration, which is the order of their bytes. */
  readonly external: ExternalInitializer[] = [];
  readonly #views: { view: ExternalInitializer; of: string }[] = [];
  readonly #nodes: MessageWriter[] = [];
  readonly #constants = new Map<string, MessageWriter>();
  readonly #usedNames = new Set<string>();
  readonly #inputs: MessageWriter[] = [];
  readonly #outputs: MessageWriter[] = [];

  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** A tensor whose bytes are written to the data file. */
  weight(name: string, type: ElementType, shape: readonly number[]): string {
    const count = shape.reduce((product, size) => product * size, 1);
    this.external.push({ name, type, shape, sizeBytes: count * ELEMENT_TYPES[type].bytes });
    return name;
  }

  /** A tensor whose bytes are those of a weight that is declared already, in another shape. */
  view(name: string, type: ElementType, shape: readonly number[], of: string): string {
    const sizeBytes = this.external.find((weight) => weight.name === of)?.sizeBytes;
    if (sizeBytes !== shape.reduce((product, size) => product * size, ELEMENT_TYPES[type].bytes)) {
      throw new Error(`${name} has not the bytes of ${of}; this is a bug.`);
    }
    this.#views.push({ view: { name, type, shape, sizeBytes }, of });
    return name;
  }

  /** A small tensor inside the graph; it is written only if a node reads it. */
  constant(name: string, type: ElementType, shape: readonly number[], rawData: Uint8Array): string {
    const tensor = new MessageWriter();
    for (const size of shape) tensor.int(1, size);
    tensor.int(2, ELEMENT_TYPES[type].code).string(8, name).bytes(9, rawData);
    this.#constants.set(name, tensor);
    return name;
  }

  /**
   * @param inputs  an empty string leaves an optional input out
   * @param outputs  likewise
   * @returns the first output
   */
  node(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    domain: Domain = '',
  ): string {
    const node = new MessageWriter();
    for (const name of inputs) {
      node.string(1, name);
      this.#usedNames.add(name);
    }
    for (const name of outputs) node.string(2, name);
    const first = outputs[0] ?? '';
    node.string(3, `${first}/${type}`).string(4, type);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    if (domain !== '') node.string(7, domain);
    this.#nodes.push(node);
    return first;
  }

  /** An onnx.GraphProto of the nodes and constants alone: what may be written behind another graph. */
  additions(): MessageWriter {
    const graph = new MessageWriter();
    this.#writeNodes(graph);
    this.#writeConstants(graph);
    return graph;
  }

  /** @param dataFileNames  by file index; relative to the graph's own folder */
  finish(graphName: string, placements: readonly DataPlacement[], dataFileNames: readonly string[]): Uint8Array {
    const graph = new MessageWriter();
    this.#writeNodes(graph);
    graph.string(2, graphName);
    this.#writeConstants(graph);
    const place = (tensor: ExternalInitializer, index: number) => {
      const placement = placements[index];
      const location = dataFileNames[placement?.fileIndex ?? -1];
      if (placement === undefined || location === undefined)
        throw new Error(`${tensor.name} has no place; this is a bug.`);
      graph.message(5, externalTensor(tensor, location, placement.offset));
    };
    this.external.forEach(place);
    for (const { view, of } of this.#views) {
      place(
        view,
        this.external.findIndex(({ name }) => name === of),
      );
    }
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);

    const model = new MessageWriter().int(1, IR_VERSION).string(2, 'metaaligner').message(7, graph);
    for (const [domain, version] of Object.entries(OPSET)) {
      model.message(8, new MessageWriter().string(1, domain).int(2, version));
    }
    return model.finish();
  }

  #writeNodes(graph: MessageWriter): void {
    for (const node of this.#nodes) graph.message(1, node);
  }

  #writeConstants(graph: MessageWriter): void {
    for (const [name, tensor] of this.#constants) if (this.#usedNames.has(name)) graph.message(5, tensor);
  }
}

function attribute(name: string, value: Attribute): MessageWriter {
  const writer = new MessageWriter().string(1, name);
  if (typeof value === 'number') return writer.int(3, value).int(20, 2);
  if (Array.isArray(value)) {
    for (const item of value as readonly number[]) writer.int(8, item);
    return writer.int(20, 7);
  }
  return writer.float(2, (value as { float: number }).float).int(20, 1);
}

function valueInfo(name: string, type: ElementType, shape: readonly Dimension[]): MessageWriter {
  const dimensions = new MessageWriter();
  for (const size of shape) {
    const dimension = new MessageWriter();
    if (typeof size === 'number') dimension.int(1, size);
    else dimension.string(2, size);
    dimensions.message(1, dimension);
  }
  const tensor = new MessageWriter().int(1, ELEMENT_TYPES[type].code).message(2, dimensions);
  return new MessageWriter().string(1, name).message(2, new MessageWriter().message(1, tensor));
}

function externalTensor(tensor: ExternalInitializer, location: string, offset: number): MessageWriter {
  const writer = new MessageWriter();
  for (const size of tensor.shape) writer.int(1, size);
  writer.int(2, ELEMENT_TYPES[tensor.type].code).string(8, tensor.name);
  const entries = { location, offset: String(offset), length: String(tensor.sizeBytes) };
  for (const [key, value] of Object.entries(entries)) {
    writer.message(13, new MessageWriter().string(1, key).string(2, value));
  }
  return writer.int(14, 1);
}
