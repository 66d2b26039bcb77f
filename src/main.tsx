import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/source-serif-4/wght.css';
import './styles/tokens.css';
import './styles/base.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './pages/App.tsx';
import { CrashScreen } from './pages/CrashScreen.tsx';
import { language } from './locale.ts';
import { registerServiceWorker } from './offline/service-worker-client.ts';
import { createBatchStore } from './history/batch-store.ts';
import { createHistoryStore } from './history/history-store.ts';
import { createAppStore } from './state/app-store.ts';
import { readyModels } from './state/current-request.ts';
import { createDraftStore, mergeDrafts } from './state/draft-store.ts';
import { keepPromptCounted } from './state/prompt-counting.ts';
import { createRoutedClient } from './server-client/routed-client.ts';
import { createServerClient } from './server-client/server-client.ts';
import { watchPage } from './server-client/page-environment.ts';
import { createServerKeys } from './state/server-keys.ts';
import { keepScored } from './state/keep-scored.ts';
import { createSettingsStore } from './state/settings-store.ts';
import { tabStorage } from './state/storage.ts';
import { StoresContext } from './state/stores.ts';
import { keepTabTold } from './state/tab-title.ts';
import { whenAtRest } from './state/when-at-rest.ts';
import { createEvaluationClient } from './worker-client/evaluation-client.ts';
import { createModelLibrary } from './worker-client/model-library.ts';
import { createJudgeClient } from './worker-client/judge-client.ts';
import { createRowsClient } from './worker-client/rows-client.ts';
import { createScoresClient } from './worker-client/scores-client.ts';
import { createWeightsClient } from './worker-client/weights-client.ts';
import { createWorkerClient } from './worker-client/worker-client.ts';

document.documentElement.lang = language;
const storage = browserStorage();
const reportUnsaved = () => app.getState().reportUnsaved();
const serverKeys = createServerKeys(storage && window.sessionStorage, storage, reportUnsaved);
const servers = createServerClient({ keyOf: serverKeys.keyOf, page: watchPage(window) });
const client = createRoutedClient(createWorkerClient(), servers);
const library = createModelLibrary(new URL('models/index.json', document.baseURI).href);
const app = createAppStore({
  client,
  library,
  weights: createWeightsClient(),
  scores: createScoresClient(new URL('models/classifiers.json', document.baseURI).href),
  judge: createJudgeClient(),
  history: createHistoryStore(),
  batches: createBatchStore(),
  rows: createRowsClient(),
  servers,
  serverKeys,
  pageOrigin: window.location.origin,
  evaluations: createEvaluationClient(),
});
const isNarrow = matchMedia('(max-width: 48rem)').matches;
const settings = createSettingsStore(storage, reportUnsaved, { editView: isNarrow ? 'inline' : 'side-by-side' });
const draft = createDraftStore(storage && tabStorage(window.sessionStorage, storage, mergeDrafts), reportUnsaved);
keepPromptCounted({ app, draft, settings });
keepTabTold({ app, settings }, document);
keepScored({ app, settings });
void app.getState().probeDevice();
const { serverUrl } = settings.getState();
if (serverUrl !== undefined) void app.getState().checkServer(serverUrl);
const modelsListed = Promise.all([app.getState().listModels(), app.getState().listStored()]);
// A batch that was running when the page was left goes on, once its model can be found.
void app.getState().restoreBatch(async (id) => {
  await modelsListed;
  return readyModels(app.getState()).find((model) => model.id === id);
});
void app.getState().loadHistory();
// What another tab changes in the settings holds here too, instead of being overwritten by the next change here.
window.addEventListener('storage', ({ key }) => {
  if (key === settings.persist.getOptions().name) void settings.persist.rehydrate();
});

// While developing it would keep what is being changed.
if (import.meta.env.PROD) {
  const { reportProgram } = app.getState();
  // It fetches the whole page again, 45 MB: a model that is loaded meanwhile would wait for it.
  void whenAtRest(app, 2500).then(() =>
    registerServiceWorker(new URL('service-worker.js', document.baseURI).href, {
      onWaiting: (waitingVersion) => reportProgram({ waitingVersion }),
      onReady: () => reportProgram({ isKeptOffline: true }),
      onIsolationReady: () => reportProgram({ canBecomeFaster: true }),
    }),
  );
}

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root; this is a bug.');
createRoot(root).render(
  <StrictMode>
    <StoresContext value={{ app, draft, settings }}>
      <CrashScreen>
        <App />
      </CrashScreen>
    </StoresContext>
  </StrictMode>,
);

/** Reading the property throws where the browser denies storage. */
function browserStorage(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}
