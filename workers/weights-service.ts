import { AlignError } from '../src/align/errors.ts';
import type { Variant } from '../src/align/variant.ts';
import { blobSource } from '../src/weights/blob-folder.ts';
import { parseModelReference } from '../src/weights/hub.ts';
import { archiveModel, importModel, openArchive, readFolderManifest } from '../src/weights/model-archive.ts';
import { RemoteClient, type RemoteClientOptions } from '../src/weights/remote-client.ts';
import type { CreateStreamHash } from '../src/weights/sha256.ts';
import type { CachedModel, WeightCache } from '../src/weights/weight-cache.ts';
import { EventChannel } from './event-channel.ts';
import type {
  CheckEvent,
  StoredModel,
  StoredModelKey,
  StoreReport,
  TransferEvent,
  TransferPlan,
  TransferRequest,
  WeightsWorkerApi,
} from './weights-protocol.ts';

/** Most of the code, the conversion in it, and not needed to tell what is there. */
const acquisition = () => import('../src/weights/acquire.ts');

/** What the service needs of the machine. The worker gives it the real one. */
export interface WeightsHost {
  openCache(): Promise<WeightCache>;
  /** The variant that this device runs best. */
  bestVariant(device: TransferRequest['device']): Promise<Variant>;
  /** Undefined where the page has none (no https): then tabs do not know of each other. */
  locks: LockManager | undefined;
  /** Progress for other tabs. */
  channel: Pick<BroadcastChannel, 'postMessage' | 'addEventListener' | 'removeEventListener'> | undefined;
  client?: Pick<RemoteClientOptions, 'pace' | 'stallMs'>;
  /** In a worker of its own, so that hashing does not hold up the rest. */
  createHash?: CreateStreamHash;
}

/** What tabs tell each other. */
interface ChannelMessage {
  key: StoredModelKey;
  event: TransferEvent;
}

/** Gets models into the cache, one transfer per model in all tabs, and looks after those that are there. */
export class WeightsService implements WeightsWorkerApi {
  readonly #host: WeightsHost;
  #cache: Promise<WeightCache> | undefined;
  /** By reference. */
  readonly #transfers = new Map<string, { aborter: AbortController; key: StoredModelKey | undefined }>();
  /** Measured by earlier transfers of this page. */
  #bytesPerSecond: number | undefined;
  #convertPerSecond: number | undefined;

