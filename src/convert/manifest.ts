import type { TemplateId } from '../align/prompt.ts';
import type { Variant } from '../align/variant.ts';
import type { LlamaConfig } from './llama-config.ts';

/** Path of the manifest in a converted folder. It is written last: a folder without it is not whole. */
export const MANIFEST_PATH = 'metaaligner.json';

export interface ManifestFile {
  path: string;
  sizeBytes: number;
  /** 64 lower-case hexadecimal digits. A folder without them still loads; its download trusts what came first. */
  sha256?: string;
}

/** What a converted folder holds. */
export interface ModelManifest {
  formatVersion: 1;
  /** Shown to the user. */
  name: string;
  /** Where the weights came from: a hub id, a file name. */
  source: string;
  /** The template that the model was trained on; undefined when unknown: the user chooses. */
  family: TemplateId | undefined;
  config: LlamaConfig;
  /** Parameters as counted from the tensors (a tied embedding once). */
  parameterCount: number;
  /** The graph first, then its external data in order. */
  variants: Partial<Record<Variant, ManifestFile[]>>;
  /** config.json, tokenizer.json, tokenizer_config.json, generation_config.json. */
  sidecars: ManifestFile[];
}
