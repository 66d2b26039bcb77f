import { useRef } from 'react';

import { CATALOGUE, DEMO_ALIGNER_ID } from '../../align/catalogue.ts';
import { isDeviceFault } from '../../align/errors.ts';
import { type TemplateId, TEMPLATE_IDS } from '../../align/prompt.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { OfferServer } from '../../components/OfferServer/OfferServer.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import { Segmented } from '../../components/Segmented/Segmented.tsx';
import type { ModelState } from '../../state/model-slice.ts';
import { hostOfModel } from '../../state/server-slice.ts';
import { LOSSES_TO_STAND_IN, standInFacts } from '../../state/stand-in-slice.ts';
import { useApp, useCurrentModel, useSettings, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import type { DeviceReport } from '../../../workers/protocol.ts';
import type { ServedModelInfo } from '../../worker-client/engine-client.ts';
import type { ConvertedModel } from '../../worker-client/model-library.ts';
import { LoadOptions } from './LoadOptions.tsx';
import { ModelDialog } from './ModelDialog.tsx';
import styles from './ModelPanel.module.css';
import { ReadyBadge } from './ReadyBadge.tsx';
import { useLoadModel } from './use-load-model.ts';

/** 100 Mbit/s. */
const BYTES_PER_SECOND = 12_500_000;

/** Which model, and how it is with it. */
export function ModelPanel() {
  const dialog = useRef<HTMLDialogElement>(null);
  const model = useCurrentModel();
  const library = useApp((app) => app.library);
  const missingId = useSettings((settings) => settings.modelId);
  const listModels = useApp((app) => app.listModels);
  const servers = useApp((app) => app.servers);
  const checkServers = useApp((app) => app.checkServers);
  const missingServer = servers.find(({ url }) => missingId?.startsWith(`server:${url}#`));
  const openDialog = () => {
    dialog.current?.showModal();
    // A model that was converted meanwhile is there at once.
    void listModels();
    void checkServers();
  };

  return (
    <section className={classNames(controls.panel, styles.panel)} aria-labelledby="model-title">
      <h2 id="model-title" className={controls.visuallyHidden}>
        {strings.model.title}
      </h2>
      {model !== undefined ? (
        <Model model={model} onChange={openDialog} />
      ) : library.status === 'loading' || missingServer?.status === 'checking' ? (
        <p className={controls.hint}>{strings.model.listing}</p>
      ) : (
        <div className={styles.stack}>
          {missingServer?.error !== undefined ? (
            <ErrorBox error={missingServer.error}>
              <button type="button" className={controls.button} onClick={() => void checkServers()}>
                {strings.error.retry}
              </button>
            </ErrorBox>
          ) : library.status === 'failed' ? (
            <ErrorBox error={library.error}>
              <button type="button" className={controls.button} onClick={() => void listModels()}>
                {strings.error.retry}
              </button>
            </ErrorBox>
          ) : (
            <p>
              <strong>{missingId === undefined ? strings.model.none : strings.model.missing(missingId)}.</strong>{' '}
              {missingId === undefined ? strings.model.noneWhy : strings.model.missingWhy}
            </p>
          )}
          <div>
            <button type="button" className={controls.primary} onClick={openDialog}>
              {strings.model.choose}
            </button>
          </div>
        </div>
      )}
      {model !== undefined && model.family === undefined && <TemplateChoice />}
      <ModelDialog dialog={dialog} />
    </section>
  );
}

function Model({ model, onChange }: { model: ConvertedModel; onChange: () => void }) {
  const state = useApp((app) => app.model);
  const load = useLoadModel();
  const unload = useApp((app) => app.unloadModel);
  const host = hostOfModel(model);
  const isServed = host !== undefined;

  return (
    <div className={styles.stack}>
      <div className={styles.head}>
        <div className={styles.identity}>
          <p className={styles.name}>{model.name}</p>
          <p className={controls.hint}>
            {strings.model.facts(model.family, model.parameterCount, model.contextLength)}
          </p>
        </div>
        <div className={styles.buttons}>
          {(state.status === 'none' || state.status === 'failed') && (
            <button type="button" className={controls.button} onClick={() => void load(model)}>
              {isServed
                ? strings.server.connectModel
                : state.status === 'none'
                  ? strings.model.load
                  : strings.model.loadAgain}
            </button>
          )}
          {(state.status === 'loading' || state.status === 'ready') && (
            <button type="button" className={controls.button} onClick={() => void unload()}>
              {state.status === 'loading'
                ? strings.model.cancel
                : isServed
                  ? strings.server.disconnect
                  : strings.model.unload}
            </button>
          )}
          <button type="button" className={controls.button} onClick={onChange}>
            {strings.model.change}
          </button>
        </div>
      </div>
      <Status state={state} model={model} onChange={onChange} />
      <InPlaceOf />
      {model.id === DEMO_ALIGNER_ID && <DemoOffer onChange={onChange} />}
      {!isServed && <LoadOptions model={model} />}
    </div>
  );
}

/** What the built-in model is not, and the way to the real one with its price. */
function DemoOffer({ onChange }: { onChange: () => void }) {
  const smallest = CATALOGUE[0];
  if (smallest === undefined) return null;
  return (
    <div className={styles.offer}>
      <p className={controls.hint}>
        {strings.model.demoOffer(smallest.downloadBytes, smallest.downloadBytes / BYTES_PER_SECOND)}
      </p>
      <button type="button" className={controls.button} onClick={onChange}>
        {strings.model.demoGet}
      </button>
    </div>
  );
}

/** The model that the visitor chose, where a server's is used in its place. */
function InPlaceOf() {
  const { app, settings } = useStores();
  const standIn = useApp(standInFacts);
  if (standIn === undefined) return null;
  const { model, error } = standIn;
  return (
    <div className={styles.offer}>
      <p className={controls.hint}>{strings.server.standIn(model.name, error.message)}</p>
      <button
        type="button"
        className={controls.button}
        onClick={() => void app.getState().chooseModel(model, settings.getState())}
      >
        {strings.server.again(model.name)}
      </button>
    </div>
  );
}

interface StatusProps {
  state: ModelState;
  model: ConvertedModel;
  onChange: () => void;
}

function Status({ state, model, onChange }: StatusProps) {
  switch (state.status) {
    case 'none':
      return <NotLoaded model={model} />;
    case 'loading':
      return <Loading state={state} />;
    case 'ready': {
      const { info, notes, losses } = state;
      if (info.device === 'server') return <Served info={info} />;
      if (state.model.location.kind === 'server') return null;
      return (
        <div className={styles.status}>
          <p className={styles.statusLine}>
            <span className={controls.badgeReady}>{strings.model.loaded}</span>
            <strong>{strings.model.runs(info.device, info.variant, info.sizeBytes)}</strong>
            <span>{strings.model.where[state.model.location.kind]}</span>
            {info.device === 'webgpu' ? null : <span>{strings.model.threads(info.threads)}</span>}
          </p>
          <p>
            {info.reason} {strings.model.loadedIn(info.loadMs)}
          </p>
          <Notes notes={notes.filter((note) => note !== info.reason)} />
          {losses >= LOSSES_TO_STAND_IN && (
            <div className={styles.offer}>
              <p>{strings.server.lostTwice}</p>
              <OfferServer onSetUp={onChange} />
            </div>
          )}
        </div>
      );
    }
    case 'failed':
      return (
        <ErrorBox error={state.error}>{isDeviceFault(state.error) && <OfferServer onSetUp={onChange} />}</ErrorBox>
      );
    default:
      return state satisfies never;
  }
}

/** A model that runs elsewhere: what is known of it, and who gets the text. */
function Served({ info: { host, variant } }: { info: ServedModelInfo }) {
  return (
    <p className={styles.statusLine}>
      <span className={controls.badgeReady}>
        <Icon name="server" />
        {strings.server.runs(host, variant)}
      </span>
      <span>{strings.sentWhy(host)}</span>
    </p>
  );
}

function NotLoaded({ model }: { model: ConvertedModel }) {
  const device = useApp((app) => app.device);
  if (hostOfModel(model) !== undefined) {
    return (
      <p className={styles.statusLine}>
        <ReadyBadge model={model} />
      </p>
    );
  }
  return (
    <p className={styles.statusLine}>
      <ReadyBadge model={model} />
      {device.status === 'known' && <span>{machine(device.report)}</span>}
    </p>
  );
}

function machine({ webgpu }: DeviceReport): string {
  if (!webgpu.available) return strings.model.machine.cpu;
  return webgpu.isSoftware ? strings.model.machine.softwareGpu : strings.model.machine.gpu;
}

function Loading({ state: { model, progress, notes } }: { state: Extract<ModelState, { status: 'loading' }> }) {
  const isReading = progress?.phase === 'reading' && progress.totalBytes > 0;
  return (
    <div className={styles.progress}>
      <ProgressBar
        label={strings.model.progressLabel}
        fraction={isReading ? progress.loadedBytes / progress.totalBytes : undefined}
      />
      <p className={styles.progressText}>
        {isReading ? (
          <>
            <span className={styles.bytes}>{strings.model.progress(progress.loadedBytes, progress.totalBytes)}</span>
            <span className={styles.file}>{progress.file}</span>
          </>
        ) : hostOfModel(model) !== undefined ? (
          strings.server.asking
        ) : progress === undefined ? (
          strings.model.connecting
        ) : (
          strings.model.starting
        )}
      </p>
      <Notes notes={notes} />
    </div>
  );
}

function Notes({ notes }: { notes: readonly string[] }) {
  return notes.map((note) => (
    <p key={note} className={controls.hint}>
      {note}
    </p>
  ));
}

/** For a model whose family its folder does not tell. */
function TemplateChoice() {
  const template = useSettings((settings) => settings.fallbackTemplate);
  const change = useSettings((settings) => settings.change);
  return (
    <div className={styles.template}>
      <p>
        <strong>{strings.model.template}.</strong> {strings.model.templateWhy}
      </p>
      <Segmented<TemplateId>
        label={strings.model.template}
        segments={TEMPLATE_IDS.map((id) => ({ value: id, label: strings.families[id] }))}
        value={template}
        onChange={(fallbackTemplate) => change({ fallbackTemplate })}
      />
    </div>
  );
}
