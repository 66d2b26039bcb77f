import { useEffect, useState } from 'react';

import type { AlignErrorData } from '../../align/errors.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { FileButton } from '../../components/FileButton/FileButton.tsx';
import { GetModel } from '../../components/GetModel/GetModel.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import { focusNeighbour, SureButton } from '../../components/SureButton/SureButton.tsx';
import { toErrorData } from '../../state/error-data.ts';
import { isEndpoint } from '../../state/settings-store.ts';
import { useApp, useSettings } from '../../state/stores.ts';
import { storedModelId, type StoredModelTask } from '../../state/weights-slice.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import entries from '../../styles/entries.module.css';
import type { StoredModel, StoreReport, UnfinishedModel } from '../../../workers/weights-protocol.ts';
import { saveFile } from '../save-file.ts';
import styles from './Storage.module.css';

/** What this browser keeps, and where it comes from. */
export function Storage() {
  const store = useApp((app) => app.store);
  const listStored = useApp((app) => app.listStored);
  // A download may have begun since the page was opened.
  useEffect(() => void listStored(), [listStored]);
  return (
    <main className={styles.page} tabIndex={-1} aria-labelledby="storage-title">
      <h2 id="storage-title">{strings.storage.title}</h2>
      {store.status === 'loading' && <p className={controls.hint}>{strings.storage.loading}</p>}
      {store.status === 'failed' && (
        <ErrorBox error={store.error}>
          <button type="button" className={controls.button} onClick={() => void listStored()}>
            {strings.error.retry}
          </button>
        </ErrorBox>
      )}
      {store.status === 'ready' && (
        <>
          <Models models={store.report.models} />
          {store.report.unfinished.length > 0 && <Unfinished models={store.report.unfinished} />}
          <Classifiers />
          <Space report={store.report} />
        </>
      )}
      <Hub />
    </main>
  );
}

function Models({ models }: { models: readonly StoredModel[] }) {
  const importing = useApp((app) => app.importing);
  const importError = useApp((app) => app.importError);
  const importStored = useApp((app) => app.importStored);
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="storage-models">
      <h3 id="storage-models">{strings.storage.models}</h3>
      {models.length === 0 ? (
        <p className={controls.hint}>{strings.storage.none}</p>
      ) : (
        <ul className={entries.list}>
          {models.map((model) => (
            <Model key={storedModelId(model)} model={model} />
          ))}
        </ul>
      )}
      <div className={styles.line}>
        <FileButton
          label={strings.storage.import}
          accept=".tar"
          onPick={(file) => void importStored(file)}
          isDisabled={importing !== undefined}
          testId="import-input"
        />
        <p className={controls.hint}>
          {importing === undefined
            ? strings.storage.importWhy
            : strings.storage.importing(importing.doneBytes, importing.totalBytes)}
        </p>
      </div>
      {importError !== undefined && <ErrorBox error={importError} />}
    </section>
  );
}

function Model({ model }: { model: StoredModel }) {
  const task = useApp((app) => app.tasks[storedModelId(model)]);
  const verify = useApp((app) => app.verifyStored);
  const exportStored = useApp((app) => app.exportStored);
  const remove = useApp((app) => app.removeStored);
  const isBusy = task?.status === 'checking' || task?.status === 'exporting';
  const save = async () => {
    const file = await exportStored(model);
    if (file !== undefined) saveFile(file, `${model.name}-${model.variant}.tar`);
  };
  return (
    <li className={entries.item} aria-label={model.name}>
      <div className={entries.about}>
        <p className={entries.name}>{model.name}</p>
        <p className={controls.hint}>
          {strings.model.facts(model.family, model.parameterCount, model.contextLength)} ·{' '}
          {strings.model.variantOf(model.variant, model.sizeBytes)}
        </p>
        <p className={controls.hint}>
          {model.source} · {strings.storage.revision(model.revision)} · {strings.storage.trust[model.trust]}
        </p>
        <p className={controls.hint}>{strings.storage.stored(model.storedAt, model.lastUsedAt)}</p>
      </div>
      <div className={styles.line}>
        <button
          type="button"
          className={controls.button}
          disabled={isBusy}
          aria-label={strings.storage.verifyLabel(model.name)}
          onClick={() => void verify(model)}
        >
          {strings.storage.verify}
        </button>
        <button
          type="button"
          className={controls.button}
          disabled={isBusy}
          aria-label={strings.storage.exportLabel(model.name)}
          onClick={() => void save()}
        >
          {strings.storage.export}
        </button>
        <SureButton
          className={controls.button}
          isDisabled={isBusy}
          label={strings.storage.removeLabel(model.name)}
          question={strings.storage.removeSure}
          sure={strings.storage.remove}
          onSure={(button) => {
            focusNeighbour(button);
            void remove(model);
          }}
        >
          {strings.storage.remove}
        </SureButton>
      </div>
      {task !== undefined && <Task task={task} />}
    </li>
  );
}