  constructor(host: WeightsHost) {
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

  async report(): Promise<StoreReport> {
    const cache = await this.#openCache();
    const [models, unfinished, usage] = await Promise.all([cache.models(), cache.arrivals(), cache.usage()]);
    return { models: models.map(describe), unfinished, ...usage };
  }

  async plan(request: TransferRequest): Promise<TransferPlan> {
    const cache = await this.#openCache();
    const key = await this.#key(request);
    const plan = await this.#plan(request, key, cache, this.#client(request), undefined);
    return {
      key,
      source: plan.offer.kind === 'ready' ? 'ready' : plan.offer.format,
      fileCount: plan.offer.files.length,
      revision: plan.repository.revision,
      trust: plan.trust,
      cost: plan.cost,
    };
  }

  async transfer(request: TransferRequest, onEvent: (event: TransferEvent) => void): Promise<StoredModelKey> {
    const { reference } = request;
    const events = new EventChannel(onEvent);
    const aborter = new AbortController();
    try {
      if (this.#transfers.has(reference)) {
        throw new AlignError('invalid-request', `${reference} is on its way already.`, { details: { reference } });
      }
      // Known at once, so that it can be paused from its first moment on.
      this.#transfers.set(reference, { aborter, key: undefined });
      try {
        const key = await this.#key(request);
        this.#transfers.set(reference, { aborter, key });
        await this.#inTurn(key, events, aborter.signal, () => this.#transferNow(request, key, events, aborter.signal));
        await events.allArrived();
        return key;
      } finally {
        this.#transfers.delete(reference);
      }
    } catch (error) {
      throw aborter.signal.aborted ? aborter.signal.reason : error;
    } finally {
      events.release();
    }
  }

  async pause(reference: string): Promise<void> {
    this.#transfers.get(reference)?.aborter.abort(new DOMException('The transfer was paused.', 'AbortError'));
  }

  async discard(key: StoredModelKey): Promise<void> {
    for (const [reference, transfer] of this.#transfers) {
      if (transfer.key !== undefined && nameOf(transfer.key) === nameOf(key)) await this.pause(reference);
    }
    const cache = await this.#openCache();
    // After the transfer has let go of it, here or in another tab.
    await this.#locked(key, () => cache.discardArrival(key));
  }

  async remove(key: StoredModelKey): Promise<void> {
    await (await this.#openCache()).remove(key);
  }

  async verify(key: StoredModelKey, onEvent: (event: CheckEvent) => void): Promise<string[]> {
    const events = new EventChannel(onEvent);
    try {
      const cache = await this.#openCache();
      return await cache.verify(key, {
        onProgress: throttled((doneBytes, totalBytes) =>
          events.send({ type: 'check-progress', doneBytes, totalBytes }),
        ),
      });
    } finally {
      events.release();
    }
  }

  async exportModel(key: StoredModelKey): Promise<Blob> {
    const cache = await this.#openCache();
    const pieces: Blob[] = [];
    // The browser moves large blobs to disk: the model is not in memory as a whole.
    for await (const piece of archiveModel(cache.folder(key)))
      pieces.push(new Blob([piece as Uint8Array<ArrayBuffer>]));
    return new Blob(pieces, { type: 'application/x-tar' });
  }

  async importModel(file: File, onEvent: (event: CheckEvent) => void): Promise<StoredModelKey[]> {
    const events = new EventChannel(onEvent);
    try {
      const cache = await this.#openCache();
      const folder = await openArchive(blobSource(file.name, file));
      const { manifest, variants } = await readFolderManifest(folder);
      const keys = variants.map((variant) => ({ source: manifest.source, variant }));
      for (const key of keys) {
        await this.#locked(key, async () => {
          const staging = await cache.stage(key);
          try {
            await importModel(folder, { manifest, variant: key.variant }, staging, {
              onProgress: throttled((doneBytes, totalBytes) =>
                events.send({ type: 'check-progress', doneBytes, totalBytes }),
              ),
            });
          } catch (error) {
            await staging.discard();
            throw error;
          }
        });
      }
      return keys;
    } finally {
      events.release();
    }
  }

