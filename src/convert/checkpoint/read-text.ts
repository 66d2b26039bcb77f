import type { ByteSource } from '../byte-source.ts';
import { corrupt } from './checkpoint-errors.ts';

const MEBIBYTE = 1 << 20;

/**
 * What a text file of a checkpoint may take, in bytes. Real ones stay far below: config.json under 2 kB, a shard index
 * of a 70B model 70 kB, tokenizer.json with 128,000 pieces and 280,000 merges 17 MB.
 */
export const TEXT_LIMIT_BYTES = { config: MEBIBYTE, index: 16 * MEBIBYTE, tokenizer: 64 * MEBIBYTE } as const;

/**
 * A whole text file.
 *
 * @throws AlignError `checkpoint-corrupt` if it is longer than `limitBytes` or not UTF-8
 */
export async function readText(source: ByteSource, limitBytes: number): Promise<string> {
  if (source.sizeBytes > limitBytes) {
    throw corrupt(source.name, `${source.sizeBytes} bytes are too many for such a file (at most ${limitBytes})`);
  }
  return decodeUtf8(await source.read(0, source.sizeBytes), source.name, 'its text');
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws AlignError `checkpoint-corrupt` if `what` is not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, file: string, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    // Also reached for a text longer than an engine's longest string; no limit of ours lets that through.
    throw corrupt(file, `${what} is not UTF-8`, { cause: String(error) });
  }
}