function Task({ task }: { task: StoredModelTask }) {
  switch (task.status) {
    case 'checking':
      return (
        <div className={styles.task}>
          <ProgressBar label={strings.storage.verify} fraction={task.doneBytes / task.totalBytes} />
          <p className={controls.hint}>{strings.storage.verifying(task.doneBytes, task.totalBytes)}</p>
        </div>
      );
    case 'checked':
      return (
        <p className={classNames(styles.task, task.damaged.length > 0 ? controls.fault : controls.hint)} role="status">
          {task.damaged.length === 0 ? strings.storage.whole : strings.storage.damaged(task.damaged)}
        </p>
      );
    case 'exporting':
      return (
        <p className={classNames(styles.task, controls.hint)} role="status">
          {strings.storage.exporting}
        </p>
      );
    case 'failed':
      return (
        <div className={styles.task}>
          <ErrorBox error={task.error} />
        </div>
      );
    default:
      return task satisfies never;
  }
}

function Unfinished({ models }: { models: readonly UnfinishedModel[] }) {
  const transfers = useApp((app) => app.transfers);
  const discard = useApp((app) => app.discardUnfinished);
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="storage-unfinished">
      <h3 id="storage-unfinished">{strings.storage.unfinished}</h3>
      <ul className={entries.list}>
        {models.map((model) => (
          <li key={storedModelId(model)} className={entries.item}>
            <div className={entries.about}>
              <p className={entries.name}>{model.source}</p>
              <p className={controls.hint}>{strings.weights.variant(model.variant)}</p>
            </div>
            <GetModel reference={model.source} family={undefined} onReady={() => {}} />
            {transfers[model.source]?.status !== 'running' && (
              <button type="button" className={controls.button} onClick={() => void discard(model)}>
                {strings.weights.discard}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What scores were made with: got from the hub, and kept beside the models. */
function Classifiers() {
  const kept = useApp((app) => app.keptClassifiers);
  const list = useApp((app) => app.listKeptClassifiers);
  const forget = useApp((app) => app.forgetClassifier);
  const listStored = useApp((app) => app.listStored);
  const [error, setError] = useState<AlignErrorData>();
  useEffect(() => void list(), [list]);
  if (kept.length === 0 && error === undefined) return null;
  const remove = async (reference: string) => {
    setError(undefined);
    try {
      await forget(reference);
    } catch (thrown) {
      setError(toErrorData(thrown));
    }
    // The space that it took is free.
    await listStored();
  };
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="storage-classifiers">
      <h3 id="storage-classifiers">{strings.storage.classifiers}</h3>
      <p className={controls.hint}>{strings.storage.classifiersWhy}</p>
      <ul className={entries.list}>
        {kept.map(({ reference, storedBytes }) => (
          <li key={reference} className={entries.item} aria-label={reference}>
            <div className={entries.about}>
              <p className={entries.name}>{reference}</p>
              <p className={controls.hint}>{strings.scores.keptSize(storedBytes)}</p>
            </div>
            <div className={styles.line}>
              <SureButton
                className={controls.button}
                label={strings.storage.removeLabel(reference)}
                question={strings.storage.removeSure}
                sure={strings.storage.remove}
                onSure={(button) => {
                  focusNeighbour(button);
                  void remove(reference);
                }}
              >
                {strings.storage.remove}
              </SureButton>
            </div>
          </li>
        ))}
      </ul>
      {error !== undefined && <ErrorBox error={error} />}
    </section>
  );
}

function Space({ report: { usedBytes, quotaBytes, isPersistent } }: { report: StoreReport }) {
  const persist = useApp((app) => app.persistStore);
  const [isRefused, setIsRefused] = useState(false);
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="storage-space">
      <h3 id="storage-space">{strings.storage.space}</h3>
      {usedBytes !== undefined && quotaBytes !== undefined ? (
        <>
          <ProgressBar label={strings.storage.space} fraction={usedBytes / quotaBytes} />
          <p>{strings.storage.used(usedBytes, quotaBytes)}</p>
        </>
      ) : (
        <p>{strings.storage.usedUnknown}</p>
      )}
      <div className={styles.line}>
        <p>{isPersistent ? strings.storage.persistent : strings.storage.notPersistent}</p>
        {!isPersistent && (
          <button
            type="button"
            className={controls.button}
            onClick={() => void persist().then((isAgreed) => setIsRefused(!isAgreed))}
          >
            {strings.storage.persist}
          </button>
        )}
      </div>
      {isRefused && !isPersistent && <p className={controls.hint}>{strings.storage.persistRefused}</p>}
    </section>
  );
}

function Hub() {
  const endpoint = useSettings((settings) => settings.hubEndpoint);
  const token = useSettings((settings) => settings.hubToken);
  const change = useSettings((settings) => settings.change);
  const [text, setText] = useState(endpoint);
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="storage-hub">
      <h3 id="storage-hub">{strings.storage.hub}</h3>
      <label className={controls.field}>
        <span className={controls.label}>{strings.storage.endpoint}</span>
        <input
          className={controls.input}
          type="url"
          value={text}
          aria-invalid={!isEndpoint(text)}
          onChange={(event) => {
            setText(event.target.value);
            if (isEndpoint(event.target.value)) change({ hubEndpoint: event.target.value });
          }}
        />
      </label>
      {!isEndpoint(text) && <p className={controls.fault}>{strings.storage.endpointWrong}</p>}
      <label className={controls.field}>
        <span className={controls.label}>{strings.storage.token}</span>
        <input
          className={controls.input}
          type="password"
          autoComplete="off"
          value={token}
          onChange={(event) => change({ hubToken: event.target.value.trim() })}
        />
      </label>
      <p className={controls.hint}>{strings.storage.tokenWhy}</p>
    </section>
  );
}
