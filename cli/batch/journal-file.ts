import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  checkJournalHeader,
  formatJournalHeader,
  formatResult,
  type JobDescription,
  parseResult,
  type RowResult,
} from '../../src/batch/journal.ts';
import { splitLines } from '../../src/batch/split-lines.ts';
import { atPath } from '../disk-fault.ts';
import { UsageError } from '../usage-error.ts';

/**
 * Finished rows, on disk before they count as finished. A result that is written again replaces the one before. In
 * memory stand eight bytes for each row and objective set.
 */
export class JournalFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #setCount: number;
  /** By row and set: where its line begins; negative for a failure; 0, where the header is, for none. */
  #offsets = new Float64Array(1024);
  #endOffset = 0;
  /** Writes wait for each other, and none comes after one that failed. */
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, setCount: number) {
    this.#path = path;
    this.#file = file;
    this.#setCount = setCount;
  }

  /**
   * Opens the journal, or begins it; begins it anew when `isRestarted`. A line torn by a kill is cut off: its row was never told to be finished.
   *
   * @throws UsageError when another run has it open; AlignError `invalid-request` when it belongs to another job
   */
  static async open(
    path: string,
    job: JobDescription,
    { setCount, isRestarted }: { setCount: number; isRestarted: boolean },
  ): Promise<JournalFile> {
    await lock(path);
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'a+');
      // Under the lock: the journal of a run that is going on is not emptied.
      if (isRestarted) await file.truncate(0);
      const journal = new JournalFile(path, file, setCount);
      await journal.#load(job);
      await syncFolder(dirname(path));
      return journal;
    } catch (error) {
      await file?.close();
      await unlock(path);
      throw error;
    }
  }

  async #load(job: JobDescription): Promise<void> {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let lineNumber = 0;
    for await (const { bytes, offset, isWhole } of splitLines(createReadStream(this.#path) as AsyncIterable<Buffer>)) {
      if (!isWhole) break;
      lineNumber += 1;
      const line = decoder.decode(bytes);
      if (lineNumber === 1) checkJournalHeader(line, job, this.#path);
      else this.#remember(parseResult(line, lineNumber, this.#path), offset);
      this.#endOffset = offset + bytes.length + 1;
    }
    await this.#file.truncate(this.#endOffset);
    if (lineNumber === 0) await this.#write(formatJournalHeader(job));
  }

  /** `failed` rows are finished too. */
  stateOf(row: number, set: number): 'edited' | 'failed' | undefined {
    const offset = this.#offsets[row * this.#setCount + set] ?? 0;
    if (offset === 0) return undefined;
    return offset > 0 ? 'edited' : 'failed';
  }

  /** Resolves when the result is on disk. */
  async append(result: RowResult): Promise<void> {
    this.#remember(result, await this.#write(formatResult(result)));
  }

  /** @returns undefined for a row that is not finished */
  async read(row: number, set: number): Promise<RowResult | undefined> {
    const offset = Math.abs(this.#offsets[row * this.#setCount + set] ?? 0);
    if (offset === 0) return undefined;
    let buffer = Buffer.alloc(8192);
    for (;;) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, offset);
      const end = buffer.subarray(0, bytesRead).indexOf(0x0a);
      if (end >= 0) return parseResult(buffer.toString('utf8', 0, end), NaN, this.#path);
      if (bytesRead < buffer.length) throw new Error(`${this.#path} ended inside a line; this is a bug.`);
      buffer = Buffer.alloc(buffer.length * 4);
    }
  }

  async close(): Promise<void> {
    await this.#lastWrite.catch(() => undefined);
    await this.#file.close();
    await unlock(this.#path);
  }

  /** @returns where the line begins */
  #write(line: string): Promise<number> {
    const bytes = Buffer.from(line);
    let offset = 0;
    const write = this.#lastWrite.then(async () => {
      offset = this.#endOffset;
      try {
        await this.#file.appendFile(bytes);
        await this.#file.datasync();
      } catch (error) {
        throw atPath(error, this.#path, { keepsEarlier: this.#offsets.some((at) => at !== 0) });
      }
      this.#endOffset += bytes.length;
    });
    this.#lastWrite = write;
    return write.then(() => offset);
  }

  #remember(result: RowResult, offset: number): void {
    const at = result.row * this.#setCount + result.set;
    if (at >= this.#offsets.length) {
      const larger = new Float64Array(Math.max(at + 1, this.#offsets.length * 2));
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets[at] = 'error' in result ? -offset : offset;
  }
}

/** Makes a new or renamed file's name survive a power cut. */
export async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Windows cannot sync a folder, and need not.
    if (process.platform !== 'win32') throw error;
  } finally {
    await folder.close();
  }
}

/** Two runs that append to one journal would do every row twice. The lock of a killed run is taken over. */
async function lock(path: string): Promise<void> {
  const lockPath = `${path}.lock`;
  for (;;) {
    try {
      await writeFile(lockPath, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(lockPath, 'utf8').catch(() => ''));
    if (holder !== process.pid && isRunning(holder)) {
      throw new UsageError(`Process ${holder} is running this batch. (If it is not, delete ${lockPath}.)`);
    }
    await rm(lockPath, { force: true });
  }
}

async function unlock(path: string): Promise<void> {
  await rm(`${path}.lock`, { force: true });
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
