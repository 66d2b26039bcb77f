import type { BenchWorker } from './ours.worker.ts';
import { PEERS_URL } from './peers-url.ts';

/** The part of @wllama/wllama 3.13.0 that is used; it is installed on demand (`peers.ts`). */
interface Wllama {
  loadModel(blobs: Blob[], options: Record<string, unknown>): Promise<void>;
  isMultithread(): boolean;
  getNumThreads(): number;
  createCompletion(options: Record<string, unknown>): Promise<unknown>;
}
interface CompletionChunk {
  timings?: { prompt_n: number; prompt_ms: number; predicted_n: number; predicted_ms: number };
}

/** More than a model has. */
const ALL_LAYERS = 999;

export function wllamaWorker(): BenchWorker {
  let wllama: Wllama;
  return {
    async load({ modelUrl, threads, device }) {
      const folder = `${PEERS_URL}@wllama/wllama/esm/`;
      const { Wllama } = (await import(/* @vite-ignore */ `${folder}index.js`)) as {
        Wllama: new (paths: Record<string, string>, config: Record<string, unknown>) => Wllama;
      };
      wllama = new Wllama({ default: `${folder}wasm/wllama.wasm` }, { suppressNativeLog: true });
      const blob = await (await fetch(modelUrl)).blob();
      await wllama.loadModel([blob], {
        n_ctx: 2048,
        n_threads: threads,
        n_gpu_layers: device === 'webgpu' ? ALL_LAYERS : 0,
        n_parallel: 1,
      });
      if (!wllama.isMultithread() || wllama.getNumThreads() !== threads) {
        throw new Error(`wllama runs with ${wllama.getNumThreads()} threads; ${threads} were asked for.`);
      }
    },
    /** Always anew, and what the model writes: it takes no tokens to replay. */
    async generate({ promptIds, promptText, newTokens }) {
      let timings: CompletionChunk['timings'];
      await wllama.createCompletion({
        prompt: promptText,
        max_tokens: newTokens,
        temperature: 0,
        cache_prompt: false,
        ignore_eos: true,
        stream: true,
        onData(chunk: CompletionChunk) {
          timings = chunk.timings ?? timings;
        },
      });
      if (timings?.prompt_n !== promptIds.length || timings.predicted_n !== newTokens) {
        throw new Error(
          `wllama read ${timings?.prompt_n} tokens and wrote ${timings?.predicted_n}; ` +
            `${promptIds.length} and ${newTokens} were asked for.`,
        );
      }
      // It gives texts; only their number counts. The times are its own: the page hears of a token late at times.
      const { prompt_ms: firstTokenMs, predicted_ms: restMs } = timings;
      return { tokenIds: new Array<number>(newTokens).fill(-1), firstTokenMs, totalMs: firstTokenMs + restMs };
    },
  };
}
