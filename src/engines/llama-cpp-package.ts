import { AlignError } from '../align/errors.ts';

/**
 * What of node-llama-cpp 3 is used here. The package is an optional peer: its types are there only where it is installed,
 * so those that are needed are written down.
 *
 * @see node-llama-cpp 3.21.1, dist/evaluator/LlamaContext/LlamaContext.d.ts
 */
export interface LlamaCppPackage {
  getLlama(options: {
    gpu: 'auto' | LlamaGpu | { type: 'auto'; exclude: LlamaGpu[] };
    /** `never` compiles nothing, and fails where no build fits this machine. */
    build: 'never';
    skipDownload: true;
    progressLogs: false;
    /** 0 is no limit. */
    maxThreads?: number;
    logLevel: 'error';
    logger: (level: string, message: string) => void;
  }): Promise<Llama>;
  InputLookupTokenPredictor: new (options: {
    patternLength: { min: number };
    predictionLength: { max: number };
  }) => LlamaTokenPredictor;
}

export type LlamaGpu = 'cuda' | 'vulkan' | 'metal' | false;

export interface Llama {
  readonly gpu: LlamaGpu;
  getGpuDeviceNames(): Promise<string[]>;
  loadModel(options: {
    modelPath: string;
    loadSignal?: AbortSignal;
    onLoadProgress?: (fraction: number) => void;
  }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}

export interface LlamaModel {
  createContext(options: { contextSize: number; sequences: number; threads?: number }): Promise<LlamaContext>;
  dispose(): Promise<void>;
}

interface LlamaContext {
  getSequence(options: { tokenPredictor: LlamaTokenPredictor }): LlamaSequence;
  dispose(): Promise<void>;
}

/** One of the texts that a context holds at a time. */
export interface LlamaSequence {
  /** Of all time: the drafted tokens that turned out right. */
  readonly tokenPredictions: { readonly validated: number };
  /** End excluded. */
  eraseContextTokenRanges(ranges: { start: number; end: number }[]): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: number[]): Promise<void>;
  /** A token each; the one that is given to `next` is written in its place. */
  evaluateWithMetadata(
    tokens: number[],
    metadata: { probabilities: boolean },
    options: EvaluateOptions,
  ): AsyncGenerator<{ token: number; probabilities?: Map<number, number> }, void, number | undefined>;
}

export interface EvaluateOptions {
  /** Greedy: our own sampler draws from the probabilities. */
  temperature: 0;
  yieldEogToken: true;
  repeatPenalty?: { punishTokens: () => number[]; maxPunishTokens: number; penalty: number };
}

export interface LlamaTokenPredictor {
  updateInputTokens(tokens: number[]): void;
  predictTokens(): number[] | Promise<number[]>;
}

/** A name that no compiler looks up: it may be missing. */
const PACKAGE: string = 'node-llama-cpp';

/** @throws AlignError `engine-failed` with the command to run, where the package is not installed */
export async function loadLlamaCppPackage(
  load: () => Promise<unknown> = () => import(PACKAGE) as Promise<unknown>,
): Promise<LlamaCppPackage> {
  let loaded: unknown;
  try {
    loaded = await load();
  } catch (cause) {
    const { code, message = '' } = cause as NodeJS.ErrnoException;
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${PACKAGE}'`);
    throw new AlignError(
      'engine-failed',
      isMissing
        ? `The llama-cpp engine needs the package ${PACKAGE}, which is not installed. Run: npm install ${PACKAGE}@3`
        : `The package ${PACKAGE} does not load: ${message}`,
      { cause },
    );
  }
  const { getLlama, InputLookupTokenPredictor } = loaded as Partial<LlamaCppPackage>;
  if (typeof getLlama !== 'function' || typeof InputLookupTokenPredictor !== 'function') {
    throw new AlignError('engine-failed', `The ${PACKAGE} that is installed is too old. Run: npm install ${PACKAGE}@3`);
  }
  return { getLlama, InputLookupTokenPredictor };
}
