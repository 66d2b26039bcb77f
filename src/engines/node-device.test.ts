import { expect, it } from 'vitest';
import { type OnnxFacts, onnxDevices, readOnnxFacts } from './node-device.ts';

const NOTHING: OnnxFacts = { hasCudaProvider: false, hasNvidiaGpu: false, hasWebGpu: false };
const ALL: OnnxFacts = { hasCudaProvider: true, hasNvidiaGpu: true, hasWebGpu: true };

it.each([
  ['all of them', ALL, ['cuda', 'webgpu', 'cpu']],
  ['no CUDA in onnxruntime-node', { ...ALL, hasCudaProvider: false }, ['webgpu', 'cpu']],
  ['CUDA and no GPU', { ...NOTHING, hasCudaProvider: true }, ['cpu']],
  ['a software GPU at most', NOTHING, ['cpu']],
])('auto takes the best that there is, of %s', (_name, facts, devices) => {
  expect(onnxDevices('auto', facts).devices).toEqual(devices);
});

it.each(['cuda', 'webgpu', 'cpu'] as const)('%s is taken alone where it is asked for', (wish) => {
  expect(onnxDevices(wish, NOTHING).devices).toEqual([wish]);
});

it('takes drivers that are programs for no GPU, whatever the bus has', async () => {
  const before = process.env.VK_DRIVER_FILES;
  process.env.VK_DRIVER_FILES = '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json';
  const { hasWebGpu } = await readOnnxFacts();
  if (before === undefined) delete process.env.VK_DRIVER_FILES;
  else process.env.VK_DRIVER_FILES = before;
  expect(hasWebGpu).toBe(process.platform === 'darwin');
});
