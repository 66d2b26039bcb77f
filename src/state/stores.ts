import { createContext, useContext } from 'react';
import { useStore } from 'zustand';

import type { TemplateId } from '../align/prompt.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppState, AppStore } from './app-store.ts';
import { currentModel, currentTemplate } from './current-request.ts';
import type { DraftState, DraftStore } from './draft-store.ts';
import { hostOfModel } from './server-slice.ts';
import type { SettingsState, SettingsStore } from './settings-store.ts';

export interface Stores {
  app: AppStore;
  draft: DraftStore;
  settings: SettingsStore;
}

/** Provided once, in main.tsx. */
export const StoresContext = createContext<Stores | undefined>(undefined);

/** For actions that read several stores at once. To draw from them, use the hooks below. */
export function useStores(): Stores {
  const stores = useContext(StoresContext);
  if (stores === undefined) throw new Error('There is no StoresContext above this component; this is a bug.');
  return stores;
}

/** Give it the narrowest selector: the component draws again when the selected value changes. */
export function useApp<Selected>(selector: (state: AppState) => Selected): Selected {
  return useStore(useStores().app, selector);
}

export function useDraft<Selected>(selector: (state: DraftState) => Selected): Selected {
  return useStore(useStores().draft, selector);
}

export function useSettings<Selected>(selector: (state: SettingsState) => Selected): Selected {
  return useStore(useStores().settings, selector);
}

export function useCurrentModel(): ConvertedModel | undefined {
  const modelId = useSettings((settings) => settings.modelId);
  return useApp((app) => currentModel(app, { modelId }));
}

/** Who gets the texts when Align is pressed, name and port; undefined: nobody, they stay on this device. */
export function useCurrentHost(): string | undefined {
  return hostOfModel(useCurrentModel());
}

export function useCurrentTemplate(): TemplateId {
  const fallbackTemplate = useSettings((settings) => settings.fallbackTemplate);
  return currentTemplate(useCurrentModel(), { fallbackTemplate });
}
