import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileWriter, parquetWriteRows } from 'hyparquet-writer';
import {
  formatItem,
  ITEM_FRAMES,
  type ItemFormat,
  messagesOf,
  type TextItemFormat,
} from '../../src/datasets/item-format.ts';
import type { TrainingItem } from '../../src/datasets/training-item.ts';
import { asDiskFailure } from './item-store.ts';

const FLUSH_BYTES = 1 << 20;

/**
 * Writes items to a file that appears when it is whole.
 *
 * @param items  each as the bytes of its JSON
 * @throws AlignError `storage-full`
 */
export async function writeItems(path: string, items: Iterable<Buffer>, format: ItemFormat): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.part`;
  try {
    if (format === 'parquet') await writeParquet(temporary, items);
    else await writePieces(temporary, piecesOf(format, items));
  } catch (error) {
    throw asDiskFailure(error, path);
  }
  await rename(temporary, path);
}

/** The bytes of the items as they lie in a file; those of their JSON pass as they are. */
function* piecesOf(format: TextItemFormat, items: Iterable<Buffer>): Generator<Buffer, void, void> {
  const { start, between, end, none } = ITEM_FRAMES[format];
  let isFirst = true;
  for (const bytes of items) {
    yield Buffer.from(isFirst ? start : between);
    yield format === 'openai' ? Buffer.from(formatItem(format, parse(bytes))) : bytes;
    isFirst = false;
  }
  yield Buffer.from(isFirst ? none : end);
}

function parse(bytes: Buffer): TrainingItem {
  return JSON.parse(bytes.toString()) as TrainingItem;
}

async function writePieces(path: string, pieces: Iterable<Buffer>): Promise<void> {
  const file = await open(path, 'w');
  try {
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    for (const piece of pieces) {
      pending.push(piece);
      pendingBytes += piece.length;
      if (pendingBytes < FLUSH_BYTES) continue;
      await file.write(Buffer.concat(pending));
      pending = [];
      pendingBytes = 0;
    }
    await file.write(Buffer.concat(pending));
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Small groups: a trainer's viewer reads the first of them, and so little is held in memory. */
const ROWS_PER_GROUP = 5000;

async function writeParquet(path: string, items: Iterable<Buffer>): Promise<void> {
  function* rows() {
    for (const bytes of items) {
      const item = parse(bytes);
      yield { id: item.id, messages: messagesOf(item) };
    }
  }
  await parquetWriteRows({
    writer: fileWriter(path),
    rows: rows(),
    columns: [{ name: 'id' }, { name: 'messages' }],
    // Three levels for a list, as the format wants it and every reader knows it.
    schema: [
      { name: 'root', num_children: 2 },
      { name: 'id', type: 'INT32', repetition_type: 'REQUIRED' },
      { name: 'messages', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'role', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL', converted_type: 'UTF8' },
      { name: 'content', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL', converted_type: 'UTF8' },
    ],
    rowGroupSize: ROWS_PER_GROUP,
    createdBy: 'metaaligner',
  });
}
