import { AlignError, type AlignErrorCode } from '../src/align/errors.ts';
import type { Classifier } from '../src/engines/classifier.ts';
import { EventChannel } from './event-channel.ts';
import type {
  ClassifierInfo,
  ClassifierProgress,
  ClassifierRequest,
  KeptClassifier,
  Logits,
  ScoreRunId,
  ScoresWorkerApi,
  TextToScore,
} from './scores-protocol.ts';

/** What the service needs of the machine. The worker gives it the real one. */
export interface ScoresHost {
  /** @throws the signal's reason when it aborts; whatever it throws, nothing is left of the load */
  load(
    request: ClassifierRequest,
    onProgress: (progress: ClassifierProgress) => void,
    signal: AbortSignal,
  ): Promise<{ classifier: Classifier; info: ClassifierInfo }>;
  kept(): Promise<KeptClassifier[]>;
  forget(reference: string): Promise<void>;
}

interface Open {
  /** As JSON: another device or place is another classifier. */
  request: string;
  classifier: Classifier;
  info: ClassifierInfo;
}

/** After these a session is no good any more. */
const BROKEN: readonly AlignErrorCode[] = ['device-lost', 'engine-failed', 'out-of-memory'];

/** Several classifiers, one call at a time: the machine's cores are all of one's. */
export class ScoresService implements ScoresWorkerApi {
  readonly #host: ScoresHost;
  readonly #open = new Map<string, Open>();
  readonly #runs = new Map<ScoreRunId, AbortController>();
  #latest: Promise<unknown> = Promise.resolve();

  constructor(host: ScoresHost) {
    this.#host = host;
  }

  holdLock(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const held = navigator.locks.request(name, () => {
        resolve();
        return new Promise(() => {});
      });
      held.catch(reject);
    });
  }

  async open(
    runId: ScoreRunId,
    request: ClassifierRequest,
    onProgress: (progress: ClassifierProgress) => void,
  ): Promise<ClassifierInfo> {
    const events = new EventChannel(onProgress);
    try {
      return await this.#inTurn(runId, async (signal) => {
        const wanted = nameOf(request);
        const before = this.#open.get(request.id);
        if (before?.request === wanted) return before.info;
        // Two of them may not fit.
        await this.#close(request.id);
        const { classifier, info } = await this.#host.load(request, (progress) => events.send(progress), signal);
        this.#open.set(request.id, { request: wanted, classifier, info });
        await events.allArrived();
        return info;
      });
    } finally {
      events.release();
    }
  }

  classify(runId: ScoreRunId, id: string, texts: readonly TextToScore[]): Promise<Logits[]> {
    return this.#inTurn(runId, async (signal) => {
      const open = this.#open.get(id);
      if (open === undefined) throw new AlignError('invalid-request', `The classifier ${id} is not loaded.`);
      try {
        return await classifyTexts(open.classifier, texts, signal);
      } catch (error) {
        // Its device may be gone: the next call loads it anew.
        if (error instanceof AlignError && BROKEN.includes(error.code)) await this.#close(id).catch(() => {});
        throw error;
      }
    });
  }

  cancel(runId: ScoreRunId): void {
    this.#runs.get(runId)?.abort();
  }

  async keepOnly(ids: readonly string[]): Promise<void> {
    await this.#inTurn('keep', async () => {
      for (const id of this.#open.keys()) if (!ids.includes(id)) await this.#close(id);
    });
  }

  kept(): Promise<KeptClassifier[]> {
    return this.#host.kept();
  }

  forget(reference: string): Promise<void> {
    return this.#host.forget(reference);
  }

  async #close(id: string): Promise<void> {
    const open = this.#open.get(id);
    this.#open.delete(id);
    await open?.classifier.dispose();
  }

  async #inTurn<Result>(runId: ScoreRunId, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const aborter = new AbortController();
    this.#runs.set(runId, aborter);
    const before = this.#latest;
    const run = (async () => {
      await before;
      aborter.signal.throwIfAborted();
      return work(aborter.signal);
    })();
    this.#latest = run.catch(() => undefined);
    try {
      return await run;
    } finally {
      this.#runs.delete(runId);
    }
  }
}

/** A text alone is read up to the classifier's limit, and says so; a pair that is too long is not scored. */
export async function classifyTexts(
  classifier: Classifier,
  texts: readonly TextToScore[],
  signal: AbortSignal,
): Promise<Logits[]> {
  const { maxTokens } = classifier;
  const inputs = texts.map(({ context, text }) => {
    const whole = context === undefined ? classifier.encode(text) : classifier.encode(context, text);
    const tokens = whole.ids.length;
    if (tokens <= maxTokens) return { input: whole, tokens, isCut: false };
    return { input: context === undefined ? classifier.encodeStart(text) : undefined, tokens, isCut: true };
  });
  const readable = inputs.flatMap(({ input }) => (input === undefined ? [] : [input]));
  const logits = await classifier.classify(readable, { signal });
  let next = 0;
  return inputs.map(({ input, tokens, isCut }): Logits => {
    if (input === undefined) return { type: 'too-long', tokens, maxTokens };
    return { type: 'logits', logits: [...logits[next++]!], cutAtTokens: isCut ? maxTokens : undefined };
  });
}

function nameOf({ location, device }: ClassifierRequest): string {
  const place = location.kind === 'files' ? { ...location, files: location.files.map(({ path }) => path) } : location;
  return JSON.stringify([place, device]);
}
