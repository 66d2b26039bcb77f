import type { StateCreator } from 'zustand/vanilla';

import type { AlignErrorData } from '../align/errors.ts';
import type { AlignRequest } from '../align/request.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { isAbort, toErrorData } from './error-data.ts';

/** The length of the prompt that Align would send. `none` without a model: only its tokenizer can tell. */
type PromptCount =
  { status: 'none' } | { status: 'known'; promptTokens: number } | { status: 'failed'; error: AlignErrorData };

export interface PromptSlice {
  promptCount: PromptCount;
  /** Counts; of several calls only the latest is shown. The count before stays until it is known. */
  countPrompt: (request: AlignRequest) => Promise<void>;
}

export function createPromptSlice({ client }: AppDependencies): StateCreator<AppState, [], [], PromptSlice> {
  return (set, get) => {
    let latestCount = 0;
    return {
      promptCount: { status: 'none' },
      async countPrompt(request) {
        const count = ++latestCount;
        if (get().model.status !== 'ready') {
          set({ promptCount: { status: 'none' } });
          return;
        }
        try {
          const promptTokens = await client.countPromptTokens(request);
          if (count === latestCount) set({ promptCount: { status: 'known', promptTokens } });
        } catch (error) {
          if (count !== latestCount) return;
          set({ promptCount: isAbort(error) ? { status: 'none' } : { status: 'failed', error: toErrorData(error) } });
        }
      },
    };
  };
}
