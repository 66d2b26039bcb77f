import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Variant } from '../align/variant.ts';

export const ONNX_DEVICES = ['auto', 'cuda', 'webgpu', 'cpu'] as const;
export type OnnxWish = (typeof ONNX_DEVICES)[number];
/** ORT's names of the providers too. */
export type OnnxDevice = Exclude<OnnxWish, 'auto'>;

/** What a machine has for onnxruntime-node. */
export interface OnnxFacts {
  /** The provider is beside onnxruntime-node: its package leaves it out. */
  hasCudaProvider: boolean;
  hasNvidiaGpu: boolean;
  /** A GPU that is no program, with its driver for Vulkan, Metal or Direct3D. */
  hasWebGpu: boolean;
}

/**
 * The variants that onnxruntime-node runs there, best first. CUDA's attention takes 16-bit floats alone; whether a GPU has
 * them for WebGPU is not told, so those are for who asks for them.
 */
export const ONNX_VARIANTS: Record<Exclude<OnnxDevice, 'cpu'>, readonly Variant[]> = {
  cuda: ['q4f16', 'fp16'],
  webgpu: ['q4', 'fp32'],
};

/**
 * The devices to try, best first, and why the others are not among them. `auto` ends in the CPU and never takes a GPU that
 * is a program: it is slower than the CPU that it runs on.
 */
export function onnxDevices(
  wish: OnnxWish,
  facts: OnnxFacts,
): { devices: readonly OnnxDevice[]; reasons: readonly string[] } {
  if (wish !== 'auto') return { devices: [wish], reasons: [] };
  const reasons: string[] = [];
  const devices: OnnxDevice[] = [];
  if (facts.hasCudaProvider && facts.hasNvidiaGpu) devices.push('cuda');
  else reasons.push(facts.hasNvidiaGpu ? 'onnxruntime-node has no CUDA here' : 'there is no NVIDIA GPU');
  if (facts.hasWebGpu) devices.push('webgpu');
  else reasons.push('there is no GPU for WebGPU');
  return { devices: [...devices, 'cpu'], reasons };
}

/** Drivers of Vulkan by the vendor of a GPU on the PCI bus. */
const VULKAN_DRIVERS: Readonly<Record<string, RegExp>> = {
  '0x10de': /nvidia|nouveau/i,
  '0x1002': /radeon|amd/i,
  '0x8086': /intel/i,
};
const DRIVER_FOLDERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];

/** Looks at this machine. What cannot be told is taken for absent. */
export async function readOnnxFacts(): Promise<OnnxFacts> {
  const { platform } = process;
  const library = platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so';
  const main = dirname(fileURLToPath(import.meta.resolve('onnxruntime-node')));
  const builds = await list(join(main, '..', 'bin'));
  const providers = builds.map((build) => join(main, '..', 'bin', build, platform, process.arch, library));
  return {
    hasCudaProvider: (await Promise.all(providers.map(exists))).includes(true),
    hasNvidiaGpu: platform === 'win32' || (await exists('/dev/nvidia0')),
    // On Windows a software adapter cannot be told from a GPU.
    hasWebGpu: platform === 'darwin' || (platform === 'linux' && (await hasVulkanGpu())),
  };
}

async function hasVulkanGpu(): Promise<boolean> {
  // Somebody chose drivers: these alone are taken.
  const chosen = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  const drivers = chosen?.split(':') ?? (await Promise.all(DRIVER_FOLDERS.map(list))).flat();
  const nodes = (await list('/sys/class/drm')).filter((name) => name.startsWith('renderD'));
  for (const node of nodes) {
    const vendor = await readFile(`/sys/class/drm/${node}/device/vendor`, 'utf8').catch(() => '');
    const driver = VULKAN_DRIVERS[vendor.trim()];
    if (driver !== undefined && drivers.some((name) => driver.test(name))) return true;
  }
  return false;
}

const list = (folder: string) => readdir(folder).catch((): string[] => []);

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
