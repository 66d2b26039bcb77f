import type { TemplateId } from '../align/prompt.ts';
import type { AlignRequest } from '../align/request.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppState } from './app-store.ts';
import { chosenObjectives, type Draft, draftTexts } from './draft-store.ts';
import type { Settings } from './settings-store.ts';

/** The model that the page is about: the one in use, else the one chosen last, else the first there is. */
export function currentModel(
  { model, library, pickedModels }: Pick<AppState, 'model' | 'library' | 'pickedModels'>,
  { modelId }: Pick<Settings, 'modelId'>,
): ConvertedModel | undefined {
  if (model.status !== 'none') return model.model;
  const models = [...pickedModels, ...(library.status === 'ready' ? library.models : [])];
  return models.find(({ id }) => id === modelId) ?? models[0];
}

/** The model's own template, or the visitor's choice where it has none that we know. */
export function currentTemplate(
  model: ConvertedModel | undefined,
  { fallbackTemplate }: Pick<Settings, 'fallbackTemplate'>,
): TemplateId {
  return model?.family ?? fallbackTemplate;
}

/** What Align would send now. It may be one that `checkRequest` refuses. */
export function currentRequest(draft: Draft, settings: Settings, template: TemplateId): AlignRequest {
  return {
    objectives: chosenObjectives(draft, template),
    ...draftTexts(draft, template),
    template,
    promptStyle: settings.promptStyle,
    maxNewTokens: settings.maxNewTokens,
    sampling: settings.usesCheckpointSampling ? 'checkpoint' : settings.sampling,
  };
}
