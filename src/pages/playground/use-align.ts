import { currentModel, currentRequest, currentTemplate } from '../../state/current-request.ts';
import { chosenObjectives, draftTexts } from '../../state/draft-store.ts';
import { useApp, useCurrentModel, useCurrentTemplate, useDraft, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';

export interface AlignActions {
  /** Loads the model first where it is not loaded. Does nothing while it is loading or running, or is refused. */
  align: () => Promise<void>;
  stop: () => void;
  /** Why Align cannot be pressed now; undefined when it can. */
  refusal: string | undefined;
}

export function useAlign(): AlignActions {
  const { app, draft, settings } = useStores();
  const stop = useApp((state) => state.stopRun);
  const refusal = useRefusal();

  const align = async () => {
    const { model: state, run } = app.getState();
    const model = currentModel(app.getState(), settings.getState());
    if (model === undefined || refusal !== undefined || state.status === 'loading' || run.status === 'running') return;
    const { startRun, readyModel, standInAfterRun } = app.getState();
    if (state.status !== 'ready') settings.getState().change({ modelId: model.id });
    if (!(await readyModel(model, settings.getState()))) return;
    // Read now, not before the load: the visitor may have gone on writing.
    const request = () => {
      const template = currentTemplate(currentModel(app.getState(), settings.getState()), settings.getState());
      return currentRequest(draft.getState(), settings.getState(), template);
    };
    await startRun(request());
    if (await standInAfterRun(settings.getState())) await startRun(request());
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
    model.status === 'ready' && model.info.contextLength !== undefined && promptCount.status === 'known'
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
