import { proxy } from 'comlink';
import { AlignError } from '../align/errors.ts';
import type {
  ClassifierInfo,
  ClassifierProgress,
  ClassifierRequest,
  KeptClassifier,
  Logits,
  ScoresWorkerApi,
  TextToScore,
} from '../../workers/scores-protocol.ts';
import { createWorkerCalls } from './worker-calls.ts';

/** A converted classifier that the page's server offers. */
export interface ServedClassifier {
  id: string;
  /** Absolute. */
  baseUrl: string;
  source: string;
  parameterCount: number;
}

/** What the stores know of running classifiers; see `ScoresWorkerApi` for each. */
export interface ScoresClient {
  /** @throws AlignError `weights-unreachable` where there is no list */
  list(): Promise<ServedClassifier[]>;
  open(
    request: ClassifierRequest,
    onProgress: (progress: ClassifierProgress) => void,
    signal: AbortSignal,
  ): Promise<ClassifierInfo>;
  classify(id: string, texts: readonly TextToScore[], signal: AbortSignal): Promise<Logits[]>;
  /** Harmless where nothing is open. */
  keepOnly(ids: readonly string[]): Promise<void>;
  kept(): Promise<KeptClassifier[]>;
  forget(reference: string): Promise<void>;
}

function startScoresWorker(): Worker {
  return new Worker(new URL('../../workers/scores.worker.ts', import.meta.url), { type: 'module', name: 'scores' });
}

/**
 * Classifiers in a worker of their own, started by the first call; after a crash the next call starts another.
 *
 * @param listUrl  absolute address of the list: `[{ id, baseUrl, source, parameterCount }]`
 */
export function createScoresClient(
  listUrl: string,
  startWorker: () => Worker = startScoresWorker,
  fetchList: typeof fetch = fetch,
): ScoresClient {
  const { call, isRunning } = createWorkerCalls<ScoresWorkerApi>(startWorker, 'The scores’', () => {
    // Whoever waited was told.
  });
  let lastRun = 0;
  const cancellable = async <Result>(
    signal: AbortSignal,
    ask: (api: Parameters<Parameters<typeof call>[0]>[0], runId: string) => Promise<Result>,
  ): Promise<Result> => {
    signal.throwIfAborted();
    const runId = `scores-${++lastRun}`;
    const cancel = () => void call((api) => api.cancel(runId)).catch(() => {});
    signal.addEventListener('abort', cancel);
    try {
      return await call((api) => ask(api, runId));
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
  return {
    list: () => readList(listUrl, fetchList),
    open: (request, onProgress, signal) =>
      cancellable(signal, (api, runId) => api.open(runId, request, proxy(onProgress))),
    classify: (id, texts, signal) => cancellable(signal, (api, runId) => api.classify(runId, id, texts)),
    keepOnly: async (ids) => {
      if (isRunning()) await call((api) => api.keepOnly(ids));
    },
    kept: () => call((api) => api.kept()),
    forget: (reference) => call((api) => api.forget(reference)),
  };
}

async function readList(listUrl: string, fetchList: typeof fetch): Promise<ServedClassifier[]> {
  const unreachable = (why: string, cause?: unknown) =>
    new AlignError('weights-unreachable', `The list of classifiers at ${listUrl} ${why}.`, { cause });
  let response: Response;
  let entries: unknown;
  try {
    response = await fetchList(listUrl, { cache: 'no-cache' });
  } catch (cause) {
    throw unreachable('did not answer', cause);
  }
  // A host that only has files, of an older build: there are none.
  if (response.status === 404) return [];
  if (!response.ok) throw unreachable(`answered ${response.status}`);
  try {
    entries = await response.json();
  } catch (cause) {
    throw unreachable('is not JSON', cause);
  }
  if (!Array.isArray(entries)) throw unreachable('is not a list');
  return (entries as unknown[]).flatMap((entry) => {
    const { id, baseUrl, source, parameterCount } = (entry ?? {}) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof baseUrl !== 'string') return [];
    return [
      {
        id,
        baseUrl: new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`, listUrl).href,
        source: typeof source === 'string' ? source : id,
        parameterCount: typeof parameterCount === 'number' ? parameterCount : 0,
      },
    ];
  });
}
