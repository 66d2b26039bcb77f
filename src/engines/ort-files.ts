import webgpuLoader from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import webgpuBinary from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import wasmLoader from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmBinary from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import type { OrtFiles } from './web-engine.ts';

/** ORT's own files as the bundler serves them. Without these, ORT would look beside our bundle. */
export const ORT_FILES: OrtFiles = {
  wasm: { mjs: wasmLoader, wasm: wasmBinary },
  webgpu: { mjs: webgpuLoader, wasm: webgpuBinary },
};
