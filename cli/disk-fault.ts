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
  ENOSPC: 'cannot be written: the disk is full. What was finished before is kept',
  EDQUOT: 'cannot be written: your share of the disk is used up. What was finished before is kept',
  EMFILE: 'cannot be opened: too many files are open',
};

/** @returns a path that cannot be used, and why, as a sentence; undefined for another error */
export function diskFault(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', path, syscall } = error as NodeJS.ErrnoException;
  const reason = REASONS[code];
  if (reason === undefined || syscall === undefined) return undefined;
  // A file that is open already goes without its path.
  return `${path ?? 'A file'} ${reason}.`;
}
