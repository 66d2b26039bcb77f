import type { AlignerModel } from '../align/align.ts';
import type { Engine } from '../align/engine.ts';
import { type ChatFormat, chatTemplateOf } from '../align/chat-format.ts';
import { AlignError } from '../align/errors.ts';
import { type ChatTokenizer, loadTokenizer } from '../align/tokenizer.ts';
import type { Variant } from '../align/variant.ts';
import { type ByteSource, readText, type SourceFolder } from '../convert/byte-source.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { MANIFEST_PATH, type ManifestFile, type ModelManifest } from '../convert/manifest.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../convert/parse-manifest.ts';
import { parseCheckpointSampling } from './checkpoint-sampling.ts';
import { chooseVariant, type DeviceSupport, type ModelChoice, type ModelWish } from './choose-variant.ts';

export interface LoadModelOptions {
  support: DeviceSupport;
  wish: ModelWish;
  startEngine: StartEngine;
  /** The choice, as soon as it is made; again where it did not fit into memory. */
  onChoice?: (choice: ModelChoice) => void;
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
}

/** `reading` counts the bytes of all files; `starting` is the runtime's part, which tells nothing. */
export interface LoadProgress {
  phase: 'reading' | 'starting';
  file: string;
  loadedBytes: number;
  totalBytes: number;
}

/** Starts an engine on the files of one variant: `startNodeEngine`, `startWebEngine`. */
export type StartEngine = (start: EngineStart) => Promise<Engine>;

export interface EngineStart {
  choice: ModelChoice;
  config: LlamaConfig;
  /** The graph first, then its external data in order; all of them there and of the right size. */
  files: readonly ModelFile[];
  onProgress: (progress: LoadProgress) => void;
  signal: AbortSignal;
}

export interface ModelFile {
  path: string;
  source: ByteSource;
}

export interface LoadedModel {
  model: AlignerModel & { tokenizer: ChatTokenizer };
  chat: ChatFormat;
  manifest: ModelManifest;
  choice: ModelChoice;
  /** Of the variant's files. */
  sizeBytes: number;
}

/**
 * Loads a converted folder. Everything that can be known before the weights are read is checked before that. Where memory
 * runs out the next smaller variant is taken, unless the user asked for one.
 *
 * @throws AlignError `weights-missing` if a file or the wanted variant is not there; `weights-corrupt` that says what is
 *   wrong with which file; `unsupported-model`; what `chooseVariant` and the engine throw; the signal's reason
 */
export async function loadModel(folder: SourceFolder, options: LoadModelOptions): Promise<LoadedModel> {
  const {
    support,
    wish,
    startEngine,
    onChoice,
    onProgress = () => {},
    signal = new AbortController().signal,
  } = options;
  const manifest = await readManifest(folder, signal);
  let choice = chooseVariant(Object.keys(manifest.variants) as Variant[], support, wish);
  onChoice?.(choice);
  const tokenizerConfig = await readSidecar(folder, manifest, 'tokenizer_config.json', signal);
  const tokenizer = loadTokenizer(await readSidecar(folder, manifest, 'tokenizer.json', signal), tokenizerConfig);
  // A tokenizer that was read has a configuration that is an object.
  const chatConfig = tokenizerConfig as ChatFormat['tokenizerConfig'];
  const chat = { template: chatTemplateOf(chatConfig), tokenizerConfig: chatConfig };
  const generationConfig = await readSidecar(folder, manifest, 'generation_config.json', signal);
  const checkpointSampling = parseCheckpointSampling(generationConfig, `${folder.name}/generation_config.json`);
  for (;;) {
    const manifestFiles = manifest.variants[choice.variant] ?? [];
    const files = await Promise.all(
      manifestFiles.map(async (file) => ({ path: file.path, source: await openChecked(folder, file) })),
    );
    signal.throwIfAborted();
    try {
      const engine = await startEngine({ choice, config: manifest.config, files, onProgress, signal });
      if (signal.aborted) await engine.dispose();
      signal.throwIfAborted();
      const sizeBytes = sizeOf(manifest, choice.variant);
      return { model: { tokenizer, engine, checkpointSampling }, chat, manifest, choice, sizeBytes };
    } catch (error) {
      signal.throwIfAborted();
      const smaller = chooseSmaller(error, manifest, choice, support, wish);
      if (smaller === undefined) throw error;
      choice = smaller;
      onChoice?.(choice);
    }
  }
}

/** @returns the choice among what is smaller than the variant for which memory ran out; undefined where there is none */
function chooseSmaller(
  error: unknown,
  manifest: ModelManifest,
  { variant, device }: ModelChoice,
  support: DeviceSupport,
  wish: ModelWish,
): ModelChoice | undefined {
  if (!(error instanceof AlignError) || error.code !== 'out-of-memory' || wish.variant !== 'auto') return undefined;
  const smaller = (Object.keys(manifest.variants) as Variant[]).filter(
    (each) => sizeOf(manifest, each) < sizeOf(manifest, variant),
  );
  try {
    const choice = chooseVariant(smaller, support, wish);
    return { ...choice, reason: `${variant} did not fit into memory on ${device}. ${choice.reason}` };
  } catch {
    // Nothing that is smaller runs here: that there is no memory is what the user must know.
    return undefined;
  }
}

function sizeOf({ variants }: ModelManifest, variant: Variant): number {
  return (variants[variant] ?? []).reduce((sum, file) => sum + file.sizeBytes, 0);
}

async function readManifest(folder: SourceFolder, signal: AbortSignal): Promise<ModelManifest> {
  const source = await folder.open(MANIFEST_PATH);
  if (source.sizeBytes > MAX_MANIFEST_BYTES) {
    throw corrupt(source.name, `is ${count(source.sizeBytes)} bytes long; that is no manifest`);
  }
  return parseManifest(await readText(source, { signal }), folder.name);
}

/** @returns parsed JSON, whatever it is */
async function readSidecar(
  folder: SourceFolder,
  manifest: ModelManifest,
  path: string,
  signal: AbortSignal,
): Promise<unknown> {
  const file = manifest.sidecars.find((sidecar) => sidecar.path === path);
  if (file === undefined) {
    throw new AlignError('weights-missing', `${folder.name} lists no ${path} in ${MANIFEST_PATH}.`, {
      details: { folder: folder.name, path },
    });
  }
  const source = await openChecked(folder, file);
  const text = await readText(source, { signal });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw corrupt(source.name, `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** A file of another size was cut off on its way, or is another conversion's: ORT might read past its end. */
async function openChecked(folder: SourceFolder, { path, sizeBytes }: ManifestFile): Promise<ByteSource> {
  const source = await folder.open(path);
  if (source.sizeBytes !== sizeBytes) {
    throw corrupt(source.name, `is ${count(source.sizeBytes)} bytes long; ${MANIFEST_PATH} says ${count(sizeBytes)}`);
  }
  return source;
}

function corrupt(name: string, what: string, cause?: unknown): AlignError {
  return new AlignError('weights-corrupt', `${name} ${what}.`, { cause, details: { file: name } });
}

function count(bytes: number): string {
  return bytes.toLocaleString('en-US');
}
