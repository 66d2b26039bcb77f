/** What a file's bytes must hash to, as its publisher says. */
export interface FileDigest {
  /** `git-blob`: SHA-1 of git's object, which the hub lists for small files. */
  algorithm: 'sha256' | 'git-blob';
  /** Lower-case hexadecimal. */
  hex: string;
}

export interface RemoteFile {
  /** Relative to the repository, with `/`. */
  path: string;
  url: string;
  sizeBytes: number;
  /** Absent where the host publishes none: what the first download brought is trusted. */
  digest: FileDigest | undefined;
}

/** A repository or folder as it was when it was listed. */
export interface RemoteRepository {
  /** Shown to the user: a hub id, or the folder's address. */
  name: string;
  kind: 'hub' | 'url';
  /** The hub's commit; for a plain folder the sha256 of its manifest. It pins what is downloaded. */
  revision: string;
  files: readonly RemoteFile[];
}
