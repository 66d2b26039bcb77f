import { useId, useState } from 'react';

import { isDeviceFault } from '../../align/errors.ts';
import { BATCH_EXPORTS, type BatchExport, exportHeader, exportRow, scoredColumns } from '../../batch/page-batch.ts';
import type { ColumnMap } from '../../batch/columns.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { FileDrop } from '../../components/FileDrop/FileDrop.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { OfferServer } from '../../components/OfferServer/OfferServer.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import { SureButton } from '../../components/SureButton/SureButton.tsx';
import type { Batch as BatchState } from '../../state/batch-slice.ts';
import { currentRequest } from '../../state/current-request.ts';
import { hostOfModelId } from '../../state/server-slice.ts';
import { useApp, useCurrentHost, useCurrentModel, useCurrentTemplate, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import { saveFile } from '../save-file.ts';
import styles from './Batch.module.css';
import { RowTable } from './RowTable.tsx';
import { ScorePanel } from './ScorePanel.tsx';

const text = strings.batch;
type Ready = Extract<BatchState, { status: 'ready' }>;

/** A file of answers, aligned row by row. */
export function Batch() {
  const batch = useApp((app) => app.batch);
  return (
    <main className={styles.page} aria-labelledby="batch-title">
      <div>
        <h2 id="batch-title">{text.title}</h2>
        <p className={controls.hint}>{text.why}</p>
      </div>
      {batch.status === 'none' && <Drop />}
      {batch.status === 'reading' && <p role="status">{text.reading(batch.fileName)}</p>}
      {batch.status === 'failed' && (
        <>
          <ErrorBox error={batch.error} />
          <Drop />
        </>
      )}
      {batch.status === 'ready' && (
        <>
          <Columns batch={batch} />
          <RunPanel batch={batch} />
          <ScorePanel batch={batch} />
          <RowTable batch={batch} />
        </>
      )}
    </main>
  );
}

function Drop() {
  const open = useApp((app) => app.openBatch);
  const host = useCurrentHost();
  return (
    <FileDrop
      text={text.drop}
      hint={text.dropHint(host)}
      label={text.choose}
      accept=".csv,.tsv,.jsonl"
      onPick={(file) => void open(file)}
      testId="batch-input"
    />
  );
}

/** Which column holds what: guessed, and changed while nothing runs. */
function Columns({ batch: { job, rows, activity, counts } }: { batch: Ready }) {
  const id = useId();
  const map = useApp((app) => app.mapColumns);
  const close = useApp((app) => app.closeBatch);
  const { columns, found } = job;
  const finished = counts.edited + counts.failed;
  const isLocked = activity !== 'resting' || finished > 0;
  const choose = (changes: Partial<ColumnMap>) => void map({ ...columns, ...changes });
  const select = (role: keyof ColumnMap, isOptional: boolean) => (
    <div className={controls.field}>
      <label className={controls.label} htmlFor={`${id}-${role}`}>
        {text.roles[role]}
      </label>
      <select
        id={`${id}-${role}`}
        className={controls.select}
        disabled={isLocked}
        value={columns[role] ?? ''}
        onChange={(event) => choose({ [role]: event.target.value === '' ? undefined : event.target.value })}
      >
        {isOptional && <option value="">{text.noColumn}</option>}
        {!isOptional && !found.includes(columns[role] ?? '') && (
          <option value={columns[role]}>{text.choosePlease}</option>
        )}
        {found.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby={`${id}-title`}>
      <div className={styles.line}>
        <h3 id={`${id}-title`}>{job.fileName}</h3>
        <p className={controls.hint}>{text.rows(rows.length)}</p>
        <span className={styles.spring} />
        <SureButton
          className={controls.quiet}
          question={finished > 0 ? text.closeSure(finished) : undefined}
          sure={text.close}
          onSure={() => void close()}
        >
          {text.close}
        </SureButton>
      </div>
      <div className={styles.columns}>
        {select('query', false)}
        {select('answer', false)}
        {select('goldens', true)}
      </div>
      {isLocked && <p className={controls.hint}>{text.locked}</p>}
    </section>
  );
}

function RunPanel({ batch }: { batch: Ready }) {
  const { job, rows, counts, activity, error } = batch;
  const { draft, settings } = useStores();
  const template = useCurrentTemplate();
  const model = useCurrentModel();
  const run = useApp((app) => app.runBatch);
  const pause = useApp((app) => app.pauseBatch);
  const stop = useApp((app) => app.stopBatch);
  const retry = useApp((app) => app.retryFailed);
  const isLoading = useApp((app) => app.model.status === 'loading');
  const host = useCurrentHost();
  const isScoring = useApp((app) => app.scoring.status === 'running' && app.scoring.of === 'batch');
  const finished = counts.edited + counts.failed;
  const isDone = finished === rows.length;
  // What is begun goes on as it began: its rows are to be comparable.
  const begun = finished > 0 ? job.plan?.settings : undefined;
  const {
    context: _context,
    answer: _answer,
    ...now
  } = currentRequest(draft.getState(), settings.getState(), template);
  const plannedSettings = begun ?? now;
  // It does not go on by itself, as one on this device does.
  const leftAt = activity === 'resting' && job.isRunning ? hostOfModelId(job.plan?.modelId ?? '') : undefined;
  const isOtherModel = begun !== undefined && model !== undefined && job.plan?.modelId !== model.id;
  const missing = [job.columns.query, job.columns.answer].filter((name) => !job.found.includes(name));
  const refusal =
    model === undefined
      ? strings.align.noModel
      : plannedSettings.objectives.length === 0
        ? strings.objectives.none
        : missing.length > 0
          ? text.missingColumn
          : undefined;
  const start = () => {
    if (model === undefined) return;
    const { device, variant } = settings.getState();
    void run({ settings: plannedSettings, modelId: model.id, choice: { device, variant } }, model);
  };
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="batch-run">
      <h3 id="batch-run">{text.runTitle}</h3>
      <p className={controls.hint}>
        {text.plan(
          model === undefined ? '–' : model.name,
          plannedSettings.objectives.map(({ label }) => label),
          plannedSettings.maxNewTokens,
        )}{' '}
        {begun === undefined ? text.planWhere : text.planBegun}
        {isOtherModel && ` ${text.otherModel}`}
      </p>
      <ProgressBar label={text.runTitle} fraction={finished / rows.length} />
      <p data-testid="batch-progress">
        {text.progress(finished, rows.length, counts.failed)}
        {activity !== 'resting' && counts.run.rows > 0 && (
          <span className={controls.hint}>
            {' · '}
            {text.pace(
              (counts.run.rows / counts.run.ms) * 1000,
              (counts.run.editTokens / counts.run.ms) * 1000,
              ((rows.length - finished) * counts.run.ms) / counts.run.rows / 1000,
            )}
          </span>
        )}
      </p>
      {host !== undefined && (
        <p className={styles.line}>
          <Icon name="server" />
          <strong>{text.sent(host)}</strong>
        </p>
      )}
      {leftAt !== undefined && <p role="status">{text.leftAt(leftAt)}</p>}
      {error !== undefined && <ErrorBox error={error}>{isDeviceFault(error) && <OfferServer />}</ErrorBox>}
      <div className={styles.line}>
        {activity === 'resting' ? (
          <button
            type="button"
            className={controls.primary}
            disabled={isDone || refusal !== undefined || isLoading || isScoring}
            title={refusal}
            onClick={start}
          >
            {finished === 0 ? text.start : text.resume}
          </button>
        ) : (
          <>
            <button type="button" className={controls.button} disabled={activity === 'pausing'} onClick={pause}>
              {activity === 'pausing' ? text.pausing : text.pause}
            </button>
            <button type="button" className={controls.button} onClick={stop}>
              <Icon name="stop" />
              {strings.align.stop}
            </button>
          </>
        )}
        {counts.retryable > 0 && (
          <button type="button" className={controls.quiet} disabled={activity !== 'resting'} onClick={retry}>
            {text.retry(counts.retryable)}
          </button>
        )}
        {refusal !== undefined && <p className={controls.hint}>{refusal}</p>}
        <span className={styles.spring} />
        <Exports batch={batch} />
      </div>
    </section>
  );
}

/** Rows that are put together before the page gets a turn. */
const EXPORTED_AT_ONCE = 1000;

const TYPES: Record<BatchExport, { extension: string; type: string }> = {
  csv: { extension: 'csv', type: 'text/csv' },
  jsonl: { extension: 'jsonl', type: 'application/jsonl' },
  markdown: { extension: 'md', type: 'text/markdown' },
};

function Exports({ batch: { job, rows, results, counts } }: { batch: Ready }) {
  const [isWriting, setIsWriting] = useState(false);
  const template = useCurrentTemplate();
  const save = async (format: BatchExport) => {
    setIsWriting(true);
    const scored = scoredColumns(results.values());
    const pieces: string[] = [exportHeader(format, scored)];
    for (let start = 0; start < rows.length; start += EXPORTED_AT_ONCE) {
      const some = rows.slice(start, start + EXPORTED_AT_ONCE);
      const settings = job.plan?.settings ?? { template };
      pieces.push(
        some.map((row) => exportRow(format, row, job.columns, settings, results.get(row.index), scored)).join(''),
      );
      await new Promise((resolve) => setTimeout(resolve));
    }
    const { extension, type } = TYPES[format];
    const name = job.fileName.replace(/\.[^.]+$/, '');
    saveFile(new Blob(pieces, { type: `${type};charset=utf-8` }), `${name}-aligned.${extension}`);
    setIsWriting(false);
  };
  return (
    <div className={styles.line} role="group" aria-label={strings.edit.export}>
      {BATCH_EXPORTS.map((format) => (
        <button
          key={format}
          type="button"
          className={controls.button}
          disabled={isWriting || counts.edited + counts.failed === 0}
          onClick={() => void save(format)}
        >
          <Icon name="save" />
          {text.exports[format]}
        </button>
      ))}
    </div>
  );
}