  async #transferNow(
    request: TransferRequest,
    key: StoredModelKey,
    events: EventChannel<TransferEvent>,
    signal: AbortSignal,
  ): Promise<void> {
    const cache = await this.#openCache();
    const report = (event: TransferEvent) => {
      events.send(event);
      const elsewhere = event.type === 'transfer-progress' ? { ...event, isElsewhere: true } : event;
      this.#host.channel?.postMessage({ key, event: elsewhere } satisfies ChannelMessage);
    };
    const client = this.#client(request, ({ message }, delayMs) =>
      report({ type: 'transfer-retry', message, delayMs }),
    );
    const plan = await this.#plan(request, key, cache, client, signal);
    const present = await cache.find(key);
    // Another tab has brought it meanwhile.
    if (present?.revision === plan.repository.revision) return;
    const progress = throttled((event: TransferEvent) => report(event));
    const { acquire } = await acquisition();
    await acquire(plan, await cache.stage(key), client, {
      signal,
      ...(plan.trust === 'first-use' && { firstUse: await cache.firstUse(key.source, plan.repository.revision) }),
      onProgress: (transfer) => {
        if (transfer.phase === 'downloading') this.#bytesPerSecond = transfer.bytesPerSecond ?? this.#bytesPerSecond;
        if (transfer.phase === 'converting') this.#convertPerSecond = transfer.bytesPerSecond ?? this.#convertPerSecond;
        progress({ type: 'transfer-progress', isElsewhere: false, ...transfer });
      },
      ...(this.#host.client?.pace && { pace: this.#host.client.pace }),
      ...(this.#host.createHash && { createHash: this.#host.createHash }),
    });
  }

  async #plan(
    request: TransferRequest,
    { variant }: StoredModelKey,
    cache: WeightCache,
    client: RemoteClient,
    signal: AbortSignal | undefined,
  ) {
    const { usedBytes, quotaBytes } = await cache.usage();
    const key = await this.#key(request);
    const begun = (await cache.arrivals()).some((arrival) => nameOf(arrival) === nameOf(key));
    const { planAcquisition } = await acquisition();
    return planAcquisition({ ...request, variant }, client, {
      signal,
      // A look at a model must not begin one.
      staging: begun ? await cache.stage(key) : undefined,
      bytesPerSecond: this.#bytesPerSecond,
      convertPerSecond: this.#convertPerSecond,
      freeBytes: usedBytes === undefined || quotaBytes === undefined ? undefined : quotaBytes - usedBytes,
      ...(this.#host.client?.pace && { pace: this.#host.client.pace }),
    });
  }

  async #key(request: TransferRequest): Promise<StoredModelKey> {
    const reference = parseModelReference(request.reference, request.endpoint);
    const variant = request.variant === 'auto' ? await this.#host.bestVariant(request.device) : request.variant;
    return { source: reference.kind === 'hub' ? reference.id : reference.url, variant };
  }

  #client({ endpoint, token }: TransferRequest, onRetry?: RemoteClientOptions['onRetry']): RemoteClient {
    return new RemoteClient({
      ...this.#host.client,
      access: token === undefined ? undefined : { origin: new URL(endpoint).origin, token },
      ...(onRetry && { onRetry }),
    });
  }

  /** A memo that forgets failures. */
  #openCache(): Promise<WeightCache> {
    return (this.#cache ??= this.#host.openCache().catch((error: unknown) => {
      this.#cache = undefined;
      throw error;
    }));
  }

  /** One tab at a time; the others see how far it is. */
  async #inTurn(
    key: StoredModelKey,
    events: EventChannel<TransferEvent>,
    signal: AbortSignal,
    run: () => Promise<void>,
  ): Promise<void> {
    const { channel } = this.#host;
    const listen = ({ data }: MessageEvent<ChannelMessage>) => {
      if (nameOf(data.key) === nameOf(key)) events.send(data.event);
    };
    channel?.addEventListener('message', listen as EventListener);
    try {
      await this.#locked(
        key,
        () => {
          channel?.removeEventListener('message', listen as EventListener);
          return run();
        },
        signal,
      );
    } finally {
      channel?.removeEventListener('message', listen as EventListener);
    }
  }

  async #locked(key: StoredModelKey, run: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    const { locks } = this.#host;
    if (locks === undefined) return run();
    await locks.request(`metaaligner-weights ${nameOf(key)}`, signal === undefined ? {} : { signal }, run);
  }
}

function nameOf({ source, variant }: StoredModelKey): string {
  return `${source} ${variant}`;
}

function describe(model: CachedModel): StoredModel {
  const { source, variant, sizeBytes, revision, trust, storedAt, lastUsedAt, manifest } = model;
  const { name, family, parameterCount, config } = manifest;
  const variantFiles = manifest.variants[variant] ?? [];
  return {
    source,
    variant,
    name,
    family,
    parameterCount,
    contextLength: config.contextLength,
    sizeBytes,
    variantBytes: variantFiles.reduce((sum, file) => sum + file.sizeBytes, 0),
    revision,
    trust,
    storedAt,
    lastUsedAt,
  };
}

const PROGRESS_INTERVAL_MS = 100;

/** At most ten calls a second; the last one before a silence is made up for. */
function throttled<Arguments extends unknown[]>(call: (...given: Arguments) => void): (...given: Arguments) => void {
  let calledMs = -Infinity;
  let latest: Arguments | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    if (latest === undefined) return;
    calledMs = performance.now();
    call(...latest);
    latest = undefined;
  };
  return (...given) => {
    latest = given;
    const waitMs = calledMs + PROGRESS_INTERVAL_MS - performance.now();
    if (waitMs <= 0) flush();
    else timer ??= setTimeout(flush, waitMs);
  };
}
