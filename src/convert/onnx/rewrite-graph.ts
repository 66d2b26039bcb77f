import type { GraphBuilder } from './graph-builder.ts';
import { MessageWriter, readFields } from './protobuf.ts';

/** Field numbers of onnx.proto3. */
export const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const NODE = { input: 1, output: 2, type: 4, attribute: 5 };
const ATTRIBUTE = { name: 1, float: 2, int: 3 };

export interface GraphNode {
  type: string;
  /** Names; empty where an optional one is left out. */
  inputs: string[];
  outputs: string[];
  /** Integers and floats by name. */
  attributes: ReadonlyMap<string, number | undefined>;
}

/** @param model  an onnx.ModelProto */
export function readNodes(model: Uint8Array): GraphNode[] {
  return nodeMessages(model).map(readNode);
}

/**
 * @param isReplaced  nodes that go, by their place in `readNodes`
 * @param added       what takes their place, nodes and constants; written behind the others
 */
export function replaceNodes(
  model: Uint8Array,
  isReplaced: (index: number) => boolean,
  added: GraphBuilder,
): Uint8Array {
  const kept = new MessageWriter();
  let index = -1;
  for (const field of messagesAt(model, MODEL_GRAPH).flatMap(readFields)) {
    if (field.number === GRAPH_NODE) index += 1;
    if (field.number !== GRAPH_NODE || !isReplaced(index)) kept.copy(field);
  }
  const result = new MessageWriter();
  for (const field of readFields(model)) if (field.number !== MODEL_GRAPH) result.copy(field);
  // Messages that are written one after the other are read as one, lists appended.
  return result.message(MODEL_GRAPH, kept).message(MODEL_GRAPH, added.additions()).finish();
}

/** The fields of that number that are text, bytes or messages. */
export function messagesAt(message: Uint8Array, field: number): Uint8Array[] {
  return readFields(message).flatMap(({ number, bytes }) => (number === field && bytes !== undefined ? [bytes] : []));
}

function nodeMessages(model: Uint8Array): Uint8Array[] {
  return messagesAt(model, MODEL_GRAPH).flatMap((graph) => messagesAt(graph, GRAPH_NODE));
}

function readNode(bytes: Uint8Array): GraphNode {
  const decoder = new TextDecoder();
  const texts = (message: Uint8Array, field: number) => messagesAt(message, field).map((text) => decoder.decode(text));
  return {
    type: texts(bytes, NODE.type)[0] ?? '',
    inputs: texts(bytes, NODE.input),
    outputs: texts(bytes, NODE.output),
    attributes: new Map(
      messagesAt(bytes, NODE.attribute).map((attribute) => [
        texts(attribute, ATTRIBUTE.name)[0] ?? '',
        readFields(attribute).flatMap(({ number, int, float }) =>
          number === ATTRIBUTE.int ? [int] : number === ATTRIBUTE.float ? [float] : [],
        )[0],
      ]),
    ),
  };
}
