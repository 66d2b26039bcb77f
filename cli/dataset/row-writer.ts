import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatHeader, formatRow } from '../../src/batch/row-format.ts';
import { asDiskFailure } from './item-store.ts';

const FLUSH_LENGTH = 1 << 20;

/** A CSV file that is written row by row and appears when it is whole. */
export class RowWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #columns: readonly string[];
  #pending: string;

  static async create(path: string, columns: readonly string[]): Promise<RowWriter> {
    await mkdir(dirname(path), { recursive: true });
    return new RowWriter(path, await open(`${path}.part`, 'w'), columns);
  }

  private constructor(path: string, file: FileHandle, columns: readonly string[]) {
    this.#path = path;
    this.#file = file;
    this.#columns = columns;
    this.#pending = formatHeader('csv', columns);
  }

  async add(cells: readonly string[]): Promise<void> {
    this.#pending += formatRow('csv', this.#columns, cells);
    if (this.#pending.length > FLUSH_LENGTH) await this.#flush();
  }

  async finish(): Promise<void> {
    await this.#flush();
    await this.#file.sync();
    await this.#file.close();
    await rename(`${this.#path}.part`, this.#path);
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(`${this.#path}.part`, { force: true });
  }

  async #flush(): Promise<void> {
    try {
      await this.#file.write(this.#pending);
    } catch (error) {
      throw asDiskFailure(error, this.#path);
    }
    this.#pending = '';
  }
}

/** Gives the writer to `write`; the file appears when that went well, and goes when it did not. */
export async function writeRows(
  path: string,
  columns: readonly string[],
  write: (writer: RowWriter) => Promise<void>,
): Promise<void> {
  const writer = await RowWriter.create(path, columns);
  try {
    await write(writer);
  } catch (error) {
    await writer.discard();
    throw error;
  }
  await writer.finish();
}
