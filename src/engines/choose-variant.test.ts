import { describe, expect, it } from 'vitest';
import { VARIANTS, type Variant } from '../align/variant.ts';
import {
  chooseVariant,
  type DeviceSupport,
  type ModelWish,
  NODE_SUPPORT,
  type WebGpuSupport,
} from './choose-variant.ts';

const AUTO: ModelWish = { device: 'auto', variant: 'auto' };
const page = (webgpu: Partial<WebGpuSupport>): DeviceSupport => ({
  devices: ['webgpu', 'wasm'],
  webgpu: { available: true, hasShaderF16: false, isSoftware: false, reason: undefined, ...webgpu },
});
const NO_GPU = page({ available: false, reason: 'This browser has no WebGPU' });
const GPU = page({});
const GPU_F16 = page({ hasShaderF16: true });
const SOFTWARE = page({ isSoftware: true });

describe('chooseVariant', () => {
  it.each<[string, DeviceSupport, readonly Variant[], Partial<ModelWish>, string]>([
    ['a GPU with 16-bit floats', GPU_F16, VARIANTS, {}, 'webgpu q4f16'],
    ['one with a folder of float16', GPU_F16, ['fp16', 'fp32'], {}, 'webgpu fp16'],
    ['a GPU without', GPU, VARIANTS, {}, 'webgpu q4'],
    ['a GPU without that could run nothing of the folder', GPU, ['q4f16', 'q8'], {}, 'wasm q8'],
    ['no GPU', NO_GPU, VARIANTS, {}, 'wasm q8'],
    ['no GPU and no q8', NO_GPU, ['q4f16', 'q4', 'fp32'], {}, 'wasm q4'],
    ['a software adapter', SOFTWARE, VARIANTS, {}, 'wasm q8'],
    ['a software adapter asked for', SOFTWARE, VARIANTS, { device: 'webgpu' }, 'webgpu q4'],
    ['wasm asked for', GPU_F16, VARIANTS, { device: 'wasm' }, 'wasm q8'],
    ['a variant asked for', GPU_F16, VARIANTS, { variant: 'fp32' }, 'webgpu fp32'],
    ['a variant that WebGPU does not run', GPU_F16, VARIANTS, { variant: 'q8' }, 'wasm q8'],
    ['a variant that this GPU does not run', GPU, VARIANTS, { variant: 'q4f16' }, 'wasm q4f16'],
    ['Node', NODE_SUPPORT, VARIANTS, {}, 'cpu q4'],
    ['Node without q4', NODE_SUPPORT, ['q8', 'fp32'], {}, 'cpu q8'],
  ])('takes on %s what runs fastest', (_case, support, held, wish, expected) => {
    const { device, variant } = chooseVariant(held, support, { ...AUTO, ...wish });
    expect(`${device} ${variant}`).toBe(expected);
  });

  it.each<[DeviceSupport, readonly Variant[], Partial<ModelWish>, string]>([
    [GPU_F16, ['q8', 'q4', 'q4f16'], {}, 'WebGPU runs q4f16, the fastest of q8, q4 and q4f16 there.'],
    [GPU, ['q4', 'q4f16'], {}, 'WebGPU runs q4, since q4f16 needs 16-bit floats (shader-f16).'],
    [NO_GPU, ['q8'], {}, 'This browser has no WebGPU: wasm runs q8, all that the model holds.'],
    [
      SOFTWARE,
      ['q8'],
      { variant: 'q8' },
      'WebGPU is a software adapter here, slower than wasm: wasm runs q8, as chosen.',
    ],
    [
      GPU,
      ['q8', 'q4f16'],
      {},
      'WebGPU without 16-bit floats (shader-f16) runs q4 and fp32, not q8 and q4f16: wasm runs q8, the fastest of q8 and q4f16 there.',
    ],
  ])('says why, case %#', (support, held, wish, reason) => {
    expect(chooseVariant(held, support, { ...AUTO, ...wish }).reason).toBe(reason);
  });

  it.each<[string, DeviceSupport, readonly Variant[], Partial<ModelWish>, string, string]>([
    ['a variant not held', GPU, ['q8'], { variant: 'q4' }, 'weights-missing', 'The model holds q8; q4 was asked for.'],
    [
      'WebGPU that is not there',
      NO_GPU,
      ['q4'],
      { device: 'webgpu' },
      'webgpu-unavailable',
      'This browser has no WebGPU.',
    ],
    [
      'float16 on a GPU without',
      GPU,
      ['q4', 'q4f16'],
      { device: 'webgpu', variant: 'q4f16' },
      'webgpu-unavailable',
      'WebGPU without 16-bit floats (shader-f16) runs q4 and fp32, not q4f16.',
    ],
    [
      'q8 on WebGPU',
      GPU_F16,
      ['q8'],
      { device: 'webgpu' },
      'weights-missing',
      'WebGPU runs q4f16, q4, fp16 and fp32, not q8.',
    ],
    ['an empty folder', NO_GPU, [], {}, 'weights-missing', 'The model holds no variants.'],
    ['wasm in Node', NODE_SUPPORT, ['q8'], { device: 'wasm' }, 'weights-missing', 'Wasm is not offered here.'],
  ])('refuses %s, with what was tried', (_case, support, held, wish, code, message) => {
    expect(() => chooseVariant(held, support, { ...AUTO, ...wish })).toThrow(
      expect.objectContaining({ code, message }),
    );
  });

  it('never runs float16 on WebGPU without shader-f16, whatever is asked', () => {
    for (const variant of VARIANTS) {
      for (const device of ['auto', 'webgpu', 'wasm'] as const) {
        try {
          const choice = chooseVariant(VARIANTS, GPU, { device, variant });
          expect(choice.device === 'webgpu' && /16/.test(choice.variant)).toBe(false);
        } catch (error) {
          expect(error).toMatchObject({ name: 'AlignError' });
        }
      }
    }
  });
});
