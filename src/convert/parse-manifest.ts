import { AlignError } from '../align/errors.ts';
import { TEMPLATE_IDS, type TemplateId } from '../align/prompt.ts';
import { VARIANTS, type Variant } from '../align/variant.ts';
import type { LlamaConfig } from './llama-config.ts';
import { MANIFEST_PATH, type ManifestFile, type ModelManifest } from './manifest.ts';

/** Nothing of ours is near it; a manifest beyond it is not a manifest. */
export const MAX_MANIFEST_BYTES = 1 << 20;

/**
 * Reads metaaligner.json, which may come from anywhere: every path in it stays inside the folder.
 *
 * @param text        UTF-8 text of the file
 * @param folderName  named in errors
 * @throws AlignError `weights-corrupt` that names the field and what it must be; `unsupported-model` for a format
 *   version of a later program
 */
export function parseManifest(text: string, folderName: string): ModelManifest {
  const read = new ManifestReader(folderName);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw read.corrupt('the file', 'JSON', cause);
  }
  const root = read.object(json, 'the file');
  if (root.formatVersion !== 1) {
    if (typeof root.formatVersion !== 'number') throw read.corrupt('formatVersion', '1');
    throw new AlignError(
      'unsupported-model',
      `${folderName} has ${MANIFEST_PATH} of format version ${root.formatVersion}; this program reads version 1.`,
      { details: { folderName, formatVersion: root.formatVersion } },
    );
  }
  const variants: Partial<Record<Variant, ManifestFile[]>> = {};
  const variantLists = read.object(root.variants, 'variants');
  // A variant that a later program may add is not one that we can run: skipped, the others stay usable.
  for (const variant of VARIANTS) {
    if (variantLists[variant] === undefined) continue;
    const files = read.files(variantLists[variant], `variants.${variant}`);
    if (files.length === 0) throw read.corrupt(`variants.${variant}`, 'a list of at least one file');
    variants[variant] = files;
  }
  const family = root.family;
  if (family !== undefined && !TEMPLATE_IDS.includes(family as TemplateId)) {
    throw read.corrupt('family', `one of ${TEMPLATE_IDS.join(', ')}`);
  }
  return {
    formatVersion: 1,
    name: read.string(root.name, 'name'),
    source: read.string(root.source, 'source'),
    family: family as TemplateId | undefined,
    config: read.config(root.config),
    parameterCount: read.count(root.parameterCount, 'parameterCount'),
    variants,
    sidecars: read.files(root.sidecars, 'sidecars'),
  };
}

class ManifestReader {
  readonly #folderName: string;

  constructor(folderName: string) {
    this.#folderName = folderName;
  }

  corrupt(field: string, expected: string, cause?: unknown): AlignError {
    return new AlignError(
      'weights-corrupt',
      `${MANIFEST_PATH} of ${this.#folderName} is damaged: ${field} is not ${expected}.`,
      { cause, details: { folderName: this.#folderName, field } },
    );
  }

  object(value: unknown, field: string): Readonly<Record<string, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.corrupt(field, 'an object');
    return value as Readonly<Record<string, unknown>>;
  }

  string(value: unknown, field: string): string {
    if (typeof value !== 'string') throw this.corrupt(field, 'a string');
    return value;
  }

  count(value: unknown, field: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw this.corrupt(field, 'a whole number');
    return value as number;
  }

  positive(value: unknown, field: string): number {
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw this.corrupt(field, 'a number above 0');
    }
    return value;
  }

  files(value: unknown, field: string): ManifestFile[] {
    if (!Array.isArray(value)) throw this.corrupt(field, 'a list');
    return value.map((entry: unknown, i) => {
      const file = this.object(entry, `${field}[${i}]`);
      const path = this.string(file.path, `${field}[${i}].path`);
      if (!isInsidePath(path)) throw this.corrupt(`${field}[${i}].path`, 'a path inside the folder');
      const sizeBytes = this.count(file.sizeBytes, `${field}[${i}].sizeBytes`);
      if (file.sha256 === undefined) return { path, sizeBytes };
      const sha256 = this.string(file.sha256, `${field}[${i}].sha256`);
      if (!/^[0-9a-f]{64}$/.test(sha256)) throw this.corrupt(`${field}[${i}].sha256`, '64 hexadecimal digits');
      return { path, sizeBytes, sha256 };
    });
  }

  config(value: unknown): LlamaConfig {
    const config = this.object(value, 'config');
    const size = (name: keyof LlamaConfig) =>
      this.positive(this.count(config[name], `config.${name}`), `config.${name}`);
    const eosTokenIds = config.eosTokenIds;
    if (!Array.isArray(eosTokenIds)) throw this.corrupt('config.eosTokenIds', 'a list');
    if (typeof config.isEmbeddingTied !== 'boolean') throw this.corrupt('config.isEmbeddingTied', 'true or false');
    return {
      vocabularySize: size('vocabularySize'),
      hiddenSize: size('hiddenSize'),
      intermediateSize: size('intermediateSize'),
      layerCount: size('layerCount'),
      headCount: size('headCount'),
      kvHeadCount: size('kvHeadCount'),
      headDim: size('headDim'),
      rmsNormEpsilon: this.positive(config.rmsNormEpsilon, 'config.rmsNormEpsilon'),
      ropeTheta: this.positive(config.ropeTheta, 'config.ropeTheta'),
      contextLength: size('contextLength'),
      isEmbeddingTied: config.isEmbeddingTied,
      bosTokenId: config.bosTokenId === undefined ? undefined : this.count(config.bosTokenId, 'config.bosTokenId'),
      eosTokenIds: eosTokenIds.map((id, i) => this.count(id, `config.eosTokenIds[${i}]`)),
    };
  }
}

/** Whether a path from a file is relative and stays inside its folder: `onnx/model.onnx`, not `../x`, `/x`, `C:\x`. */
export function isInsidePath(path: string): boolean {
  if (path === '' || /[\\:?#%\0]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
