import { currentModel, currentRequest, currentTemplate } from '../../state/current-request.ts';
import { chosenObjectives, draftTexts } from '../../state/draft-store.ts';
import { useApp, useCurrentModel, useCurrentTemplate, useDraft, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { useLoadModel } from './use-load-model.ts';

export interface AlignActions {
  /** Loads the model first where it is not loaded. Does nothing while it is loading or running, or is refused. */
  align: () => Promise<void>;
  stop: () => void;
  /** Why Align cannot be pressed now; undefined when it can. */
  refusal: string | undefined;
}

export function useAlign(): AlignActions {
  const { app, draft, settings } = useStores();
  const load = useLoadModel();
  const stop = useApp((state) => state.stopRun);
  const refusal = useRefusal();

  const align = async () => {
    const { model: state, run } = app.getState();
    const model = currentModel(app.getState(), settings.getState());
    if (model === undefined || refusal !== undefined || state.status === 'loading' || run.status === 'running') return;
    if (state.status !== 'ready' && !(await load(model))) return;
    // Read now, not before the load: the visitor may have gone on writing.
    const template = currentTemplate(model, settings.getState());
    await app.getState().startRun(currentRequest(draft.getState(), settings.getState(), template));
  };
  return { align, stop, refusal };
}

/** Why Align cannot be pressed now, as far as the request and the model are concerned. */
export function useRefusal(): string | undefined {
  const isComparing = useApp((app) => app.comparison?.isRunning ?? false);
  const hasModel = useCurrentModel() !== undefined;
  const template = useCurrentTemplate();
  const hasObjectives = useDraft((draft) => chosenObjectives(draft, template).length > 0);
  const isAnswerBlank = useDraft((draft) => draftTexts(draft, template).answer.trim() === '');
  const tooManyTokens = useApp(({ model, promptCount }) =>
    model.status === 'ready' && promptCount.status === 'known'
      ? Math.max(0, promptCount.promptTokens - model.info.contextLength + 1)
      : 0,
  );
  if (isComparing) return strings.compare.busy;
  if (!hasModel) return strings.align.noModel;
  if (!hasObjectives) return strings.objectives.none;
  if (isAnswerBlank) return strings.text.answerBlank;
  if (tooManyTokens > 0) return strings.align.tooLong(tooManyTokens);
  return undefined;
}
