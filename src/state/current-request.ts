import { DEMO_ALIGNER_ID } from '../align/catalogue.ts';
import type { TemplateId } from '../align/prompt.ts';
import type { AlignRequest } from '../align/request.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppState } from './app-store.ts';
import { chosenObjectives, type Draft, draftTexts } from './draft-store.ts';
import type { Settings } from './settings-store.ts';

/** The model that the page is about: the one in use, else the one chosen last. Before any choice, the built-in one. */
export function currentModel(
  app: Pick<AppState, 'model' | 'library' | 'pickedModels' | 'store' | 'servers'>,
  { modelId }: Pick<Settings, 'modelId'>,
): ConvertedModel | undefined {
  if (app.model.status !== 'none') return app.model.model;
  const models = readyModels(app);
  // A model that was chosen and is gone is never replaced in silence: the page says that it is missing.
  if (modelId !== undefined) return models.find(({ id }) => id === modelId);
  // Nothing is sent anywhere that was not chosen.
  const here = models.filter(({ location }) => location.kind !== 'server');
  return here.find(({ id }) => id === DEMO_ALIGNER_ID) ?? here[0];
}

/** Every model that can be used at once: from disk, kept in this browser, offered by the page's host, run by servers. */
export function readyModels(app: Pick<AppState, 'library' | 'pickedModels' | 'store' | 'servers'>): ConvertedModel[] {
  const { library, pickedModels, store, servers } = app;
  const stored = store.status === 'ready' ? store.models : [];
  const served = servers.flatMap(({ models }) => models);
  return [...pickedModels, ...stored, ...(library.status === 'ready' ? library.models : []), ...served];
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
