import { once } from 'node:events';

let lostNotes = 0;

/** Everything that is not the result. What could not be written (a log on a full disk) is counted where it can be again. */
export function note(message: string): void {
  const lost = lostNotes;
  // Told by this line alone, unless it is lost too: another may be written before this one's end is known.
  lostNotes = 0;
  // Of the first of them a part may have been written: what follows is a line of its own.
  const told = lost === 0 ? '' : `\n${lost} lines before this one could not be written.\n`;
  process.stderr.write(`${told}${message}\n`, (error) => {
    if (error instanceof Error) lostNotes += lost + 1;
  });
}

/** The result, byte for byte. Waits while the reader is slow. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/**
 * A reader that has seen enough (`| head`) is no failure: the command ends without a word. What nobody can be told on a full
 * disk is no failure of what runs either; a result that cannot be written is one.
 */
export function endQuietlyWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      if (error.code !== 'ENOSPC') throw error;
      if (stream === process.stderr) return;
      note('The output cannot be written: no space is left where it goes.');
      process.exit(1);
    });
  }
}

/** Aborts at Ctrl-C. A second one ends the process at once, as it would without us. */
export function interruptSignal(): AbortSignal {
  const aborter = new AbortController();
  process.once('SIGINT', () => aborter.abort(new DOMException('Interrupted', 'AbortError')));
  return aborter.signal;
}

/** One line on a terminal that is written over; elsewhere a line now and then, so that a log stays short. */
export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY;
  #lastTenth = -1;
  #lastLabel = '';

  /** @param fraction  0 to 1 */
  show(label: string, fraction: number, detail = ''): void {
    const percent = Math.floor(Math.min(fraction, 1) * 100);
    if (this.#isTerminal) {
      const width = 24;
      const filled = Math.floor((percent * width) / 100);
      const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
      process.stderr.write(`\r\x1b[2K${bar} ${String(percent).padStart(3)} % ${label} ${detail}`);
      return;
    }
    const tenth = Math.floor(percent / 10);
    if (label === this.#lastLabel && tenth === this.#lastTenth) return;
    this.#lastLabel = label;
    this.#lastTenth = tenth;
    note(`${String(percent).padStart(3)} % ${label} ${detail}`.trimEnd());
  }

  /** Leaves the terminal's line free for what comes next. */
  end(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[2K');
  }
}

/** Passes items on, and shows on a terminal how many there were so far. */
export async function* counted<Item>(items: AsyncIterable<Item>, label: string): AsyncGenerator<Item, void, void> {
  const step = 5000;
  let count = 0;
  try {
    for await (const item of items) {
      count += 1;
      if (process.stderr.isTTY && count % step === 0) {
        process.stderr.write(`\r\x1b[2K${count.toLocaleString('en-US')} ${label}`);
      }
      yield item;
    }
  } finally {
    if (process.stderr.isTTY && count >= step) process.stderr.write('\r\x1b[2K');
  }
}

/** `619 MB`, decimal as on disks. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 99.5 || unit === 0 ? value.toFixed(0) : value.toPrecision(2)} ${units[unit]}`;
}
