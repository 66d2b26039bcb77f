import { useId, useMemo, useState } from 'react';

import { type Alignment, isWhole } from '../../align/alignment.ts';
import { countChanges, diffEdit } from '../../align/diff.ts';
import { changedShare, kindOfEdit, measureText } from '../../align/measures.ts';
import { type ObjectiveSet, objectiveSets, SET_SCHEMES, type SetScheme } from '../../align/objective-sets.ts';
import { reviewParts } from '../../align/review.ts';
import { type DiffReview, DiffView } from '../../components/DiffView/DiffView.tsx';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import type { Comparison, ComparisonCell } from '../../state/comparison-slice.ts';
import { readyModels } from '../../state/current-request.ts';
import { hostOfModel } from '../../state/server-slice.ts';
import { useApp, useCurrentModel, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './ComparePanel.module.css';
import { useCurrentRequest } from './use-current-request.ts';
import { useRefusal } from './use-align.ts';

const text = strings.compare;
const LIMIT = { changes: 800 };
const NO_REVIEW: DiffReview = {
  current: undefined,
  isRewording: false,
  decisions: new Map(),
  select: () => {},
  write: () => {},
  endRewording: () => {},
  keepWords: () => {},
};

/** One answer under several objective sets, on one model or two. */
export function ComparePanel({ onOpen }: { onOpen: () => void }) {
  const comparison = useApp((app) => app.comparison);
  return (
    <section className={classNames(controls.panel, styles.panel)} aria-labelledby="compare-title">
      <header className={styles.header}>
        <h2 id="compare-title">{text.title}</h2>
        <p className={controls.hint}>{text.why}</p>
      </header>
      <Plan />
      {comparison !== undefined && <Grid comparison={comparison} onOpen={onOpen} />}
    </section>
  );
}

/** Which runs there will be. */
function Plan() {
  const id = useId();
  const { settings } = useStores();
  const [schemes, setSchemes] = useState<readonly SetScheme[]>(['together', 'alone']);
  const [otherId, setOtherId] = useState('');
  const request = useCurrentRequest();
  const refusal = useRefusal();
  const model = useCurrentModel();
  const library = useApp((app) => app.library);
  const pickedModels = useApp((app) => app.pickedModels);
  const store = useApp((app) => app.store);
  const servers = useApp((app) => app.servers);
  const start = useApp((app) => app.startComparison);
  const stop = useApp((app) => app.stopComparison);
  const isRunning = useApp((app) => app.comparison?.isRunning ?? false);
  const isBusy = useApp(
    ({ run, model: { status }, batch }) =>
      run.status === 'running' || status === 'loading' || (batch.status === 'ready' && batch.activity !== 'resting'),
  );
  const others = readyModels({ library, pickedModels, store, servers }).filter((one) => one.id !== model?.id);
  const other = others.find((one) => one.id === otherId);
  const sets = objectiveSets(request.objectives, schemes);
  const models = [model, other].filter((one) => one !== undefined);
  const runCount = sets.length * models.length;
  const hosts = [...new Set(models.map(hostOfModel).filter((host) => host !== undefined))];

  return (
    <div className={styles.plan}>
      <fieldset className={styles.schemes}>
        <legend className={controls.label}>{text.sets}</legend>
        {SET_SCHEMES.map((scheme) => (
          <label key={scheme} className={styles.scheme}>
            <input
              type="checkbox"
              checked={schemes.includes(scheme)}
              onChange={(event) =>
                setSchemes(event.target.checked ? [...schemes, scheme] : schemes.filter((one) => one !== scheme))
              }
            />
            {text.schemes[scheme]}
          </label>
        ))}
      </fieldset>
      {others.length > 0 && (
        <div className={controls.field}>
          <label className={controls.label} htmlFor={`${id}-other`}>
            {text.otherModel}
          </label>
          <select
            id={`${id}-other`}
            className={controls.select}
            value={other?.id ?? ''}
            onChange={(event) => setOtherId(event.target.value)}
          >
            <option value="">{text.noOther}</option>
            {others.map((one) => (
              <option key={one.id} value={one.id}>
                {placedName(one.name, hostOfModel(one))}
              </option>
            ))}
          </select>
          {other !== undefined && model !== undefined && other.family !== model.family && (
            <p className={controls.hint}>{text.otherFamily}</p>
          )}
        </div>
      )}
      <div className={styles.start}>
        {isRunning ? (
          <button type="button" className={controls.button} onClick={stop}>
            <Icon name="stop" />
            {strings.align.stop}
          </button>
        ) : (
          <button
            type="button"
            className={controls.primary}
            disabled={runCount === 0 || refusal !== undefined || isBusy}
            onClick={() => void start(request, sets, models, settings.getState())}
          >
            <Icon name="grid" />
            {text.run(runCount)}
          </button>
        )}
        <p className={controls.hint}>{isRunning ? '' : (refusal ?? (runCount === 0 ? text.nothing : text.kept))}</p>
      </div>
      {hosts.map((host) => (
        <p key={host} className={styles.sent}>
          <Icon name="server" />
          {text.sent(host)}
        </p>
      ))}
    </div>
  );
}

/** With the server where it runs, if it is one. */
function placedName(name: string, host: string | undefined): string {
  return host === undefined ? name : text.on(name, host);
}

function Grid({ comparison: { request, cells, isRunning }, onOpen }: { comparison: Comparison; onOpen: () => void }) {
  const done = cells.filter(({ outcome }) => outcome.status !== 'waiting' && outcome.status !== 'running').length;
  const hasTwoModels = new Set(cells.map(({ modelId }) => modelId)).size > 1;
  return (
    <div className={styles.results} aria-busy={isRunning}>
      <div className={styles.progress}>
        {isRunning && <ProgressBar label={text.title} fraction={done / cells.length} />}
        <p className={controls.hint} role="status">
          {text.progress(done, cells.length)}
        </p>
      </div>
      <ul className={styles.grid}>
        {cells.map((cell) => (
          <Cell key={cell.id} cell={cell} answer={request.answer} showsModel={hasTwoModels} onOpen={onOpen} />
        ))}
      </ul>
    </div>
  );
}

interface CellProps {
  cell: ComparisonCell;
  answer: string;
  showsModel: boolean;
  onOpen: () => void;
}

function Cell({ cell: { id, set, modelName, host, outcome }, answer, showsModel, onOpen }: CellProps) {
  const title = setTitle(set);
  return (
    <li className={styles.cell} data-status={outcome.status}>
      <div className={styles.cellHead}>
        <h3>{title}</h3>
        {(showsModel || host !== undefined) && <p className={controls.hint}>{placedName(modelName, host)}</p>}
      </div>
      {outcome.status === 'waiting' && <p className={controls.hint}>{text.waiting}</p>}
      {outcome.status === 'skipped' && <p className={controls.hint}>{text.skipped}</p>}
      {outcome.status === 'running' && <p className={controls.hint}>{text.running(outcome.editTokens)}</p>}
      {outcome.status === 'failed' && <ErrorBox error={outcome.error} />}
      {outcome.status === 'done' && (
        <Edit id={id} title={title} alignment={outcome.alignment} answer={answer} onOpen={onOpen} />
      )}
    </li>
  );
}

function setTitle({ objectives }: ObjectiveSet): string {
  return objectives.map(({ label }) => label).join(' + ');
}

interface EditProps {
  id: string;
  title: string;
  alignment: Alignment;
  answer: string;
  onOpen: () => void;
}

function Edit({ id, title, alignment, answer, onOpen }: EditProps) {
  const open = useApp((app) => app.openRun);
  const history = useApp((app) => app.history);
  const { edit, timings } = alignment;
  const changes = useMemo(
    () => diffEdit(answer, edit, { isComplete: isWhole(alignment), limit: LIMIT }),
    [answer, edit, alignment],
  );
  const parts = useMemo(() => reviewParts(changes), [changes]);
  const words = useMemo(() => measureText(edit).words, [edit]);
  const count = countChanges(changes);
  const share = changedShare(count);
  const kind = kindOfEdit(answer.trim(), edit.trim(), count);
  const openEdit = () => {
    const kept = history.status === 'ready' ? history.entries.find((entry) => entry.id === id) : undefined;
    open(kept ?? { ...alignment, id, createdAt: Date.now(), isPinned: false, decisions: [] });
    onOpen();
  };
  return (
    <>
      <dl className={styles.measures}>
        <div>
          <dt>{text.words}</dt>
          <dd>{text.count(words)}</dd>
        </div>
        <div>
          <dt>{text.changed}</dt>
          <dd>{strings.edit.measures.share(share)}</dd>
        </div>
        <div>
          <dt>{text.time}</dt>
          <dd>{strings.edit.stats.duration(timings.totalMs)}</dd>
        </div>
      </dl>
      <p className={controls.hint}>
        {isWhole(alignment) ? strings.edit.kinds[kind](count, share) : strings.edit.finish[alignment.finishReason]}
      </p>
      <div className={styles.text} tabIndex={0} role="group" aria-label={title}>
        <DiffView parts={parts} view="inline" isWriting={false} isFolded={true} review={NO_REVIEW} />
      </div>
      <button type="button" className={controls.button} onClick={openEdit} aria-label={text.openLabel(title)}>
        {text.open}
      </button>
    </>
  );
}
