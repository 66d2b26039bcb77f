import { AlignError } from '../../src/align/errors.ts';
import { note } from '../terminal.ts';

/** Shown one by one; the rest is in the report. */
const MAX_SHOWN = 10;

export interface RowProblem {
  /** Line of a JSONL file, row of a CSV file, from 1. */
  line: number;
  problem: string;
}

/** Rows that cannot be used: counted and listed, or, where the user asked for it, the end of the run. */
export class RowProblems {
  readonly list: RowProblem[] = [];
  readonly #path: string;
  readonly #isStrict: boolean;

  constructor(path: string, isStrict: boolean) {
    this.#path = path;
    this.#isStrict = isStrict;
  }

  /** @throws AlignError `invalid-request` when the run is strict */
  add(line: number, problem: string): void {
    if (this.#isStrict) {
      throw new AlignError('invalid-request', `Line ${line} of ${this.#path}: ${problem} (--strict)`, {
        details: { path: this.#path, line },
      });
    }
    this.list.push({ line, problem });
    if (this.list.length <= MAX_SHOWN) note(`Line ${line} is left out: ${problem}`);
    else if (this.list.length === MAX_SHOWN + 1) note('More lines are left out; the report lists them.');
  }
}
