/** src/engines/wasm-kernels, compiled by scripts/kernels-plugin.ts. */
declare module 'virtual:wasm-kernels' {
  export const KERNELS: Record<'plain' | 'relaxed', Uint8Array<ArrayBuffer>>;
}
