/** What was asked of WebGPU. */
export interface GpuCounts {
  buffersCreated: number;
  bytesCreated: number;
  pipelinesCreated: number;
  /** Workgroup grids that were sent. */
  dispatches: number;
  submits: number;
  /** Through the queue and in mapped new buffers. */
  uploadedBytes: number;
  readBacks: number;
  readBackBytes: number;
}

const counts: GpuCounts = none();

function none(): GpuCounts {
  return {
    buffersCreated: 0,
    bytesCreated: 0,
    pipelinesCreated: 0,
    dispatches: 0,
    submits: 0,
    uploadedBytes: 0,
    readBacks: 0,
    readBackBytes: 0,
  };
}

/** @returns the counts since the last call */
export function takeGpuCounts(): GpuCounts {
  const taken = { ...counts };
  Object.assign(counts, none());
  return taken;
}

/** Counts all calls of this realm from now on, ORT's among them. */
export function countGpuCalls(): void {
  const scope = globalThis as unknown as Record<string, { prototype: Record<string, (...given: never[]) => unknown> }>;
  const count = (type: string, method: string, add: (given: unknown[], self: unknown) => void) => {
    const prototype = scope[type]?.prototype;
    const original = prototype?.[method];
    if (prototype === undefined || original === undefined) return;
    prototype[method] = function (this: unknown, ...given: never[]) {
      add(given, this);
      return original.apply(this, given);
    };
  };
  count('GPUDevice', 'createBuffer', ([descriptor]) => {
    const { size, mappedAtCreation } = descriptor as GPUBufferDescriptor;
    counts.buffersCreated += 1;
    counts.bytesCreated += size;
    if (mappedAtCreation === true) counts.uploadedBytes += size;
  });
  for (const method of ['createComputePipeline', 'createComputePipelineAsync']) {
    count('GPUDevice', method, () => void (counts.pipelinesCreated += 1));
  }
  for (const method of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect']) {
    count('GPUComputePassEncoder', method, () => void (counts.dispatches += 1));
  }
  count('GPUQueue', 'submit', () => void (counts.submits += 1));
  count('GPUQueue', 'writeBuffer', (given) => {
    const [, , data, offset = 0, size] = given as [unknown, number, ArrayBuffer & ArrayBufferView, number?, number?];
    const elementBytes = (data as unknown as Partial<Uint32Array>).BYTES_PER_ELEMENT ?? 1;
    counts.uploadedBytes += size === undefined ? data.byteLength - offset * elementBytes : size * elementBytes;
  });
  count('GPUBuffer', 'mapAsync', (given, self) => {
    const [mode, offset = 0, size] = given as [number, number?, number?];
    if (mode !== 1) return;
    counts.readBacks += 1;
    counts.readBackBytes += size ?? (self as GPUBuffer).size - offset;
  });
}
