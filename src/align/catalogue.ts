import { AlignError } from './errors.ts';
import type { TemplateId } from './prompt.ts';

/** A published MetaAligner checkpoint. */
export interface CatalogueModel {
  /** Hugging Face hub id. */
  id: string;
  family: TemplateId;
  size: '1.1B' | '7B' | '13B';
  parameterCount: number;
  /** What it was fine-tuned from. */
  base: string;
  /** Tokens that prompt and edit may take together. */
  contextLength: number;
  /** As its model card says; weights made from Llama 2 are under Meta's licence too. */
  licence: string;
  /**
   * Bytes of the published float32 shards. For 7B and 13B read from the hub's index files; for 1.1B four bytes per
   * parameter, since its file list could not be read.
   */
  downloadBytes: number;
}

const FAMILY_NAMES: Record<TemplateId, string> = { 'hh-rlhf': 'HH-RLHF', ultrafeedback: 'UltraFeedback', imhi: 'IMHI' };

const SIZES: Record<CatalogueModel['size'], Omit<CatalogueModel, 'id' | 'family' | 'size'>> = {
  '1.1B': {
    parameterCount: 1_100_048_384,
    base: 'TinyLlama-1.1B',
    contextLength: 2048,
    licence: 'MIT (base: Apache-2.0)',
    downloadBytes: 4_400_193_536,
  },
  '7B': {
    parameterCount: 6_738_415_616,
    base: 'Llama-2-7B',
    contextLength: 4096,
    licence: 'MIT (base: Llama 2 Community License)',
    downloadBytes: 26_953_662_464,
  },
  '13B': {
    parameterCount: 13_015_864_320,
    base: 'Llama-2-13B',
    contextLength: 4096,
    licence: 'MIT (base: Llama 2 Community License)',
    downloadBytes: 52_063_457_280,
  },
};

function published(family: TemplateId, size: CatalogueModel['size']): CatalogueModel {
  return { id: `MetaAligner/MetaAligner-${FAMILY_NAMES[family]}-${size}`, family, size, ...SIZES[size] };
}

/** The id of the small aligner that comes with the page; it shows the mechanics and is not MetaAligner. */
export const DEMO_ALIGNER_ID = 'demo-aligner';

/** The eight published checkpoints, as the paper and the repositories list them. */
export const CATALOGUE: readonly CatalogueModel[] = [
  published('hh-rlhf', '1.1B'),
  published('hh-rlhf', '7B'),
  published('hh-rlhf', '13B'),
  published('ultrafeedback', '1.1B'),
  published('ultrafeedback', '7B'),
  published('ultrafeedback', '13B'),
  published('imhi', '7B'),
  published('imhi', '13B'),
];

/**
 * The family that a model's name tells, as the reference script reads it from the aligner's name.
 *
 * @param name  a hub id, a folder's or a file's name
 * @returns undefined for any other Llama checkpoint: the user chooses the template
 */
export function familyOfName(name: string): TemplateId | undefined {
  const lower = name.toLowerCase();
  if (!lower.includes('metaaligner')) return undefined;
  return (Object.keys(FAMILY_NAMES) as TemplateId[]).find((family) =>
    lower.includes(FAMILY_NAMES[family].toLowerCase()),
  );
}

/** @throws AlignError `unknown-name` with the list of the templates */
export function parseTemplateId(name: string): TemplateId {
  if (Object.hasOwn(FAMILY_NAMES, name)) return name as TemplateId;
  throw new AlignError(
    'unknown-name',
    `There is no family “${name}”. Known: ${Object.keys(FAMILY_NAMES).join(', ')}.`,
    {
      details: { name },
    },
  );
}
