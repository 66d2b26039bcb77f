import type { Engine, EngineDevice, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { roomToGenerate } from '../align/request.ts';
import { checkGeneration } from './check-generation.ts';
import type { DecoderConfig } from './decode-loop.ts';
import { DraftLength } from './draft-length.ts';
import { toEngineError } from './engine-error.ts';
import {
  type Llama,
  type LlamaCppPackage,
  type LlamaGpu,
  type LlamaModel,
  type LlamaSequence,
  type LlamaTokenPredictor,
  loadLlamaCppPackage,
} from './llama-cpp-package.ts';
import { Sampler } from './sampling.ts';

export const LLAMA_CPP_DEVICES = ['auto', 'cuda', 'metal', 'vulkan', 'cpu'] as const;
export type LlamaCppDevice = (typeof LLAMA_CPP_DEVICES)[number];

export interface LlamaCppEngineOptions {
  /** The GGUF, or the first part of a split one. */
  path: string;
  config: DecoderConfig;
  /** `auto` takes a GPU whose build of node-llama-cpp is installed and works, else the CPU. */
  device?: LlamaCppDevice;
  /** Of the CPU; by default one for each core. */
  threads?: number;
  prefillChunkTokens?: number;
  /** Generations at a time; they share each step. 1 by default. */
  concurrency?: number;
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

/** A step that reads a prompt: an abort waits for no more than this, a second or so with 7B on a CPU. */
const PREFILL_CHUNK_TOKENS = { cpu: 32, gpu: 512 };
/** Shorter matches are found everywhere and seldom go on. */
const LOOKUP = { patternLength: { min: 2 }, predictionLength: { max: 16 } };
/** GPUs that are programs: slower than the CPU that they run on. */
const SOFTWARE_GPU = /llvmpipe|lavapipe|swiftshader|software|basic render/i;

/**
 * An engine on llama.cpp, by node-llama-cpp, which has to be installed beside us.
 *
 * @throws AlignError `engine-failed`, `out-of-memory`; the signal's reason
 */
export async function createLlamaCppEngine(options: LlamaCppEngineOptions): Promise<Engine> {
  const { path, config, device = 'auto', threads, concurrency = 1, onProgress, signal } = options;
  const installed = await loadLlamaCppPackage();
  signal?.throwIfAborted();
  const { llama, complaints } = await startRuntime(installed, device);
  complaints.length = 0;
  const engineDevice = llama.gpu === false ? 'cpu' : llama.gpu;
  let model: LlamaModel | undefined;
  try {
    const loaded = await llama.loadModel({
      modelPath: path,
      ...(signal !== undefined && { loadSignal: signal }),
      ...(onProgress !== undefined && { onLoadProgress: onProgress }),
    });
    model = loaded;
    const context = await loaded.createContext({
      // It keeps one place of each sequence free.
      contextSize: config.contextLength + 1,
      sequences: concurrency,
      ...(threads !== undefined && { threads }),
    });
    signal?.throwIfAborted();
    const lanes = Array.from({ length: concurrency }, () => {
      const drafts = createDrafts(installed);
      return { sequence: context.getSequence({ tokenPredictor: drafts }), drafts, heldIds: [], isTaken: false };
    });
    const { prefillChunkTokens = PREFILL_CHUNK_TOKENS[llama.gpu === false ? 'cpu' : 'gpu'] } = options;
    const unload = async () => {
      await context.dispose();
      await loaded.dispose();
    };
    return new LlamaCppEngine({ lanes, device: engineDevice, config, prefillChunkTokens, unload });
  } catch (error) {
    await model?.dispose();
    signal?.throwIfAborted();
    const reason = [error instanceof Error ? error.message : String(error), ...complaints].join(' ');
    throw toEngineError(new Error(reason, { cause: error }), engineDevice, 'loading the model');
  }
}

/** llama.cpp, and what it complained of last. */
interface Runtime {
  llama: Llama;
  complaints: string[];
}

/** So many complaints say why a load failed; a process that lives for weeks keeps no more. */
const MOST_COMPLAINTS = 3;

/** One for each device: it takes a second to start, holds nothing of a model, and keeps no process from ending. */
const runtimes = new Map<LlamaCppDevice, Promise<Runtime>>();

async function startRuntime(installed: LlamaCppPackage, device: LlamaCppDevice): Promise<Runtime> {
  const known = runtimes.get(device);
  if (known !== undefined) return known;
  const starting = startLlama(installed, device);
  runtimes.set(device, starting);
  starting.catch(() => runtimes.delete(device));
  return starting;
}

async function startLlama(installed: LlamaCppPackage, device: LlamaCppDevice): Promise<Runtime> {
  const complaints: string[] = [];
  const start = (gpu: 'auto' | LlamaGpu) =>
    installed.getLlama({
      gpu,
      build: 'never',
      progressLogs: false,
      skipDownload: true,
      // Each context says how many it takes.
      maxThreads: 0,
      logLevel: 'error',
      logger(_level, message) {
        complaints.push(message.trim());
        if (complaints.length > MOST_COMPLAINTS) complaints.shift();
      },
    });
  try {
    const wanted = device === 'cpu' ? false : device;
    const llama = await start(wanted);
    // Asked for Metal on Linux, it takes the CPU.
    if (wanted !== 'auto' && llama.gpu !== wanted) throw new Error(`it would run on ${llama.gpu || 'the CPU'} instead`);
    if (wanted !== 'auto' || llama.gpu === false) return { llama, complaints };
    const names = await llama.getGpuDeviceNames();
    if (!names.every((name) => SOFTWARE_GPU.test(name))) return { llama, complaints };
    await llama.dispose();
    return { llama: await start(false), complaints };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AlignError(
      'engine-failed',
      `node-llama-cpp has no build for ${device === 'auto' ? 'this machine' : device} that works here: ${reason}`,
      { cause, details: { device, reason } },
    );
  }
}

/** node-llama-cpp's prompt lookup, as long as it pays. */
interface Drafts extends LlamaTokenPredictor {
  /** Tokens that the next step may check at most. */
  most: number;
  /** A new text begins. */
  begin(promptIds: number[]): void;
  /** What became of the last step. */
  record(accepted: number, ms: number): void;
}

function createDrafts({ InputLookupTokenPredictor }: LlamaCppPackage): Drafts {
  class AdaptiveDrafts extends InputLookupTokenPredictor implements Drafts {
    most = 0;
    readonly #draftLength = new DraftLength();
    #drafted = 0;

    begin(promptIds: number[]): void {
      this.updateInputTokens(promptIds);
      this.#draftLength.begin();
    }

    override predictTokens(): number[] {
      const count = this.#draftLength.choose(Math.min(this.most, LOOKUP.predictionLength.max));
      const found = count === 0 ? [] : (super.predictTokens() as number[]);
      this.#drafted = Math.min(count, found.length);
      return found.slice(0, count);
    }

    record(accepted: number, ms: number): void {
      this.#draftLength.record(this.#drafted, accepted, ms);
      for (let i = 0; i < accepted; i++) this.#draftLength.learn(true);
      if (accepted < this.#drafted) this.#draftLength.learn(false);
    }
  }
  return new AdaptiveDrafts(LOOKUP);
}

/** A sequence of the context, and what it holds. */
interface Lane {
  readonly sequence: LlamaSequence;
  readonly drafts: Drafts;
  /**
   * Tokens of the last prompt that were read in whole chunks. The next prompt often begins with them, and is written then
   * as if it were read from its start, since its steps are the same.
   */
  heldIds: readonly number[];
  isTaken: boolean;
}

interface EngineParts {
  lanes: readonly Lane[];
  device: EngineDevice;
  config: DecoderConfig;
  prefillChunkTokens: number;
  /** Waits for the step that runs. */
  unload: () => Promise<void>;
}

/** What of one generation its steps need. */
interface Generation {
  promptIds: readonly number[];
  options: GenerateOptions;
  /** New tokens at most. */
  room: number;
  throwIfStopped: () => void;
}

class LlamaCppEngine implements Engine {
  readonly device: EngineDevice;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly maxConcurrency: number;
  readonly #lanes: readonly Lane[];
  readonly #eosTokenIds: ReadonlySet<number>;
  readonly #mayDraft: boolean;
  readonly #prefillChunkTokens: number;
  readonly #unload: () => Promise<void>;
  /** Generations without a lane, in the order they came; undefined tells that there will be none. */
  readonly #waiting: ((lane: Lane | undefined) => void)[] = [];
  #disposed: Promise<void> | undefined;

  constructor({ lanes, device, config, prefillChunkTokens, unload }: EngineParts) {
    this.device = device;
    this.contextLength = config.contextLength;
    this.vocabularySize = config.vocabularySize;
    this.maxConcurrency = lanes.length;
    this.#lanes = lanes;
    this.#eosTokenIds = new Set(config.eosTokenIds);
    this.#mayDraft = config.mayDraft ?? true;
    this.#prefillChunkTokens = prefillChunkTokens;
    this.#unload = unload;
  }

  async *generate(
    promptIds: Int32Array,
    options: GenerateOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly number[], GenerateFinishReason, void> {
    if (this.maxConcurrency === 1 && this.#lanes[0]?.isTaken === true) {
      throw new Error('This engine is generating already; end that first. This is a bug.');
    }
    const throwIfStopped = () => {
      signal.throwIfAborted();
      if (this.#disposed !== undefined) throw new AlignError('engine-failed', 'The model was unloaded.');
    };
    throwIfStopped();
    checkGeneration(promptIds, options, this.vocabularySize);
    const room = Math.min(options.maxNewTokens, roomToGenerate(promptIds.length, this.contextLength));
    const lane = this.#takeFreeLane(promptIds) ?? (await this.#waitForLane(signal));
    try {
      // None where the wait was in vain: this throws why.
      throwIfStopped();
      if (lane === undefined) throw new Error('A wait for a lane ended without one. This is a bug.');
      const generation = { promptIds: [...promptIds], options, room, throwIfStopped };
      const unreadIds = yield* this.#readPrompt(lane, generation);
      return yield* this.#write(lane, unreadIds, generation);
    } catch (error) {
      throwIfStopped();
      throw toEngineError(error, this.device, 'generating');
    } finally {
      if (lane !== undefined) this.#release(lane);
    }
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#unload();
    for (const give of this.#waiting.splice(0)) give(undefined);
    return this.#disposed;
  }

  /** @returns the one that holds most of the prompt, taken */
  #takeFreeLane(promptIds: Int32Array): Lane | undefined {
    let best: Lane | undefined;
    let mostShared = -1;
    for (const lane of this.#lanes) {
      if (lane.isTaken) continue;
      const shared = commonLength(lane.heldIds, promptIds);
      if (shared > mostShared) [best, mostShared] = [lane, shared];
    }
    if (best !== undefined) best.isTaken = true;
    return best;
  }

  /** @returns a taken one; undefined when the signal aborts or the engine is disposed of */
  async #waitForLane(signal: AbortSignal): Promise<Lane | undefined> {
    return new Promise((resolve) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(give), 1);
        resolve(undefined);
      };
      const give = (lane: Lane | undefined) => {
        signal.removeEventListener('abort', leave);
        resolve(lane);
      };
      this.#waiting.push(give);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #release(lane: Lane): void {
    const next = this.#waiting.shift();
    if (next === undefined) lane.isTaken = false;
    else next(lane);
  }

  /**
   * Reads the prompt but for its last chunk. Yields an empty step after each, where somebody is told.
   *
   * @returns that last chunk: its scores choose the first new token
   */
  async *#readPrompt(
    lane: Lane,
    { promptIds, options: { onPromptRead }, throwIfStopped }: Generation,
  ): AsyncGenerator<readonly number[], number[], void> {
    const chunkTokens = this.#prefillChunkTokens;
    const lastStart = promptIds.length - 1 - ((promptIds.length - 1) % chunkTokens);
    let start = Math.min(lastStart, commonLength(lane.heldIds, promptIds));
    start -= start % chunkTokens;
    lane.heldIds = promptIds.slice(0, start);
    await lane.sequence.eraseContextTokenRanges([{ start, end: Number.MAX_SAFE_INTEGER }]);
    throwIfStopped();
    while (start < lastStart) {
      await lane.sequence.evaluateWithoutGeneratingNewTokens(promptIds.slice(start, start + chunkTokens));
      start += chunkTokens;
      lane.heldIds = promptIds.slice(0, start);
      throwIfStopped();
      if (onPromptRead === undefined) continue;
      onPromptRead(start);
      yield [];
    }
    return promptIds.slice(start);
  }

  async *#write(
    lane: Lane,
    unreadIds: number[],
    { promptIds, options, room, throwIfStopped }: Generation,
  ): AsyncGenerator<readonly number[], GenerateFinishReason, void> {
    const { sequence, drafts } = lane;
    const { repetitionPenalty: penalty } = options;
    const isDrawn = options.temperature > 0;
    // Theirs is the same penalty, and comes first; what is drawn after it is ours, since their order is another.
    const sampler = new Sampler({ ...options, repetitionPenalty: 1 }, Int32Array.of());
    const seenIds = new Set(promptIds);
    const mayDraft = this.#mayDraft && !isDrawn && penalty === 1;
    drafts.begin([...promptIds]);
    drafts.most = 0;
    const tokens = sequence.evaluateWithMetadata(
      unreadIds,
      { probabilities: isDrawn },
      {
        temperature: 0,
        yieldEogToken: true,
        ...(penalty !== 1 && {
          repeatPenalty: { penalty, punishTokens: () => [...seenIds], maxPunishTokens: this.vocabularySize },
        }),
      },
    );
    const nextToken = async (instead?: number) => {
      const token = await tokens.next(instead);
      throwIfStopped();
      if (token.done === true) throw new Error('llama.cpp ended without a token');
      return token.value;
    };
    try {
      let drawn: number | undefined;
      for (let newTokens = 0; ;) {
        const validatedBefore = sequence.tokenPredictions.validated;
        const startMs = performance.now();
        const first = await nextToken(drawn);
        const accepted = sequence.tokenPredictions.validated - validatedBefore;
        if (newTokens > 0) drafts.record(accepted, performance.now() - startMs);
        else if (unreadIds.length === this.#prefillChunkTokens) lane.heldIds = promptIds;
        const { probabilities } = first;
        if (isDrawn) drawn = sampler.sample({ type: 'all', logits: logitsOf(probabilities, this.vocabularySize) });
        const tokenIds = [drawn ?? first.token];
        // These are known already.
        for (let i = 0; i < accepted; i++) tokenIds.push((await nextToken()).token);
        const end = tokenIds.findIndex((id) => this.#eosTokenIds.has(id));
        const written = tokenIds.slice(0, end < 0 ? undefined : end).slice(0, room - newTokens);
        for (const id of written) seenIds.add(id);
        newTokens += written.length;
        if (written.length > 0) yield written;
        if (newTokens === room) return 'length';
        if (end >= 0) return 'stop';
        drafts.most = mayDraft ? room - newTokens - 1 : 0;
        throwIfStopped();
      }
    } finally {
      await tokens.return();
    }
  }
}

/** @returns float32 [vocabulary], up to a constant; what underflows is as good as impossible */
function logitsOf(probabilities: Map<number, number> | undefined, vocabularySize: number): Float32Array {
  const logits = new Float32Array(vocabularySize).fill(-Infinity);
  for (const [id, probability] of probabilities ?? []) logits[id] = Math.log(probability);
  return logits;
}

function commonLength(held: readonly number[], promptIds: ArrayLike<number>): number {
  let length = 0;
  while (length < held.length && held[length] === promptIds[length]) length += 1;
  return length;
}
