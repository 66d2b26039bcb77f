import { expose } from 'comlink';
import { VARIANTS } from '../src/align/variant.ts';
import { chooseVariant } from '../src/engines/choose-variant.ts';
import { probeWebGpu } from '../src/engines/probe-webgpu.ts';
import { WeightCache } from '../src/weights/weight-cache.ts';
import { createBackgroundHash } from './background-hash.ts';
import { installErrorTransfer } from './protocol.ts';
import type { WeightsWorkerApi } from './weights-protocol.ts';
import { type WeightsHost, WeightsService } from './weights-service.ts';

const host: WeightsHost = {
  async openCache() {
    const cache = await WeightCache.open({ storage: navigator.storage });
    await cache.sweep();
    return cache;
  },
  async bestVariant(device) {
    const webgpu = await probeWebGpu(navigator.gpu);
    const support = { devices: ['webgpu', 'wasm'] as const, webgpu };
    return chooseVariant(VARIANTS, support, { device, variant: 'auto' }).variant;
  },
  locks: navigator.locks,
  channel: new BroadcastChannel('metaaligner-weights'),
  createHash: createBackgroundHash(
    () => new Worker(new URL('./hash.worker.ts', import.meta.url), { type: 'module', name: 'hash' }),
  ),
};

installErrorTransfer();
expose(new WeightsService(host) satisfies WeightsWorkerApi);
