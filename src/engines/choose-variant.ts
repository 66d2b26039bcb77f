import type { Device } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { VARIANTS, type Variant } from '../align/variant.ts';

/** What a machine offers to run models on. */
export interface DeviceSupport {
  /** In order of preference. */
  devices: readonly Device[];
  webgpu: WebGpuSupport;
}

export interface WebGpuSupport {
  available: boolean;
  /** 16-bit floats in shaders. */
  hasShaderF16: boolean;
  /** The adapter computes on the CPU: correct, and slower than wasm. */
  isSoftware: boolean;
  /** Why it is not available: a sentence without its full stop. */
  reason: string | undefined;
}

/** What the user wants. */
export interface ModelWish {
  device: 'auto' | Device;
  variant: 'auto' | Variant;
}

export interface ModelChoice {
  device: Device;
  variant: Variant;
  /** Why, in one sentence. */
  reason: string;
}

/** Node has the CPU and nothing else of ours. */
export const NODE_SUPPORT: DeviceSupport = {
  devices: ['cpu'],
  webgpu: { available: false, hasShaderF16: false, isSoftware: false, reason: 'WebGPU is for the browser' },
};

/**
 * The variants that a device runs, fastest first. WebGPU has no kernel for q8's integer products. wasm computes q4 an
 * order of magnitude slower than q8, and has no 16-bit floats: they become 32-bit ones at each node.
 */
const RUNS: Record<Device, readonly Variant[]> = {
  webgpu: ['q4f16', 'q4', 'fp16', 'fp32'],
  wasm: ['q8', 'q4', 'fp32', 'q4f16', 'fp16'],
  cpu: ['q4', 'q4f16', 'q8', 'fp32', 'fp16'],
};

const NEEDS_SHADER_F16: ReadonlySet<Variant> = new Set(['fp16', 'q4f16']);
const DEVICE_NAMES: Record<Device, string> = { webgpu: 'WebGPU', wasm: 'wasm', cpu: 'the CPU' };

/**
 * Picks device and variant before anything is read. ORT refuses a float16 graph without shader-f16 only at its first
 * step, so that is settled here.
 *
 * @param inFolder  the variants that the model's folder holds
 * @throws AlignError `webgpu-unavailable` if WebGPU was asked for and cannot do it, `weights-missing` if the folder has
 *   nothing to run there; the message says what was tried and why not
 */
export function chooseVariant(inFolder: readonly Variant[], support: DeviceSupport, wish: ModelWish): ModelChoice {
  const held = VARIANTS.filter((variant) => inFolder.includes(variant));
  const details = { held, ...wish };
  const isHeld = wish.variant === 'auto' ? held.length > 0 : held.includes(wish.variant);
  if (!isHeld) {
    const asked = wish.variant === 'auto' ? '' : `; ${wish.variant} was asked for`;
    throw new AlignError('weights-missing', `The model holds ${listOf(held)}${asked}.`, { details });
  }
  const wanted = wish.variant === 'auto' ? held : [wish.variant];
  const obstacles: string[] = [];
  for (const device of wish.device === 'auto' ? support.devices : [wish.device]) {
    const obstacle = deviceObstacle(device, support, wish.device === 'auto');
    if (obstacle !== undefined) {
      obstacles.push(obstacle);
      continue;
    }
    const hasF16 = device !== 'webgpu' || support.webgpu.hasShaderF16;
    const runnable = RUNS[device].filter((variant) => hasF16 || !NEEDS_SHADER_F16.has(variant));
    const variant = runnable.find((each) => wanted.includes(each));
    if (variant !== undefined) return { device, variant, reason: reasonOf(device, variant, held, wish, obstacles) };
    const without = hasF16 ? '' : ' without 16-bit floats (shader-f16)';
    obstacles.push(`${DEVICE_NAMES[device]}${without} runs ${listOf(runnable)}, not ${listOf(wanted)}`);
  }
  const isForWebGpu = wish.device === 'webgpu' && wanted.some((variant) => RUNS.webgpu.includes(variant));
  throw new AlignError(isForWebGpu ? 'webgpu-unavailable' : 'weights-missing', sentence(obstacles.join('; ')), {
    details,
  });
}

/** A software adapter is for those who ask for it: wasm is faster. */
function deviceObstacle(device: Device, { devices, webgpu }: DeviceSupport, isAuto: boolean): string | undefined {
  if (device === 'webgpu') {
    if (!webgpu.available) return webgpu.reason ?? 'WebGPU is not available';
    return isAuto && webgpu.isSoftware ? 'WebGPU is a software adapter here, slower than wasm' : undefined;
  }
  return devices.includes(device) ? undefined : `${DEVICE_NAMES[device]} is not offered here`;
}

function reasonOf(
  device: Device,
  variant: Variant,
  held: readonly Variant[],
  wish: ModelWish,
  obstacles: readonly string[],
): string {
  const choice = `${DEVICE_NAMES[device]} runs ${variant}`;
  const faster = RUNS[device].slice(0, RUNS[device].indexOf(variant)).filter((each) => held.includes(each));
  const why =
    wish.variant !== 'auto'
      ? 'as chosen'
      : held.length === 1
        ? 'all that the model holds'
        : faster.length === 0
          ? `the fastest of ${listOf(held)} there`
          : `since ${listOf(faster)} ${faster.length === 1 ? 'needs' : 'need'} 16-bit floats (shader-f16)`;
  return sentence([...obstacles, `${choice}, ${why}`].join(': '));
}

const lists = new Intl.ListFormat('en-GB', { type: 'conjunction' });

function listOf(variants: readonly Variant[]): string {
  return variants.length === 0 ? 'no variants' : lists.format(variants);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
