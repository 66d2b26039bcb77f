/**
 * The forms a converted model comes in: how its weights are stored and what its activations are computed in.
 * `q4`: 4-bit blocks of 32, float32 activations. `q4f16`: the same with float16 (WebGPU with shader-f16).
 * `q8`: int8 rows with activations quantized per row (the fast one on wasm).
 */
export const VARIANTS = ['fp32', 'fp16', 'q8', 'q4', 'q4f16'] as const;
export type Variant = (typeof VARIANTS)[number];
