import type { CheckpointTensor } from './checkpoint.ts';

/**
 * A matrix as its transpose. It is read whole at its first row and held until its last: at most a few dozen megabytes for
 * a layer of GPT-2.
 */
export function transposed(tensor: CheckpointTensor): CheckpointTensor {
  const [columns = 0, rows = 0] = tensor.shape;
  let held: Promise<Float32Array> | undefined;
  const read = async (): Promise<Float32Array> => {
    const values = await tensor.readRows(0, columns);
    const turned = new Float32Array(values.length);
    for (let column = 0; column < columns; column++) {
      for (let row = 0; row < rows; row++) turned[row * columns + column] = values[column * rows + row]!;
    }
    return turned;
  };
  const readRows = async (first: number, count: number): Promise<Float32Array> => {
    const values = await (held ??= read());
    if (first + count >= rows) held = undefined;
    return values.slice(first * columns, (first + count) * columns);
  };
  return {
    name: tensor.name,
    storedType: 'F32',
    shape: [rows, columns],
    readRows,
    readRawRows: async (first, count) => new Uint8Array((await readRows(first, count)).buffer),
  };
}
