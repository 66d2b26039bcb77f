import type { StateCreator } from 'zustand/vanilla';

import type { AlignErrorData } from '../align/errors.ts';
import type { ConvertedModel, PickedFile } from '../worker-client/model-library.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { toErrorData } from './error-data.ts';

/** The models that the page's server offers. */
type LibraryState =
  | { status: 'loading' }
  | { status: 'ready'; models: readonly ConvertedModel[]; problems: readonly AlignErrorData[] }
  | { status: 'failed'; error: AlignErrorData };

export interface LibrarySlice {
  library: LibraryState;
  /** From the visitor's disk, the latest first; forgotten with the page. */
  pickedModels: readonly ConvertedModel[];
  /** Why the folder picked last is no model. */
  pickError: AlignErrorData | undefined;
  listModels: () => Promise<void>;
  /** @returns the model, or undefined with `pickError` set */
  pickFolder: (files: readonly PickedFile[]) => Promise<ConvertedModel | undefined>;
}

export function createLibrarySlice({
  library,
  pageOrigin,
}: AppDependencies): StateCreator<AppState, [], [], LibrarySlice> {
  return (set, get) => ({
    library: { status: 'loading' },
    pickedModels: [],
    pickError: undefined,
    async listModels() {
      // A list that is there stays until the new one is: the model chosen from it must not vanish meanwhile.
      if (get().library.status !== 'ready') set({ library: { status: 'loading' } });
      try {
        const { models, problems, runsModels } = await library.list();
        set({ library: { status: 'ready', models, problems: problems.map((problem) => problem.toJSON()) } });
        // Nobody who wants a model of this device waits for what a server has.
        if (runsModels && !get().servers.some(({ isOwn }) => isOwn)) void get().checkServer(pageOrigin, true);
      } catch (error) {
        set({ library: { status: 'failed', error: toErrorData(error) } });
      }
    },
    async pickFolder(files) {
      set({ pickError: undefined });
      try {
        const picked = await library.open(files);
        set({ pickedModels: [picked, ...get().pickedModels.filter(({ id }) => id !== picked.id)] });
        return picked;
      } catch (error) {
        set({ pickError: toErrorData(error) });
        return undefined;
      }
    },
  });
}
