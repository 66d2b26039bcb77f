/** A file that is read by ranges and never whole: on disk, a Blob in the page, or behind HTTP. */
export interface ByteSource {
  /** Named in every error about it. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * @returns exactly `length` bytes from `offset`
   * @throws AlignError `checkpoint-corrupt` if the range ends past `sizeBytes`
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Files of one checkpoint or one converted model, by their path relative to its folder. */
export interface SourceFolder {
  /** Shown to the user: a path, an address or a hub id. */
  readonly name: string;
  /** Paths with `/`, such as `config.json` or `onnx/model_q4.onnx`. */
  list(): Promise<readonly string[]>;
  /** @throws AlignError `weights-missing` with the path if there is no such file */
  open(path: string): Promise<ByteSource>;
}

/** Where a conversion writes. A file counts as written once `close` resolved; `abort` removes what was begun. */
export interface TargetFolder {
  create(path: string): Promise<TargetFile>;
}

export interface TargetFile {
  /** Appends; the caller may reuse `bytes` after the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}
