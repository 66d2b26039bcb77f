import { afterEach, expect, it, vi } from 'vitest';
import { note } from './terminal.ts';

type Written = (error?: Error | null) => void;

afterEach(() => vi.restoreAllMocks());

/** Standard error on a disk that a test fills and frees. Each write ends when the test says so. */
function onDisk() {
  const disk = { isFull: false, text: '', endWrites: () => {} };
  const ends: (() => void)[] = [];
  disk.endWrites = () => {
    for (const end of ends.splice(0)) end();
  };
  vi.spyOn(process.stderr, 'write').mockImplementation(((text: string, written: Written) => {
    const { isFull } = disk;
    if (!isFull) disk.text += text;
    ends.push(() => written(isFull ? new Error('ENOSPC: no space left on device, write') : null));
    return true;
  }) as typeof process.stderr.write);
  return disk;
}

it('says once, with the first line that is written again, how many lines were lost', () => {
  const disk = onDisk();
  note('before');
  disk.endWrites();
  disk.isFull = true;
  for (const line of ['lost', 'lost', 'lost']) {
    note(line);
    disk.endWrites();
  }
  disk.isFull = false;
  // A burst: the second is written before it is known that the first one was.
  note('again');
  note('and on');
  disk.endWrites();
  note('later');
  expect(disk.text).toBe('before\n\n3 lines before this one could not be written.\nagain\nand on\nlater\n');
  disk.endWrites();
});

it('counts a line that was to tell of others with them where it is lost too', () => {
  const disk = onDisk();
  disk.isFull = true;
  note('lost');
  disk.endWrites();
  note('lost with what it told');
  disk.endWrites();
  disk.isFull = false;
  note('again');
  expect(disk.text).toBe('\n2 lines before this one could not be written.\nagain\n');
  disk.endWrites();
});
