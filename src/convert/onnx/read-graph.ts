import { ELEMENT_TYPES, type ElementType } from './graph-builder.ts';
import { readFields } from './protobuf.ts';

/** Field numbers of onnx.proto3. */
export const MODEL_GRAPH = 7;
export const GRAPH = { node: 1, initializer: 5 };
const NODE = { input: 1, output: 2, type: 4, attribute: 5 };
const ATTRIBUTE = { name: 1, float: 2, int: 3 };
const TENSOR = { dim: 1, type: 2, name: 8, raw: 9, external: 13 };

export interface GraphNode {
  type: string;
  /** Names; empty where an optional one is left out. */
  inputs: string[];
  outputs: string[];
  /** Integers and floats by name. */
  attributes: ReadonlyMap<string, number | undefined>;
}

export interface Initializer {
  /** Undefined for one that we never write. */
  type: ElementType | undefined;
  shape: number[];
  /** The bytes, or in which file they are. */
  data: Uint8Array | { location: string; offset: number; sizeBytes: number };
}

/** @param model  an onnx.ModelProto */
export function readNodes(model: Uint8Array): GraphNode[] {
  return graphMessages(model, GRAPH.node).map((node) => ({
    type: textsAt(node, NODE.type)[0] ?? '',
    inputs: textsAt(node, NODE.input),
    outputs: textsAt(node, NODE.output),
    attributes: new Map(
      messagesAt(node, NODE.attribute).map((attribute) => [
        textsAt(attribute, ATTRIBUTE.name)[0] ?? '',
        readFields(attribute).flatMap(({ number, int, float }) =>
          number === ATTRIBUTE.int ? [int] : number === ATTRIBUTE.float ? [float] : [],
        )[0],
      ]),
    ),
  }));
}

/** By name. @param model  an onnx.ModelProto as GraphBuilder writes it */
export function readInitializers(model: Uint8Array): Map<string, Initializer> {
  const types = Object.entries(ELEMENT_TYPES) as [ElementType, { code: number }][];
  return new Map(
    graphMessages(model, GRAPH.initializer).map((tensor) => {
      const fields = readFields(tensor);
      const intsAt = (field: number) => fields.flatMap(({ number, int }) => (number === field ? [int ?? NaN] : []));
      const external = new Map(
        messagesAt(tensor, TENSOR.external).map((entry) => [textsAt(entry, 1)[0], textsAt(entry, 2)[0] ?? '']),
      );
      const code = intsAt(TENSOR.type)[0];
      const initializer: Initializer = {
        type: types.find(([, type]) => type.code === code)?.[0],
        shape: intsAt(TENSOR.dim),
        data: external.has('location')
          ? {
              location: external.get('location')!,
              offset: Number(external.get('offset')),
              sizeBytes: Number(external.get('length')),
            }
          : (messagesAt(tensor, TENSOR.raw)[0] ?? new Uint8Array()),
      };
      return [textsAt(tensor, TENSOR.name)[0] ?? '', initializer];
    }),
  );
}

/** The fields of that number that are text, bytes or messages. */
export function messagesAt(message: Uint8Array, field: number): Uint8Array[] {
  return readFields(message).flatMap(({ number, bytes }) => (number === field && bytes !== undefined ? [bytes] : []));
}

function textsAt(message: Uint8Array, field: number): string[] {
  return messagesAt(message, field).map((text) => new TextDecoder().decode(text));
}

function graphMessages(model: Uint8Array, field: number): Uint8Array[] {
  return messagesAt(model, MODEL_GRAPH).flatMap((graph) => messagesAt(graph, field));
}
