import { createStore } from 'zustand/vanilla';
import { persist } from 'zustand/middleware';

import type { SamplingOptions } from '../align/engine.ts';
import { PROMPT_STYLES, type PromptStyle, TEMPLATE_IDS, type TemplateId } from '../align/prompt.ts';
import { checkSampling, DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../align/request.ts';
import { VARIANTS } from '../align/variant.ts';
import type { LoadRequest } from '../../workers/protocol.ts';
import { parseScoring, SCORING_DEFAULTS, type ScoringSettings } from './scoring-settings.ts';
import { createStorage, type OnWriteFailed } from './storage.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export const EDIT_VIEWS = ['side-by-side', 'inline', 'clean'] as const;
/** A dialogue as one text with marks, or turn by turn. */
const CONTEXT_FORMS = ['text', 'turns'] as const;
export const DEVICES = ['auto', 'webgpu', 'wasm'] as const satisfies readonly LoadRequest['device'][];

export type Theme = (typeof THEMES)[number];
export type EditView = (typeof EDIT_VIEWS)[number];
export type ContextForm = (typeof CONTEXT_FORMS)[number];

export interface Settings {
  theme: Theme;
  /** How an edit is shown beside its original. */
  editView: EditView;
  contextForm: ContextForm;
  /** A long run that ends while the page is hidden is told by a notification. */
  notifies: boolean;
  /** The model chosen last; undefined: the first one there is. */
  modelId: string | undefined;
  device: LoadRequest['device'];
  /** `auto` where the model has no such variant. */
  variant: LoadRequest['variant'];
  /** Where models are downloaded from: the hub or a mirror, an origin without a slash at its end. */
  hubEndpoint: string;
  /** Access token for gated models; empty: none. Kept in this browser and sent to `hubEndpoint` only. */
  hubToken: string;
  /** Whose models may be used beside those of this device; undefined: none but the page's own. Its key is elsewhere. */
  serverUrl: string | undefined;
  /** The server that the visitor agreed to use when this device cannot run a model; undefined: none. */
  fallbackServer: string | undefined;
  /** For models whose family is not known. */
  fallbackTemplate: TemplateId;
  promptStyle: PromptStyle;
  maxNewTokens: number;
  usesCheckpointSampling: boolean;
  /** Kept, and not sent, while `usesCheckpointSampling`. */
  sampling: SamplingOptions;
  scoring: ScoringSettings;
}

export interface SettingsState extends Settings {
  change: (changes: Partial<Settings>) => void;
  /** How to generate goes back to the defaults; the other settings stay. */
  resetGeneration: () => void;
}

export type SettingsStore = ReturnType<typeof createSettingsStore>;

const GENERATION_DEFAULTS = {
  promptStyle: 'bare',
  maxNewTokens: DEFAULT_MAX_NEW_TOKENS,
  usesCheckpointSampling: false,
  sampling: GREEDY,
} as const satisfies Partial<Settings>;

/** The hub itself; a mirror can be set. */
export const HUB_ENDPOINT = 'https://huggingface.co';

const DEFAULTS: Settings = {
  theme: 'system',
  editView: 'side-by-side',
  contextForm: 'text',
  notifies: false,
  modelId: undefined,
  device: 'auto',
  variant: 'auto',
  hubEndpoint: HUB_ENDPOINT,
  hubToken: '',
  serverUrl: undefined,
  fallbackServer: undefined,
  fallbackTemplate: 'hh-rlhf',
  scoring: SCORING_DEFAULTS,
  ...GENERATION_DEFAULTS,
};

/** The one store besides the draft that outlives the page; every `change` is written at once. */
export function createSettingsStore(
  area: Storage | undefined,
  onWriteFailed: OnWriteFailed,
  defaults: Partial<Settings> = {},
) {
  return createStore<SettingsState>()(
    persist(
      (set) => ({
        ...DEFAULTS,
        ...defaults,
        change: (changes) => set(changes),
        resetGeneration: () => set(GENERATION_DEFAULTS),
      }),
      {
        name: 'metaaligner-settings',
        version: 1,
        storage: createStorage<unknown>(area, onWriteFailed),
        partialize: ({ change: _change, resetGeneration: _resetGeneration, ...settings }) => settings,
        migrate: (stored) => stored,
        merge: (stored, current) => ({ ...current, ...parseSettings(stored, current) }),
      },
    ),
  );
}

/** What was stored may be of another release, or damaged: each field that does not fit keeps its default. */
function parseSettings(stored: unknown, defaults: Settings): Settings {
  const fields = (typeof stored === 'object' ? stored : null) as Partial<Record<keyof Settings, unknown>> | null;
  const oneOf = <Value>(name: keyof Settings, values: readonly Value[], fallback: Value): Value =>
    values.find((value) => value === fields?.[name]) ?? fallback;
  const { sampling, maxNewTokens, modelId, hubEndpoint, hubToken, serverUrl, fallbackServer } = fields ?? {};
  const address = (value: unknown) => (typeof value === 'string' && isEndpoint(value) ? value : undefined);
  return {
    theme: oneOf('theme', THEMES, defaults.theme),
    editView: oneOf('editView', EDIT_VIEWS, defaults.editView),
    contextForm: oneOf('contextForm', CONTEXT_FORMS, defaults.contextForm),
    notifies: oneOf('notifies', [true, false], defaults.notifies),
    modelId: typeof modelId === 'string' ? modelId : defaults.modelId,
    device: oneOf('device', DEVICES, defaults.device),
    variant: oneOf('variant', ['auto', ...VARIANTS], defaults.variant),
    hubEndpoint: typeof hubEndpoint === 'string' && isEndpoint(hubEndpoint) ? hubEndpoint : defaults.hubEndpoint,
    hubToken: typeof hubToken === 'string' ? hubToken : defaults.hubToken,
    serverUrl: address(serverUrl),
    fallbackServer: address(fallbackServer),
    fallbackTemplate: oneOf('fallbackTemplate', TEMPLATE_IDS, defaults.fallbackTemplate),
    promptStyle: oneOf('promptStyle', PROMPT_STYLES, defaults.promptStyle),
    maxNewTokens: isWholeNumber(maxNewTokens) && maxNewTokens >= 1 ? maxNewTokens : defaults.maxNewTokens,
    usesCheckpointSampling: oneOf('usesCheckpointSampling', [true, false], defaults.usesCheckpointSampling),
    sampling: parseSampling(sampling, defaults.sampling),
    scoring: fields?.scoring === undefined ? defaults.scoring : parseScoring(fields.scoring),
  };
}

/** Whether a text is an http address as `hubEndpoint` and `serverUrl` want it. */
export function isEndpoint(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && !text.endsWith('/');
}

/** All that an engine takes, also what the page's own fields do not offer: a link or a kept run may have brought it. */
function parseSampling(stored: unknown, defaults: SamplingOptions): SamplingOptions {
  const fields = (typeof stored === 'object' ? stored : null) as Partial<Record<keyof SamplingOptions, unknown>> | null;
  const sampling = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof SamplingOptions)[]) {
    const value = fields?.[name];
    if (typeof value === 'number' && isSampling({ ...defaults, [name]: value })) sampling[name] = value;
  }
  return sampling;
}

function isSampling(sampling: SamplingOptions): boolean {
  try {
    checkSampling(sampling);
    return true;
  } catch {
    return false;
  }
}

function isWholeNumber(value: unknown): value is number {
  return Number.isInteger(value);
}

type NumberSetting = keyof SamplingOptions | 'maxNewTokens';

/** Ranges that the page offers: within those of `checkSampling`, and narrow enough for a typing error to be caught. */
export const NUMBER_RANGES: Record<NumberSetting, { min: number; max: number; step: number; isWhole: boolean }> = {
  maxNewTokens: { min: 1, max: 32_768, step: 1, isWhole: true },
  temperature: { min: 0, max: 5, step: 0.1, isWhole: false },
  topK: { min: 0, max: 1_000_000, step: 1, isWhole: true },
  topP: { min: 0.01, max: 1, step: 0.01, isWhole: false },
  repetitionPenalty: { min: 0.1, max: 10, step: 0.05, isWhole: false },
  seed: { min: 0, max: 2 ** 32 - 1, step: 1, isWhole: true },
};

export function isSetting(name: NumberSetting, value: unknown): value is number {
  const { min, max, isWhole } = NUMBER_RANGES[name];
  return (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    (!isWhole || Number.isInteger(value))
  );
}
