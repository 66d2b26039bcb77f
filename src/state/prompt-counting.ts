import type { AppStore } from './app-store.ts';
import { currentModel, currentRequest, currentTemplate } from './current-request.ts';
import type { DraftStore } from './draft-store.ts';
import type { SettingsStore } from './settings-store.ts';

/** A pause in typing after which the prompt is counted. */
const QUIET_MS = 200;

/**
 * Keeps `promptCount` true to what Align would send: counts when the model is ready, and a moment after draft or
 * settings changed.
 *
 * @returns stops counting
 */
export function keepPromptCounted(
  { app, draft, settings }: { app: AppStore; draft: DraftStore; settings: SettingsStore },
  setTimer: (callback: () => void, delayMs: number) => number = (callback, delayMs) =>
    globalThis.setTimeout(callback, delayMs) as unknown as number,
  clearTimer: (timer: number) => void = (timer) => globalThis.clearTimeout(timer),
): () => void {
  let timer: number | undefined;
  const count = () => {
    timer = undefined;
    const template = currentTemplate(currentModel(app.getState(), settings.getState()), settings.getState());
    void app.getState().countPrompt(currentRequest(draft.getState(), settings.getState(), template));
  };
  const countSoon = () => {
    if (timer !== undefined) clearTimer(timer);
    timer = setTimer(count, QUIET_MS);
  };
  const unsubscribers = [
    app.subscribe(({ model }, before) => {
      if (model.status !== before.model.status) count();
    }),
    draft.subscribe(countSoon),
    settings.subscribe(countSoon),
  ];
  return () => {
    if (timer !== undefined) clearTimer(timer);
    for (const unsubscribe of unsubscribers) unsubscribe();
  };
}
