import { type Command, InvalidArgumentError, Option } from 'commander';
import type { SamplingOptions } from '../src/align/engine.ts';
import { DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../src/align/request.ts';
import { type Variant, VARIANTS } from '../src/align/variant.ts';
import type { LoadedModel } from '../src/engines/load-model.ts';
import type { OnnxDevice, OnnxWish } from '../src/engines/node-device.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import type { ModelFolder } from '../src/weights/node-model-folders.ts';
import { UsageError } from './usage-error.ts';

/** The options of how a model chooses tokens, and of how a local one runs. */
export interface SamplingCommandOptions extends Partial<SamplingOptions> {
  variant?: Variant;
  useCheckpointSettings?: true;
  threads?: number;
}

/** The options of how a local model writes; `align` and `batch` share them. */
export interface GenerateCommandOptions extends SamplingCommandOptions {
  maxNewTokens: number;
}

export function addGenerateOptions(command: Command): Command {
  return addSamplingOptions(
    command.option(
      '--max-new-tokens <number>',
      'longest edit; less where the context ends',
      parseNumber,
      DEFAULT_MAX_NEW_TOKENS,
    ),
  );
}

export function addSamplingOptions(command: Command): Command {
  const checkpointConflicts = ['temperature', 'topK', 'topP', 'repetitionPenalty'];
  return command
    .addOption(new Option('--variant <variant>', 'of those that the model has').choices(VARIANTS))
    .option('--temperature <number>', '0 is greedy: the same request gives the same edit', parseNumber)
    .option('--top-k <number>', 'keep the k likeliest tokens; 0 keeps all', parseNumber)
    .option('--top-p <fraction>', 'keep the likeliest tokens of this total probability', parseNumber)
    .option('--repetition-penalty <number>', '1 is off', parseNumber)
    .option('--seed <number>', 'of sampling; the same seed gives the same edit', parseNumber)
    .addOption(
      new Option('--use-checkpoint-settings', 'sample as the checkpoint’s generation_config.json says').conflicts(
        checkpointConflicts,
      ),
    )
    .option('--threads <number>', 'of the CPU; by default one for each core', parseNumber);
}

/** Greedy where nothing else is said. */
export function samplingOf(options: Partial<SamplingOptions>): SamplingOptions {
  const { temperature, topK, topP, repetitionPenalty, seed } = options;
  const given = Object.entries({ temperature, topK, topP, repetitionPenalty, seed }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...GREEDY, ...Object.fromEntries(given) };
}

export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

export function parseCount(text: string): number {
  const value = parseNumber(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

export interface LocalModelOptions extends Pick<GenerateCommandOptions, 'variant' | 'threads'> {
  concurrency?: number;
  /** `cpu` by default. */
  device?: OnnxWish;
  /** Told of each GPU that `auto` could not take, and why. */
  onSkip?: (message: string) => void;
}

/** Loads a converted folder onto this machine. */
export async function loadLocalModel(
  folder: ModelFolder,
  { device: wish = 'cpu', onSkip = () => {}, ...options }: LocalModelOptions,
  signal: AbortSignal,
): Promise<Pick<LoadedModel, 'model'> & { variant: Variant }> {
  const { ONNX_VARIANTS, onnxDevices, readOnnxFacts } = await import('../src/engines/node-device.ts');
  const { devices } = onnxDevices(wish, await readOnnxFacts());
  const held = Object.keys(folder.manifest.variants);
  for (const device of devices) {
    if (device === 'cpu') break;
    const variant = options.variant ?? ONNX_VARIANTS[device].find((each) => held.includes(each));
    try {
      if (variant === undefined) {
        throw new UsageError(
          `${folder.directory} has none of ${ONNX_VARIANTS[device].join(', ')}, which ${device} runs.`,
        );
      }
      return await loadOnto(device, folder, { ...options, variant }, signal);
    } catch (error) {
      if (wish !== 'auto' || signal.aborted || !(error instanceof Error)) throw error;
      onSkip(`Not on ${device}: ${error.message}`);
    }
  }
  return loadOnto('cpu', folder, options, signal);
}

async function loadOnto(
  device: OnnxDevice,
  { manifest, directory }: ModelFolder,
  { variant, threads, concurrency = 1 }: Omit<LocalModelOptions, 'device' | 'onSkip'>,
  signal: AbortSignal,
): Promise<Pick<LoadedModel, 'model'> & { variant: Variant }> {
  const held = Object.keys(manifest.variants);
  if (variant !== undefined && !held.includes(variant)) {
    throw new UsageError(`${directory} has no ${variant}. It holds: ${held.join(', ')}.`);
  }
  // ORT is a large library; what only checks the usage does not wait for it.
  const { loadModel } = await import('../src/engines/load-model.ts');
  const { NODE_SUPPORT } = await import('../src/engines/choose-variant.ts');
  const { startNodeEngine } = await import('../src/engines/node-engine.ts');
  const loaded = await loadModel(await openNodeFolder(directory), {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant: variant ?? 'auto' },
    startEngine: startNodeEngine({ directory, device, concurrency, ...(threads !== undefined && { threads }) }),
    signal,
  });
  return { model: loaded.model, variant: loaded.choice.variant };
}
