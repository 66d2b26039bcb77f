import type { GraphBuilder } from './graph-builder.ts';

/** The small tensors that our graphs read; those that no node reads are not written. */
export function declareConstants(graph: GraphBuilder): void {
  const int64 = (...values: bigint[]) => new Uint8Array(BigInt64Array.from(values).buffer);
  const float32 = (value: number) => new Uint8Array(Float32Array.of(value).buffer);
  graph.constant('int64_one', 'int64', [1], int64(1n));
  graph.constant('int64_index_one', 'int64', [], int64(1n));
  graph.constant('int64_zero', 'int64', [1], int64(0n));
  graph.constant('int64_second_axis', 'int64', [1], int64(1n));
  graph.constant('int64_last_axis', 'int64', [1], int64(-1n));
  graph.constant('int64_end', 'int64', [1], int64(2n ** 63n - 1n));
  graph.constant('float_tiny', 'float32', [], float32(1e-30));
  graph.constant('float_127', 'float32', [], float32(127));
  graph.constant('float_128', 'float32', [], float32(128));
  graph.constant('uint8_128', 'uint8', [], Uint8Array.of(128));
}
