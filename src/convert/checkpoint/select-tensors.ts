import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import type { CheckpointTensor } from './checkpoint.ts';
import { checkpointTensor, elementCount, rowBytes, type StoredTensor } from './stored-tensor.ts';

/** What an architecture is made of, by Hugging Face's names. */
export interface WantedTensors {
  shapes: Iterable<readonly [name: string, shape: readonly number[]]>;
  /** Whether a tensor that is not among them may be there: one that changes nothing. */
  isIgnored: (name: string) => boolean;
  /** For messages: `a Llama decoder`. */
  what: string;
}

/**
 * The tensors that the configuration asks for, each there with the right shape in a form that we read.
 *
 * @param where  the file or folder, for what is missing
 * @throws AlignError `checkpoint-corrupt` for a missing tensor or a wrong shape; `unsupported-model` for a type we do
 *   not read, or a tensor that the plain architecture does not have (a bias, an adapter): leaving it out would give
 *   another model
 */
export function selectTensors(
  { shapes, isIgnored, what }: WantedTensors,
  stored: ReadonlyMap<string, StoredTensor>,
  where: string,
): { tensors: Map<string, CheckpointTensor>; sizeBytes: number } {
  const tensors = new Map<string, CheckpointTensor>();
  let sizeBytes = 0;
  for (const [name, shape] of shapes) {
    const tensor = stored.get(name);
    if (tensor === undefined) {
      throw corrupt(where, `the tensor ${name} is missing (${shapeText(shape)} wanted)`, { tensor: name, shape });
    }
    const file = tensor.source.name;
    if (tensor.shape.length !== shape.length || tensor.shape.some((length, i) => length !== shape[i])) {
      throw corrupt(
        file,
        `the tensor ${name} has shape ${shapeText(tensor.shape)}; the configuration asks for ${shapeText(shape)}`,
        { tensor: name, wanted: shape, actual: tensor.shape },
      );
    }
    const { rows } = tensor;
    if ('unreadable' in rows) {
      throw unsupported(file, `the tensor ${name} ${rows.unreadable}, which we do not read`, { tensor: name });
    }
    const columns = shape.at(-1) ?? 1;
    const bytesPerRow = rowBytes(rows.storedType, columns);
    if (bytesPerRow === undefined) {
      throw corrupt(file, `the tensor ${name} has rows of ${columns}, no whole number of ${rows.storedType} blocks`, {
        tensor: name,
        columns,
      });
    }
    sizeBytes += (elementCount(shape, file, name) / columns) * bytesPerRow;
    tensors.set(name, checkpointTensor(tensor, rows));
  }
  for (const [name, { source }] of stored) {
    if (!tensors.has(name) && !isIgnored(name)) {
      throw unsupported(source.name, `the tensor ${quote(name)} has no place in ${what} of this configuration`, {
        tensor: name,
      });
    }
  }
  return { tensors, sizeBytes };
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
