import type { AlignEvent } from '../align/edit.ts';
import type { AlignError } from '../align/errors.ts';
import type { AlignRequest } from '../align/request.ts';
import type { RowState } from '../batch/page-batch.ts';
import type { BatchStore } from '../history/batch-store.ts';
import type { HistoryEntry } from '../history/history-entry.ts';
import type { HistoryStore } from '../history/history-store.ts';
import type { ChatQuestion, LoadedModelInfo, LoadEvent } from '../../workers/protocol.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import type {
  EngineClient,
  EngineRestart,
  ModelChoice,
  ReadyModelInfo,
  ServedModelInfo,
} from '../worker-client/engine-client.ts';
import type { ConvertedModel, ModelLibrary } from '../worker-client/model-library.ts';
import type { ScoresClient } from '../worker-client/scores-client.ts';
import type { WeightsClient } from '../worker-client/weights-client.ts';
import type { AppDependencies } from './app-store.ts';
import type { BatchJob } from './batch-slice.ts';
import { createServerKeys } from './server-keys.ts';
import type { KnownServer } from './server-slice.ts';

/** A call that is answered by the test, when it likes. */
export interface PendingCall<Arguments extends unknown[], Result> {
  arguments: Arguments;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** An engine client that records its calls and does nothing by itself. */
export class FakeClient implements EngineClient {
  readonly loads: PendingCall<[ModelChoice, (event: LoadEvent) => void], ReadyModelInfo>[] = [];
  readonly aligns: PendingCall<[AlignRequest, (event: AlignEvent) => void, AbortSignal], void>[] = [];
  readonly counts: PendingCall<[AlignRequest], number>[] = [];
  readonly asks: PendingCall<[ChatQuestion, AbortSignal], string>[] = [];
  unloads = 0;
  crash: (error: AlignError) => void = () => {
    throw new Error('Nobody listens for a crash.');
  };

  probe(): never {
    throw new Error('No test has set up probe().');
  }

  load(...call: [ModelChoice, (event: LoadEvent) => void]): Promise<ReadyModelInfo> {
    return pend(this.loads, call);
  }

  async unload(): Promise<void> {
    this.unloads += 1;
  }

  align(...call: [AlignRequest, (event: AlignEvent) => void, AbortSignal]): Promise<void> {
    return pend(this.aligns, call);
  }

  ask(...call: [ChatQuestion, AbortSignal]): Promise<string> {
    return pend(this.asks, call);
  }

  countPromptTokens(...call: [AlignRequest]): Promise<number> {
    return pend(this.counts, call);
  }

  restart: (restart: EngineRestart) => void = () => {
    throw new Error('Nobody listens for a restart.');
  };

  onRestart(listener: (restart: EngineRestart) => void): () => void {
    this.restart = listener;
    return () => {};
  }

  onCrash(listener: (error: AlignError) => void): () => void {
    this.crash = listener;
    return () => {};
  }
}

function pend<Arguments extends unknown[], Result>(
  calls: PendingCall<Arguments, Result>[],
  callArguments: Arguments,
): Promise<Result> {
  return new Promise((resolve, reject) => calls.push({ arguments: callArguments, resolve, reject }));
}

/** A library that nobody should ask. */
const noLibrary: ModelLibrary = {
  list: () => Promise.reject(new Error('No test has set up list().')),
  open: () => Promise.reject(new Error('No test has set up open().')),
};

/** Servers that nobody should call. */
const noServers: ServerClient = {
  models: () => Promise.reject(new Error('No test has set up models().')),
  align: () => Promise.reject(new Error('No test has set up align() of a server.')),
};

/** Weights that nobody should ask for; a test replaces what it sets up. */
export function fakeWeights(calls: Partial<WeightsClient> = {}): WeightsClient {
  const unset = (name: string) => () => Promise.reject(new Error(`No test has set up ${name}().`));
  return {
    report: unset('report'),
    plan: unset('plan'),
    transfer: unset('transfer'),
    pause: unset('pause'),
    discard: unset('discard'),
    remove: unset('remove'),
    verify: unset('verify'),
    exportModel: unset('exportModel'),
    importModel: unset('importModel'),
    persist: unset('persist'),
    ...calls,
  };
}

/** Scores that nobody should ask for; a test replaces what it sets up. */
export function fakeScores(calls: Partial<ScoresClient> = {}): ScoresClient {
  const unset = (name: string) => () => Promise.reject(new Error(`No test has set up ${name}().`));
  return {
    list: unset('list'),
    open: unset('open'),
    classify: unset('classify'),
    keepOnly: unset('keepOnly'),
    kept: unset('kept'),
    forget: unset('forget'),
    ...calls,
  };
}

/** A history in memory, of one tab. */
export class FakeHistory implements HistoryStore {
  readonly entries = new Map<string, HistoryEntry>();

