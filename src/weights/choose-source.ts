import { AlignError } from '../align/errors.ts';
import { type Variant, VARIANTS } from '../align/variant.ts';
import { MANIFEST_PATH, type ModelManifest } from '../convert/manifest.ts';
import type { RemoteFile, RemoteRepository } from './remote-repository.ts';

/** One way in which a repository offers the model. */
export type ModelOffer =
  /** A folder that our converter wrote: its files go into the cache as they are. */
  | { kind: 'ready'; files: readonly RemoteFile[] }
  /** A checkpoint that is converted while it arrives; `files` are those that the conversion may read. */
  | { kind: 'checkpoint'; format: 'safetensors' | 'gguf' | 'torch'; files: readonly RemoteFile[] };

/** What a conversion reads beside the weights. */
const SIDECARS = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'tokenizer.model',
]);

/**
 * Quantizations of GGUF files by how well they serve as a source for 4- and 8-bit weights: eight bits lose next to
 * nothing and are half of sixteen to download. Others, such as `IQ2_XS` or `Q2_K`, are not read.
 */
const GGUF_TYPES = ['Q8_0', 'BF16', 'F16', 'Q6_K', 'Q5_K', 'Q5_1', 'Q5_0', 'Q4_K', 'Q4_1', 'Q4_0', 'F32'] as const;

/**
 * The best source that a repository offers for a variant: a folder of ours if it holds the variant, else safetensors,
 * GGUF, PyTorch's .bin.
 *
 * @param manifest  of the repository's metaaligner.json, where there is one
 * @throws AlignError `weights-missing` with what was looked for if there are no weights that we read
 */
export function chooseSource(
  { name, files }: Pick<RemoteRepository, 'name' | 'files'>,
  variant: Variant,
  manifest: ModelManifest | undefined,
): ModelOffer {
  const ready = manifest === undefined ? undefined : readyOffer(files, variant, manifest);
  const offer =
    ready ??
    checkpointOffer('safetensors', shards(files, 'model', 'safetensors'), files) ??
    checkpointOffer('gguf', bestGguf(files), files) ??
    checkpointOffer('torch', shards(files, 'pytorch_model', 'bin'), files);
  if (offer !== undefined) return offer;
  const others = VARIANTS.filter((other) => manifest?.variants[other] !== undefined);
  const has = others.length > 0 ? `; its ${MANIFEST_PATH} has ${others.join(', ')} and not ${variant}` : '';
  throw new AlignError(
    'weights-missing',
    `${name} has no Llama weights that can be read: looked for ${MANIFEST_PATH}, model.safetensors, *.gguf and ` +
      `pytorch_model.bin among ${files.length} files${has}.`,
    { details: { name, fileCount: files.length } },
  );
}

function readyOffer(files: readonly RemoteFile[], variant: Variant, manifest: ModelManifest): ModelOffer | undefined {
  const needed = manifest.variants[variant];
  if (needed === undefined) return undefined;
  const byPath = new Map(files.map((file) => [file.path, file]));
  // The small files first: a folder that misses one is known before the weights are downloaded.
  const found = [...manifest.sidecars, ...needed].map(({ path }) => byPath.get(path));
  return found.every((file) => file !== undefined) ? { kind: 'ready', files: found } : undefined;
}

function checkpointOffer(
  format: 'safetensors' | 'gguf' | 'torch',
  weights: readonly RemoteFile[],
  files: readonly RemoteFile[],
): ModelOffer | undefined {
  if (weights.length === 0) return undefined;
  return { kind: 'checkpoint', format, files: [...files.filter(({ path }) => SIDECARS.has(path)), ...weights] };
}

/** One file of weights, or an index and its shards; none where the repository has neither. */
export function shards(files: readonly RemoteFile[], base: string, extension: string): RemoteFile[] {
  const single = files.find(({ path }) => path === `${base}.${extension}`);
  if (single !== undefined) return [single];
  const index = files.find(({ path }) => path === `${base}.${extension}.index.json`);
  const shard = new RegExp(`^${base}-\\d{5}-of-\\d{5}\\.${extension}$`);
  return index === undefined ? [] : [index, ...files.filter(({ path }) => shard.test(path))];
}

/** One file, or all parts of one, of the best quantization. */
function bestGguf(files: readonly RemoteFile[]): RemoteFile[] {
  const models = new Map<string, RemoteFile[]>();
  for (const file of files) {
    const [, name = ''] = /^([^/]*?)(?:-\d{5}-of-\d{5})?\.gguf$/i.exec(file.path) ?? [];
    if (name !== '') models.set(name, [...(models.get(name) ?? []), file]);
  }
  const rank = (name: string) => {
    const place = GGUF_TYPES.findIndex((type) => new RegExp(`(^|[-._])${type}([-._]|$)`, 'i').test(name));
    return place === -1 ? GGUF_TYPES.length : place;
  };
  const isOther = (name: string) => /(^|[-._])(I?Q[1-3]_|IQ4|TQ)/i.test(name) || /mmproj/i.test(name);
  const [best] = [...models.keys()].filter((name) => !isOther(name)).sort((one, other) => rank(one) - rank(other));
  return best === undefined ? [] : (models.get(best) ?? []).sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** What getting a model will take, said before it starts. */
export interface AcquisitionCost {
  downloadBytes: number;
  /** In the cache or on disk afterwards. */
  keepBytes: number;
  /** Undefined before a speed was measured. */
  expectedSeconds: number | undefined;
  /** How much must be freed first; 0: it fits. Undefined where the browser does not tell its quota. */
  missingBytes: number | undefined;
}

/**
 * @param known.alreadyBytes       of the download that an earlier attempt brought
 * @param known.bytesPerSecond     of the connection, as measured
 * @param known.convertPerSecond   bytes of a checkpoint that this device converts in a second, as measured
 * @param known.freeBytes          quota less use
 */
export function estimateCost(
  offer: ModelOffer,
  keepBytes: number,
  known: {
    alreadyBytes?: number | undefined;
    bytesPerSecond?: number | undefined;
    convertPerSecond?: number | undefined;
    freeBytes?: number | undefined;
  },
): AcquisitionCost {
  const total = offer.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const downloadBytes = Math.max(0, total - (known.alreadyBytes ?? 0));
  const speeds = [known.bytesPerSecond, offer.kind === 'checkpoint' ? known.convertPerSecond : undefined];
  const slowest = Math.min(...speeds.map((speed) => speed ?? Infinity));
  return {
    downloadBytes,
    keepBytes,
    // Download and conversion run together: the slower one counts.
    expectedSeconds: known.bytesPerSecond === undefined || slowest === 0 ? undefined : downloadBytes / slowest,
    missingBytes: known.freeBytes === undefined ? undefined : Math.max(0, keepBytes - known.freeBytes),
  };
}
