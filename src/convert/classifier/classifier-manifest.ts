import { AlignError } from '../../align/errors.ts';
import type { ManifestFile } from '../manifest.ts';
import { isInsidePath, MAX_MANIFEST_BYTES } from '../parse-manifest.ts';
import type { ByteSource, SourceFolder } from '../byte-source.ts';
import { readText } from '../byte-source.ts';
import { parseJsonObject } from '../checkpoint/json-reader.ts';
import type { ClassifierVariant } from '../onnx/sequence-classifier-graph.ts';

/** Path of the manifest in a converted classifier's folder. It is written last. */
export const CLASSIFIER_MANIFEST_PATH = 'classifier.json';

/** What a converted classifier's folder holds besides config.json, tokenizer.json and tokenizer_config.json. */
export interface ClassifierManifest {
  formatVersion: 1;
  /** Where the weights came from: a hub id with its commit, a folder's name. */
  source: string;
  parameterCount: number;
  /** The graph first, then its external data in order. */
  variants: Partial<Record<ClassifierVariant, ManifestFile[]>>;
}

/**
 * Reads a converted folder's manifest and checks that the files of its variants are whole.
 *
 * @throws AlignError `weights-missing` without a manifest or a file; `weights-corrupt` for what is damaged
 */
export async function readClassifierManifest(folder: SourceFolder): Promise<ClassifierManifest> {
  const source = await folder.open(CLASSIFIER_MANIFEST_PATH);
  const manifest = await parseClassifierManifest(source);
  for (const { path, sizeBytes } of Object.values(manifest.variants).flat()) {
    const actual = (await folder.open(path)).sizeBytes;
    if (actual !== sizeBytes) throw corrupt(source, `${path} has ${actual} bytes, not the ${sizeBytes} that it lists`);
  }
  return manifest;
}

/** @throws AlignError `weights-corrupt` for what is damaged */
export async function parseClassifierManifest(source: ByteSource): Promise<ClassifierManifest> {
  if (source.sizeBytes > MAX_MANIFEST_BYTES) throw corrupt(source, `${source.sizeBytes} bytes are too many for it`);
  const text = await readText(source);
  let root: Readonly<Record<string, unknown>>;
  try {
    root = parseJsonObject(text, source.name);
  } catch (cause) {
    throw corrupt(source, 'it is no JSON object', cause);
  }
  if (root.formatVersion !== 1) throw corrupt(source, 'its formatVersion is not 1');
  const variants: ClassifierManifest['variants'] = {};
  const lists = (root.variants ?? {}) as Record<string, unknown>;
  for (const variant of ['fp32', 'q8'] as const) {
    const files = lists[variant];
    if (files === undefined) continue;
    if (!Array.isArray(files) || files.length === 0 || !files.every(isFile)) {
      throw corrupt(source, `variants.${variant} is no list of files`);
    }
    variants[variant] = files;
  }
  if (Object.keys(variants).length === 0) throw corrupt(source, 'it lists no variant');
  return {
    formatVersion: 1,
    source: String(root.source),
    parameterCount: Number(root.parameterCount),
    variants,
  };
}

function isFile(value: unknown): value is ManifestFile {
  const { path, sizeBytes } = (value ?? {}) as Partial<ManifestFile>;
  return typeof path === 'string' && isInsidePath(path) && Number.isSafeInteger(sizeBytes) && (sizeBytes ?? -1) >= 0;
}

function corrupt({ name }: ByteSource, problem: string, cause?: unknown): AlignError {
  return new AlignError('weights-corrupt', `${name}: ${problem}.`, { cause, details: { file: name } });
}
