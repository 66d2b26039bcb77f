import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AlignError } from '../../src/align/errors.ts';
import { splitLines } from '../../src/batch/split-lines.ts';
import { asDiskFailure } from './item-store.ts';

/** What a scorer made of a pair: the scores of its responses, rounded; or why it has none. */
export type PairScore = readonly [chosen: number, rejected: number] | string;

/** Scores of the pairs from `first` on, for one objective. */
interface Entry {
  objective: number;
  first: number;
  scores: PairScore[];
}

/** Scores on disk as they come: a run that ended goes on behind the last that are there. */
export class ScoreJournal {
  readonly #path: string;
  readonly #file: FileHandle;
  /** By objective, of the pairs in order. */
  readonly #scores: PairScore[][];

  private constructor(path: string, file: FileHandle, objectiveCount: number) {
    this.#path = path;
    this.#file = file;
    this.#scores = Array.from({ length: objectiveCount }, () => []);
  }

  /**
   * @param job  all that the scores depend on, as JSON data
   * @throws AlignError `invalid-request` when the journal is of another job
   */
  static async open(path: string, job: object, objectiveCount: number, isRestarted: boolean): Promise<ScoreJournal> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'a+');
    try {
      if (isRestarted) await file.truncate(0);
      const journal = new ScoreJournal(path, file, objectiveCount);
      await journal.#load(JSON.stringify(job));
      return journal;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Of one objective, in the pairs' order. */
  scoresOf(objective: number): readonly PairScore[] {
    return this.#scores[objective] ?? [];
  }

  /** Adds the scores of the pairs that follow; they are on disk when the promise resolves. */
  async append(objective: number, scores: PairScore[]): Promise<void> {
    const known = this.#scores[objective]!;
    const entry: Entry = { objective, first: known.length, scores };
    try {
      await this.#file.appendFile(`${JSON.stringify(entry)}\n`);
      await this.#file.datasync();
    } catch (error) {
      throw asDiskFailure(error, this.#path);
    }
    known.push(...scores);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.#path, { force: true });
  }

  async #load(job: string): Promise<void> {
    let [lineNumber, endOffset] = [0, 0];
    const lines = splitLines(createReadStream(this.#path) as AsyncIterable<Buffer>);
    for await (const { bytes, offset, isWhole } of lines) {
      // Torn by a kill: its scores are made again.
      if (!isWhole) break;
      lineNumber += 1;
      const line = new TextDecoder().decode(bytes);
      if (lineNumber === 1 ? line !== job : !this.#take(line)) {
        const problem =
          lineNumber === 1 ? 'belongs to other scores or another file' : `is damaged at line ${lineNumber}`;
        throw new AlignError('invalid-request', `${this.#path} ${problem}. Begin anew with --restart.`, {
          details: { path: this.#path, line: lineNumber },
        });
      }
      endOffset = offset + bytes.length + 1;
    }
    await this.#file.truncate(endOffset);
    if (lineNumber === 0) await this.#file.appendFile(`${job}\n`);
  }

  #take(line: string): boolean {
    let entry: Partial<Entry> | null;
    try {
      entry = JSON.parse(line) as Partial<Entry> | null;
    } catch {
      return false;
    }
    const known = this.#scores[entry?.objective ?? -1];
    if (known === undefined || entry?.first !== known.length || !Array.isArray(entry.scores)) return false;
    known.push(...entry.scores);
    return true;
  }
}
