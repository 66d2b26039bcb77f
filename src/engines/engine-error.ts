import type { EngineDevice } from '../align/engine.ts';
import { AlignError, type AlignErrorCode } from '../align/errors.ts';

/** What runtimes and browsers write into messages; they give no codes. The first that fits decides. */
const SIGNS: readonly [AlignErrorCode, RegExp][] = [
  ['device-lost', /device (?:is |was )?(?:lost|destroyed)|device_lost|device_removed|device_hung|instance dropped/i],
  [
    'out-of-memory',
    // bad_alloc, ORT's arena, V8's and emscripten's allocators, WebGPU's createBuffer.
    /out of memory|outofmemory|bad_alloc|bad allocation|failed to allocate|allocation failed|could not allocate memory|unable to grow instance memory|failed to grow memory|allocation size overflow|invalid (?:typed )?array (?:buffer )?length|cannot enlarge memory|aborted\(oom\)|exceeds the max(?:imum)? buffer size/i,
  ],
];

const FACTS: Partial<Record<AlignErrorCode, string>> = {
  'device-lost': 'The GPU device was lost',
  'out-of-memory': 'Memory ran out',
};

/**
 * @param doing  for the message: `loading the model`, `generating`
 * @returns the error itself if it is an AlignError, else one with the runtime's words and the error as cause
 */
export function toEngineError(error: unknown, device: EngineDevice, doing: string): AlignError {
  if (error instanceof AlignError) return error;
  // ORT's wasm build throws bare numbers where C++ exceptions are off: pointers that mean nothing outside.
  const words =
    error instanceof Error ? error.message : typeof error === 'number' ? `exception ${error}` : String(error);
  const code = SIGNS.find(([, sign]) => sign.test(words))?.[0] ?? 'engine-failed';
  const fact = FACTS[code] ?? 'The engine failed';
  return new AlignError(code, `${fact} while ${doing} on ${device}: ${words}`, {
    cause: error,
    details: { device, reason: words },
  });
}
