/** What a person can do about each; other errors of the system are bugs of ours, or told where they happen. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'is not there, or its folder is not',
  ENOTDIR: 'lies below something that is no folder',
  EEXIST: 'is there already, and is no folder',
  EISDIR: 'is a folder, where a file is wanted',
  EACCES: 'may not be read or written by you',
  EPERM: 'may not be read or written by you',
  EROFS: 'lies on a disk that can only be read',
  ENAMETOOLONG: 'has too long a name',
  ENOSPC: 'cannot be written: the disk is full',
  EDQUOT: 'cannot be written: your share of the disk is used up',
  EMFILE: 'cannot be opened: too many files are open',
};

/** Failed writes to files that keep what was written to them before. */
const keeping = new WeakSet<Error>();

/**
 * For what the system says of a file that is open, which goes without its path.
 *
 * @param keepsEarlier  the file keeps what was finished before it was written to, and the next run goes on from there
 * @returns the same error, with the path
 */
export function atPath(error: unknown, path: string, { keepsEarlier = false } = {}): unknown {
  if (!(error instanceof Error)) return error;
  (error as NodeJS.ErrnoException).path ??= path;
  if (keepsEarlier) keeping.add(error);
  return error;
}

/** @returns a path that cannot be used, and why, as a sentence; undefined for another error */
export function diskFault(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', path, syscall } = error as NodeJS.ErrnoException;
  const reason = REASONS[code];
  if (reason === undefined || syscall === undefined) return undefined;
  const kept = keeping.has(error) ? ' What was finished before is kept.' : '';
  if (path === undefined && code === 'EISDIR') return `A folder was given where a file is wanted.${kept}`;
  return `${path ?? 'A file'} ${reason}.${kept}`;
}
