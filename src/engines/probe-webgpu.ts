import type { WebGpuSupport } from './choose-variant.ts';

/** What `chooseVariant` wants to know, and what the adapter calls itself. */
export interface WebGpuReport extends WebGpuSupport {
  /** Vendor and architecture; '' where the browser hides them. */
  description: string;
}

/** Asks the browser for an adapter. Never throws: what stands in the way is the report's reason. */
export async function probeWebGpu(gpu: GPU | undefined): Promise<WebGpuReport> {
  const none = (reason: string): WebGpuReport => ({
    available: false,
    hasShaderF16: false,
    isSoftware: false,
    description: '',
    reason,
  });
  if (gpu === undefined) {
    return none(globalThis.isSecureContext ? 'This browser has no WebGPU' : 'WebGPU needs an https address');
  }
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    return none(`WebGPU gave no adapter: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (adapter === null) return none('WebGPU found no GPU that it can use');
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const names = description === '' ? [vendor, architecture] : [description];
  return {
    available: true,
    hasShaderF16: adapter.features.has('shader-f16'),
    isSoftware: isFallbackAdapter,
    description: names.filter((name) => name !== '').join(' '),
    reason: undefined,
  };
}

/** How many threads wasm gets: decoding waits for memory, so cores beyond a few add little. */
export function wasmThreads(): number {
  return globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
}
