/** Where a classifier is. */
export type ClassifierLocation =
  /** A converted folder under this address (ends in `/`). */
  | { kind: 'url'; baseUrl: string }
  /** A folder that the visitor picked: converted, or as published, then converted in memory. */
  | {
      kind: 'files';
      name: string;
      /** Counts the picks: picked anew it may be another folder of the same name. */
      pick: number;
      files: { path: string; blob: Blob }[];
    }
  /** At the hub or a mirror; kept in this browser once it came. */
  | { kind: 'hub'; reference: string; endpoint: string; token: string | undefined };

export interface ClassifierRequest {
  /** What the worker knows the loaded classifier by. */
  id: string;
  location: ClassifierLocation;
  device: 'auto' | 'webgpu' | 'wasm';
}

/** What a load reports while it runs. */
export interface ClassifierProgress {
  phase: 'downloading' | 'converting' | 'reading';
  doneBytes: number;
  totalBytes: number;
}

/** A classifier that is loaded. */
export interface ClassifierInfo {
  /** Where its weights came from: a hub id with its commit, a folder's name. */
  source: string;
  /** By index of the logit. */
  labels: readonly string[];
  /** Tokens that it reads at most. */
  maxTokens: number;
  parameterCount: number;
  variant: 'fp32' | 'q8';
  device: 'wasm' | 'webgpu';
}

/** A text to score, after its context where the classifier reads pairs. */
export interface TextToScore {
  context: string | undefined;
  text: string;
}

/** `cutAtTokens` where the text is longer than what was read of it. */
export type Logits =
  | { type: 'logits'; logits: readonly number[]; cutAtTokens: number | undefined }
  /** Why there are none: a pair is not cut, what is left would be another one. */
  | { type: 'too-long'; tokens: number; maxTokens: number };

/** A classifier of the hub that this browser keeps, or whose download was begun. */
export interface KeptClassifier {
  /** `owner/name` or `owner/name@revision` */
  reference: string;
  storedBytes: number;
}

export type ScoreRunId = string;

/** The side that runs classifiers. Errors are AlignErrors; a cancelled call rejects with an AbortError. */
export interface ScoresWorkerApi {
  /** As `EngineWorkerApi.holdLock`. */
  holdLock(name: string): Promise<void>;
  /** Loads the classifier unless it is loaded. */
  open(
    runId: ScoreRunId,
    request: ClassifierRequest,
    onProgress: (progress: ClassifierProgress) => void,
  ): Promise<ClassifierInfo>;
  /** Of a classifier that is open. @returns one for each text, in order */
  classify(runId: ScoreRunId, id: string, texts: readonly TextToScore[]): Promise<Logits[]>;
  /** Unknown ids are ignored. */
  cancel(runId: ScoreRunId): void;
  /** Frees the classifiers that are not among these. */
  keepOnly(ids: readonly string[]): Promise<void>;
  kept(): Promise<KeptClassifier[]>;
  /** Frees the space of one that is kept. */
  forget(reference: string): Promise<void>;
}