  async list(): Promise<HistoryEntry[]> {
    return [...this.entries.values()].sort((one, other) => other.createdAt - one.createdAt);
  }

  async put(entries: readonly HistoryEntry[]): Promise<void> {
    for (const entry of entries) this.entries.set(entry.id, entry);
  }

  async update(id: string, change: (entry: HistoryEntry) => HistoryEntry): Promise<void> {
    const entry = this.entries.get(id);
    if (entry !== undefined) this.entries.set(id, change(entry));
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.entries.delete(id);
  }

  onChange(): () => void {
    return () => {};
  }
}

/** One batch in memory. */
export class FakeBatches implements BatchStore<BatchJob, RowState> {
  kept: { job: BatchJob; results: RowState[] } | undefined;

  async load() {
    return structuredClone(this.kept);
  }

  async begin(job: BatchJob): Promise<void> {
    this.kept = { job, results: [] };
  }

  async saveJob(job: BatchJob): Promise<void> {
    if (this.kept !== undefined) this.kept.job = job;
  }

  async saveResult(result: RowState): Promise<void> {
    this.kept?.results.push(result);
  }

  async forget(): Promise<void> {
    this.kept = undefined;
  }

  #isHeld = false;

  async alone(work: () => Promise<void>): Promise<boolean> {
    if (this.#isHeld) return false;
    this.#isHeld = true;
    try {
      await work();
    } finally {
      this.#isHeld = false;
    }
    return true;
  }
}

/** Everything that a store needs, each part as a test gives it or as one that nobody should ask. */
export function fakeDependencies(given: Partial<AppDependencies> = {}): AppDependencies {
  return {
    client: new FakeClient(),
    library: noLibrary,
    weights: fakeWeights(),
    scores: fakeScores(),
    judge: { ask: () => Promise.reject(new Error('No test has set up the judge.')) },
    history: new FakeHistory(),
    batches: new FakeBatches(),
    evaluations: { evaluate: () => Promise.reject(new Error('No test has set up evaluate().')) },
    rows: { read: () => Promise.reject(new Error('No test has set up read().')) },
    servers: noServers,
    serverKeys: createServerKeys(new FakeStorage(), new FakeStorage(), console.error),
    pageOrigin: 'http://localhost',
    scheduleFrame: new FakeFrames().schedule,
    now: () => 0,
    wait: () => Promise.reject(new Error('No test has set up wait().')),
    ...given,
  };
}

/** Frames that a test draws by hand. */
export class FakeFrames {
  #callbacks: (() => void)[] = [];

  readonly schedule = (callback: () => void): void => void this.#callbacks.push(callback);

  get scheduled(): number {
    return this.#callbacks.length;
  }

  draw(): void {
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }
}

export const demoModel: ConvertedModel = {
  id: 'demo',
  name: 'Demo',
  source: 'made for tests',
  family: 'hh-rlhf',
  parameterCount: 1000,
  contextLength: 512,
  variants: [
    { variant: 'q8', sizeBytes: 2000 },
    { variant: 'q4', sizeBytes: 1000 },
  ],
  location: { kind: 'url', baseUrl: 'http://localhost/models/demo/' },
};

/** One that a server runs. */
export const servedModel: ConvertedModel = {
  ...demoModel,
  id: 'server:http://127.0.0.1:4320#larger',
  name: 'larger',
  source: 'larger',
  contextLength: 4096,
  parameterCount: undefined,
  variants: [],
  location: { kind: 'server', url: 'http://127.0.0.1:4320', modelId: 'larger' },
};

export const servedInfo: ServedModelInfo = {
  device: 'server',
  host: '127.0.0.1:4320',
  variant: 'q4',
  contextLength: 4096,
};

export function knownServer(given: Partial<KnownServer> = {}): KnownServer {
  const url = 'http://127.0.0.1:4320';
  const defaults = { host: '127.0.0.1:4320', isOwn: false, status: 'ready', error: undefined, key: 'none' } as const;
  return { url, ...defaults, models: [servedModel], ...given };
}

export const demoInfo: LoadedModelInfo = {
  device: 'wasm',
  variant: 'q8',
  reason: 'No WebGPU.',
  contextLength: 512,
  vocabularySize: 100,
  threads: 2,
  sizeBytes: 2000,
  loadMs: 12,
};

/** Storage in memory. */
export class FakeStorage implements Storage {
  readonly values = new Map<string, string>();

  get length(): number {
    return this.values.size;
  }

  clear(): void {
    this.values.clear();
  }

  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }

  key(index: number): string | null {
    return [...this.values.keys()][index] ?? null;
  }

  removeItem(key: string): void {
    this.values.delete(key);
  }

  setItem(key: string, value: string): void {
    this.values.set(key, value);
  }
}
