import type { StateCreator } from 'zustand/vanilla';

import type { AlignErrorData } from '../align/errors.ts';
import type { AlignRequest } from '../align/request.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { isAbort, toErrorData } from './error-data.ts';

/**
 * The length of the prompt that Align would send. `none` without a model, whose tokenizer alone can tell, and for a server's:
 * nothing is sent there before Align is pressed.
 */
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
        const { model } = get();
        if (model.status !== 'ready' || model.model.location.kind === 'server') {
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
