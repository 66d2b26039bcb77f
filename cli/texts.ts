import { readFile } from 'node:fs/promises';
import { AlignError } from '../src/align/errors.ts';
import { UsageError } from './usage-error.ts';

/** Help text of every option that reads a text. */
export const TEXT_SOURCE_HELP =
  'UTF-8, used byte for byte: a newline at its end is part of the text (printf %s "…" writes none); - is standard input';

/**
 * A text exactly as it is in its file: nothing is trimmed, a byte order mark stays.
 *
 * @param source  path, or `-` for standard input
 * @throws UsageError when there is no such file; AlignError `invalid-request` when it is not UTF-8
 */
export async function readTextExactly(source: string): Promise<string> {
  const bytes = source === '-' ? await readStandardInput() : await readUserFile(source);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const name = source === '-' ? 'Standard input' : source;
    throw new AlignError('invalid-request', `${name} is not UTF-8 text (${bytes.length} bytes).`, { cause });
  }
}

async function readStandardInput(): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** @throws UsageError that names the file and why it cannot be read */
async function readUserFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`;
    throw new UsageError(`The file ${path} ${why}.`, { cause });
  }
}
