import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readProtobuf } from '../tokenizer/protobuf.ts';
import {
  DATA_ALIGNMENT,
  type ExternalInitializer,
  GraphBuilder,
  MAX_DATA_FILE_BYTES,
  placeData,
} from './graph-builder.ts';

function tensorsOf(sizes: readonly number[]): ExternalInitializer[] {
  return sizes.map((sizeBytes, i) => ({ name: `tensor ${i}`, type: 'uint8', shape: [sizeBytes], sizeBytes }));
}

const LIMIT = 1000;
const sizes = fc.array(fc.integer({ min: 0, max: 2 * LIMIT }), { maxLength: 40 });

describe('placeData', () => {
  it('keeps the order, aligns every tensor and lets none overlap', () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const places = placeData(tensorsOf(given), LIMIT);
        expect(places).toHaveLength(given.length);
        let end = 0;
        let fileIndex = 0;
        for (const [i, place] of places.entries()) {
          expect(place.offset % DATA_ALIGNMENT).toBe(0);
          if (place.fileIndex === fileIndex) {
            expect(place.offset - end).toBeGreaterThanOrEqual(0);
            expect(place.offset - end).toBeLessThan(DATA_ALIGNMENT);
          } else {
            expect(place).toEqual({ fileIndex: fileIndex + 1, offset: 0 });
          }
          fileIndex = place.fileIndex;
          end = place.offset + given[i]!;
        }
      }),
    );
  });

  it('starts a new file where the limit would be passed, and only there', () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const places = placeData(tensorsOf(given), LIMIT);
        for (const [i, { fileIndex, offset }] of places.entries()) {
          // A tensor above the limit stands alone.
          if (offset > 0) expect(offset + given[i]!).toBeLessThanOrEqual(LIMIT);
          const before = places[i - 1];
          if (before === undefined || before.fileIndex === fileIndex) continue;
          const next = Math.ceil((before.offset + given[i - 1]!) / DATA_ALIGNMENT) * DATA_ALIGNMENT;
          expect(next + given[i]!).toBeGreaterThan(LIMIT);
        }
      }),
    );
  });

  it('fills a file to the last byte of the limit', () => {
    expect(placeData(tensorsOf([64, 936]), LIMIT).map(({ fileIndex }) => fileIndex)).toEqual([0, 0]);
    expect(placeData(tensorsOf([64, 937]), LIMIT).map(({ fileIndex }) => fileIndex)).toEqual([0, 1]);
  });

  it('keeps files below what one ArrayBuffer of a browser holds', () => {
    expect(MAX_DATA_FILE_BYTES).toBeLessThan(2 ** 31 - 1);
    const gigabyte = 1_000_000_000;
    expect(placeData(tensorsOf([gigabyte, gigabyte])).map(({ fileIndex }) => fileIndex)).toEqual([0, 1]);
  });

  it('places nothing for nothing', () => {
    expect(placeData([])).toEqual([]);
  });
});

describe('GraphBuilder', () => {
  it('writes the bytes of Python’s onnx', () => {
    const golden = JSON.parse(readFileSync(new URL('fixtures/graph.json', import.meta.url), 'utf8')) as {
      model: string;
    };
    const graph = new GraphBuilder();
    graph.input('x', 'float32', ['batch', 64]);
    graph.input('keep', 'int64', []);
    graph.constant('axis', 'int64', [1], new Uint8Array(BigInt64Array.of(-1n).buffer));
    graph.constant('unused', 'int32', [1], new Uint8Array(4));
    graph.weight('w.data', 'uint8', [300, 2, 16]);
    graph.weight('w.scales', 'float32', [600]);
    graph.weight('late', 'int8', [5, 7]);
    graph.node('Unsqueeze', ['x', 'axis'], ['wide']);
    const attributes = { K: 64, N: 300, bits: 4 };
    graph.node('MatMulNBits', ['wide', 'w.data', 'w.scales', ''], ['y'], attributes, 'com.microsoft');
    graph.node('LayerNormalization', ['y'], ['z', '', 'sum'], { axis: -1, epsilon: { float: 1e-5 } });
    graph.node('Transpose', ['z'], ['logits'], { perm: [0, 2, 1] });
    graph.output('logits', 'float16', ['batch', 'tokens', 300]);

    const places = placeData(graph.external, 12_000);
    const bytes = graph.finish('small', places, ['small.onnx_data', 'small.onnx_data_1']);
    expect(Buffer.from(bytes).toString('base64')).toBe(golden.model);
  });

  it('gives a weight the size of its shape and type', () => {
    const graph = new GraphBuilder();
    graph.weight('half', 'float16', [3, 5]);
    graph.weight('scalar', 'int64', []);
    expect(graph.external.map(({ sizeBytes }) => sizeBytes)).toEqual([30, 8]);
  });

  it('names each tensor’s file by its place', () => {
    const graph = new GraphBuilder();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 10 }), (given) => {
        graph.external.length = 0;
        given.forEach((size, i) => graph.weight(`w${i}`, 'uint8', [size]));
        const places = placeData(graph.external, 700);
        const names = Array.from({ length: places.at(-1)!.fileIndex + 1 }, (_, i) => `data ${i}`);
        expect(readExternal(graph.finish('x', places, names))).toEqual(
          places.map(({ fileIndex, offset }, i) => ({
            name: `w${i}`,
            location: `data ${fileIndex}`,
            offset: String(offset),
            length: String(given[i]),
          })),
        );
      }),
    );
  });

  it('returns the first output of a node, to be read by the next', () => {
    expect(new GraphBuilder().node('Split', ['x'], ['a', 'b'])).toBe('a');
  });

  it('refuses a tensor without a place', () => {
    const graph = new GraphBuilder();
    graph.weight('lost', 'uint8', [1]);
    expect(() => graph.finish('x', [], ['data'])).toThrow('lost has no place');
    expect(() => graph.finish('x', [{ fileIndex: 1, offset: 0 }], ['data'])).toThrow('lost has no place');
  });
});

/** Name and external data entries of a model's initializers. */
function readExternal(model: Uint8Array): Record<string, string>[] {
  const fields = (message: Uint8Array) => [...readProtobuf(message, 'model')];
  const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
  const graph = fields(model).find(({ number }) => number === 7)!;
  const tensors = fields(graph.bytes).filter(({ number }) => number === 5);
  return tensors.map(({ bytes }) => {
    const tensor = fields(bytes);
    const entries = tensor
      .filter(({ number }) => number === 13)
      .map((entry) => fields(entry.bytes).map((part) => text(part.bytes)) as [string, string]);
    return { name: text(tensor.find(({ number }) => number === 8)?.bytes), ...Object.fromEntries(entries) };
  });
}
