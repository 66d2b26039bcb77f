import { useStores } from '../../state/stores.ts';
import type { ConvertedModel } from '../../worker-client/model-library.ts';

/**
 * Loads a model as the settings say, and remembers it for the next visit. Resolves to whether it is ready, or another one in
 * its place that the visitor agreed to.
 */
export function useLoadModel(): (model: ConvertedModel) => Promise<boolean> {
  const { app, settings } = useStores();
  return (model) => {
    settings.getState().change({ modelId: model.id });
    return app.getState().chooseModel(model, settings.getState());
  };
}
