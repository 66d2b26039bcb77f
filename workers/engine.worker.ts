import { expose } from 'comlink';
import { ORT_FILES } from '../src/engines/ort-files.ts';
import { loadModel } from '../src/engines/load-model.ts';
import { probeWebGpu, wasmThreads } from '../src/engines/probe-webgpu.ts';
import { startWebEngine } from '../src/engines/start-web-engine.ts';
import type { SourceFolder } from '../src/convert/byte-source.ts';
import { blobFolder } from '../src/weights/blob-folder.ts';
import { httpFolder } from '../src/weights/http-folder.ts';
import { WeightCache } from '../src/weights/weight-cache.ts';
import { type EngineHost, EngineService } from './engine-service.ts';
import { type EngineWorkerApi, installErrorTransfer, type ModelLocation } from './protocol.ts';

/** A message for every piece of a download would be thousands. */
const PROGRESS_INTERVAL_MS = 50;

const createThread = () => new Worker(new URL('./kernel-thread.worker.ts', import.meta.url), { type: 'module' });

let webgpuReport: ReturnType<typeof probeWebGpu> | undefined;

/** Asked once: an adapter takes a while, a software one most of a second. None is asked for again; one may come. */
async function webgpu() {
  const report = await (webgpuReport ??= probeWebGpu(navigator.gpu));
  if (!report.available) webgpuReport = undefined;
  return report;
}

const host: EngineHost = {
  async probe() {
    return {
      webgpu: await webgpu(),
      wasmThreads: wasmThreads(),
      isCrossOriginIsolated: self.crossOriginIsolated,
    };
  },

  async load({ location, device, variant }, onEvent, signal) {
    const startMs = performance.now();
    const threads = wasmThreads();
    let reportedMs = -Infinity;
    let reportedFile = '';
    const { model, chat, choice, sizeBytes } = await loadModel(await openFolder(location, signal), {
      support: { devices: ['webgpu', 'wasm'], webgpu: await webgpu() },
      wish: { device, variant },
      startEngine: startWebEngine({ threads, ortFiles: ORT_FILES, createThread }),
      signal,
      onChoice: ({ reason }) => onEvent({ type: 'load-note', message: reason }),
      onProgress: (progress) => {
        const nowMs = performance.now();
        const isOver = progress.loadedBytes === progress.totalBytes;
        if (nowMs - reportedMs < PROGRESS_INTERVAL_MS && progress.file === reportedFile && !isOver) return;
        reportedMs = nowMs;
        reportedFile = progress.file;
        onEvent({ type: 'load-progress', ...progress });
      },
    });
    const info = {
      device: choice.device,
      variant: choice.variant,
      reason: choice.reason,
      contextLength: model.engine.contextLength,
      vocabularySize: model.engine.vocabularySize,
      threads: choice.device === 'wasm' ? threads : 1,
      sizeBytes,
      loadMs: performance.now() - startMs,
    };
    return {
      model,
      info,
      async encodeChat(messages) {
        // With a template language that no edit needs.
        const { encodeChat } = await import('../src/align/chat-sections.ts');
        return encodeChat(messages, chat, model.tokenizer);
      },
    };
  },
};

async function openFolder(location: ModelLocation, signal: AbortSignal): Promise<SourceFolder> {
  switch (location.kind) {
    case 'url':
      return httpFolder(location.baseUrl, { signal });
    case 'files':
      return blobFolder(location.name, location.files);
    case 'stored': {
      const cache = await WeightCache.open();
      await cache.touch(location);
      return cache.folder(location);
    }
    default:
      return location satisfies never;
  }
}

installErrorTransfer();
expose(new EngineService(host) satisfies EngineWorkerApi);
