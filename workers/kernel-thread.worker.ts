import type { ThreadAnswer, ThreadStart } from '../src/engines/wasm-decoder.ts';
import type { Kernels } from '../src/engines/wasm-memory.ts';

const answer = (given: ThreadAnswer) => self.postMessage(given);

/** A thread of src/engines/wasm-kernels beside the engine's worker: computes its share of every step until it is ended. */
self.onmessage = ({ data: { module, memory, thread } }: MessageEvent<ThreadStart>) => {
  let kernels: Kernels;
  try {
    // Not awaited: an error in a promise would stay in here.
    kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
  } catch (error) {
    return answer({ isReady: false, reason: String(error) });
  }
  answer({ isReady: true });
  kernels.serve(thread);
};
self.onmessageerror = () => answer({ isReady: false, reason: 'the memory could not be shared' });
