import type { Tensor } from 'onnxruntime-web';

/** The standard's numbers: these objects are missing from TypeScript's own types. */
const USAGE = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, STORAGE: 0x80 };
export const MAP_MODE_READ = 0x1;

export const BUFFER_USAGE = {
  /** What ORT reads and writes. */
  tensor: USAGE.COPY_SRC | USAGE.COPY_DST | USAGE.STORAGE,
  readback: USAGE.MAP_READ | USAGE.COPY_DST,
  uniform: USAGE.UNIFORM | USAGE.COPY_DST,
};

export type GpuTensorType = 'float32' | 'float16' | 'int64';
const ELEMENT_BYTES: Record<GpuTensorType, number> = { float32: 4, float16: 2, int64: 8 };

/** Bytes of a buffer that holds such a tensor: ORT reads and writes whole groups of 16. */
export function tensorBytes(dataType: GpuTensorType, dims: readonly number[]): number {
  return Math.ceil(dims.reduce((product, dim) => product * dim, ELEMENT_BYTES[dataType]) / 16) * 16;
}

type TensorFromBuffer = Pick<typeof Tensor, 'fromGpuBuffer'>;

/** A tensor with a buffer of its own, which goes with it. */
export function gpuTensor(
  Tensors: TensorFromBuffer,
  device: GPUDevice,
  dataType: GpuTensorType,
  dims: readonly number[],
): Tensor {
  const gpuBuffer = device.createBuffer({ size: tensorBytes(dataType, dims), usage: BUFFER_USAGE.tensor });
  return Tensors.fromGpuBuffer(gpuBuffer, { dataType, dims: [...dims], dispose: () => gpuBuffer.destroy() });
}
