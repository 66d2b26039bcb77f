import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { atPath } from '../disk-fault.ts';
import { syncFolder } from './journal-file.ts';

/** The journal and the lists that stand beside `NAME.csv`: `NAME.journal.jsonl`, `NAME.errors.jsonl`, … */
export function pathBeside(outputPath: string, kind: string): string {
  return `${outputPath.replace(/\.[^./\\]+$/, '')}.${kind}`;
}

/** Writes a file that appears under its name only when it is whole and on disk. */
export async function writeWhole(
  path: string,
  fill: (write: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const partPath = `${path}.part`;
  const file: FileHandle = await open(partPath, 'w');
  let pending = '';
  const fault = (error: unknown) => {
    throw atPath(error, path);
  };
  const flush = async () => {
    await file.appendFile(pending).catch(fault);
    pending = '';
  };
  try {
    await fill(async (text) => {
      pending += text;
      if (pending.length > 1 << 20) await flush();
    });
    await flush();
    await file.sync().catch(fault);
  } finally {
    await file.close();
  }
  await rename(partPath, path);
  await syncFolder(dirname(path));
}
