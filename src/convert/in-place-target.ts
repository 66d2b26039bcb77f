/** Files that are written at any place; what was not written is zero. */
export interface InPlaceTarget {
  /** Before anything is written to a file. */
  declare(path: string, sizeBytes: number): Promise<void>;
  /** `bytes` may be reused when the promise resolves. */
  write(path: string, offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * Keeps a part of a weight that is not complete yet. It is there for a later call from the next step on, until the
   * first step after `dropPiece`. The bytes belong to the target from here on and are not changed.
   */
  keepPiece(name: string, bytes: Uint8Array): Promise<void>;
  readPiece(name: string): Promise<Uint8Array>;
  dropPiece(name: string): void;
}
