import { type ChangeEvent, useId, useRef, useState } from 'react';

import type { Objective } from '../../align/objectives.ts';
import { READINGS, type Reading, SCORER_INPUTS, type ScorerInput } from '../../align/scores.ts';
import { scoringPlan } from '../../state/scoring-plan.ts';
import type { ScoringOutput } from '../../state/scoring-settings.ts';
import { useApp, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import entries from '../../styles/entries.module.css';
import type { ClassifierInfo } from '../../../workers/scores-protocol.ts';
import { ErrorBox } from '../ErrorBox/ErrorBox.tsx';
import { Icon } from '../Icon/Icon.tsx';
import { ProgressBar } from '../ProgressBar/ProgressBar.tsx';
import styles from './ScoringChoices.module.css';
import { loadingText } from './ScoringProgress.tsx';

const text = strings.scores;

/** React knows the attribute; its types do not. */
const FOLDER_PICKER = { webkitdirectory: '' };

interface AddOutputProps {
  objectives: readonly Pick<Objective, 'key' | 'label'>[];
  onAdd: (output: ScoringOutput) => void;
}

/** First a classifier, then what of it stands for what. */
export function AddOutput({ objectives, onAdd }: AddOutputProps) {
  const id = useId();
  const { settings } = useStores();
  const [chosenId, setChosenId] = useState('');
  const info = useApp((app) => app.classifierInfos[chosenId]);
  const opening = useApp((app) => app.classifierOpening);
  const open = useApp((app) => app.openClassifier);
  const cancel = useApp((app) => app.closeOpening);
  const choose = (classifierId: string) => {
    setChosenId(classifierId);
    if (classifierId === '') cancel();
    else void open(classifierId, scoringPlan(settings.getState()));
  };
  return (
    <div className={styles.add} role="group" aria-labelledby={`${id}-title`}>
      <h4 id={`${id}-title`}>{text.add}</h4>
      <Sources chosenId={chosenId} onChoose={choose} />
      {opening?.status === 'opening' && (
        <div className={styles.opening}>
          <ProgressBar
            label={text.opening}
            fraction={opening.progress && opening.progress.doneBytes / Math.max(1, opening.progress.totalBytes)}
          />
          <p className={controls.hint} role="status">
            {opening.progress === undefined ? text.opening : loadingText(opening.progress)}
          </p>
          <button type="button" className={controls.button} onClick={() => choose('')}>
            {text.cancel}
          </button>
        </div>
      )}
      {opening?.status === 'failed' && <ErrorBox error={opening.error} />}
      {info !== undefined && opening === undefined && (
        <OutputForm key={chosenId} classifierId={chosenId} info={info} objectives={objectives} onAdd={onAdd} />
      )}
    </div>
  );
}

function Sources({ chosenId, onChoose }: { chosenId: string; onChoose: (id: string) => void }) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [reference, setReference] = useState('');
  const served = useApp((app) => app.servedClassifiers);
  const kept = useApp((app) => app.keptClassifiers);
  const picked = useApp((app) => app.pickedClassifiers);
  const pick = useApp((app) => app.pickClassifier);
  const forget = useApp((app) => app.forgetClassifier);
  const list = useApp((app) => app.listClassifiers);
  const onFolder = (event: ChangeEvent<HTMLInputElement>) => {
    const files = [...(event.target.files ?? [])];
    event.target.value = '';
    const pickedId = pick(files.map((file) => ({ path: file.webkitRelativePath, blob: file })));
    if (pickedId !== undefined) onChoose(pickedId);
  };
  const groups = [
    {
      label: text.fromServed,
      ids: served.status === 'ready' ? served.classifiers.map((one) => `served:${one.id}`) : [],
    },
    { label: text.fromKept, ids: kept.map((one) => `hub:${one.reference}`) },
    { label: text.fromPicked, ids: picked.map((one) => one.id) },
  ].filter(({ ids }) => ids.length > 0);
  const isListed = groups.some(({ ids }) => ids.includes(chosenId));
  return (
    <>
      {served.status === 'failed' && (
        <ErrorBox error={served.error}>
          <button type="button" className={controls.button} onClick={() => void list()}>
            {strings.error.retry}
          </button>
        </ErrorBox>
      )}
      <div className={controls.field}>
        <label className={controls.label} htmlFor={`${id}-from`}>
          {text.from}
        </label>
        <div className={styles.line}>
          <select
            id={`${id}-from`}
            className={controls.select}
            value={chosenId}
            onChange={(event) => onChoose(event.target.value)}
          >
            <option value="">{text.choosePlease}</option>
            {!isListed && chosenId !== '' && <option value={chosenId}>{chosenId.replace(/^\w+:/, '')}</option>}
            {groups.map(({ label, ids }) => (
              <optgroup key={label} label={label}>
                {ids.map((one) => (
                  <option key={one} value={one}>
                    {one.slice(one.indexOf(':') + 1)}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
          <button
            type="button"
            className={controls.button}
            aria-describedby={`${id}-why`}
            onClick={() => input.current?.click()}
          >
            <Icon name="folder" />
            {text.openFolder}
          </button>
          <input
            ref={input}
            className={controls.visuallyHidden}
            type="file"
            {...FOLDER_PICKER}
            tabIndex={-1}
            aria-label={text.openFolder}
            data-testid="classifier-input"
            onChange={onFolder}
          />
        </div>
        <p id={`${id}-why`} className={controls.hint}>
          {served.status === 'ready' && served.classifiers.length === 0 && `${text.servedNone} `}
          {text.folderWhy}
        </p>
      </div>
      <form
        className={controls.field}
        onSubmit={(event) => {
          event.preventDefault();
          if (reference.trim() !== '') onChoose(`hub:${reference.trim()}`);
        }}
      >
        <label className={controls.label} htmlFor={`${id}-hub`}>
          {text.hubLabel}
        </label>
        <div className={styles.line}>
          <input
            id={`${id}-hub`}
            className={controls.input}
            value={reference}
            placeholder={text.hubPlaceholder}
            aria-describedby={`${id}-hub-why`}
            onChange={(event) => setReference(event.target.value)}
          />
          <button type="submit" className={controls.button} disabled={reference.trim() === ''}>
            {text.hubGet}
          </button>
        </div>
        <p id={`${id}-hub-why`} className={controls.hint}>
          {text.hubWhy}
        </p>
      </form>
      {kept.length > 0 && (
        <ul className={entries.list} aria-label={text.fromKept}>
          {kept.map(({ reference: name, storedBytes }) => (
            <li key={name} className={entries.item}>
              <p className={entries.about}>
                {name} <span className={controls.hint}>{text.keptSize(storedBytes)}</span>
              </p>
              <button
                type="button"
                className={controls.quiet}
                aria-label={text.forgetLabel(name)}
                onClick={() => void forget(name)}
              >
                {text.forget}
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

interface OutputFormProps extends AddOutputProps {
  classifierId: string;
  info: ClassifierInfo;
}

function OutputForm({ classifierId, info, objectives, onAdd }: OutputFormProps) {
  const id = useId();
  const { labels, parameterCount, maxTokens } = info;
  const [objectiveKey, setObjectiveKey] = useState(objectives[0]?.key ?? '');
  // A lone output is a number of its own; among several each is a label's.
  const [reading, setReading] = useState<Reading>(labels.length === 1 ? 'value' : 'probability');
  const [labelIndex, setLabelIndex] = useState(labels.length - 1);
  const [input, setInput] = useState<ScorerInput>('pair');
  const [isLowerBetter, setIsLowerBetter] = useState(false);
  const field = (name: string, label: string, control: React.ReactNode) => (
    <div className={controls.field}>
      <label className={controls.label} htmlFor={`${id}-${name}`}>
        {label}
      </label>
      {control}
    </div>
  );
  return (
    <>
      <p className={controls.hint}>{text.facts(labels.length, parameterCount, maxTokens)}</p>
      <div className={styles.two}>
        {field(
          'objective',
          text.objective,
          <select
            id={`${id}-objective`}
            className={controls.select}
            value={objectiveKey}
            onChange={(event) => setObjectiveKey(event.target.value)}
          >
            {objectives.map(({ key, label }) => (
              <option key={key} value={key}>
                {label}
              </option>
            ))}
          </select>,
        )}
        {field(
          'output',
          text.output,
          <select
            id={`${id}-output`}
            className={controls.select}
            value={`${reading} ${labelIndex}`}
            onChange={(event) => {
              const [chosen, index] = event.target.value.split(' ');
              setReading(chosen as Reading);
              setLabelIndex(Number(index));
            }}
          >
            {labels.flatMap((label, index) =>
              READINGS.map((one) => (
                <option key={`${one} ${index}`} value={`${one} ${index}`}>
                  {one === 'value' ? text.outputValue(label) : text.outputProbability(label)}
                </option>
              )),
            )}
          </select>,
        )}
        {field(
          'input',
          text.reads,
          <select
            id={`${id}-input`}
            className={controls.select}
            value={input}
            onChange={(event) => setInput(event.target.value as ScorerInput)}
          >
            {SCORER_INPUTS.map((one) => (
              <option key={one} value={one}>
                {text.inputs[one]}
              </option>
            ))}
          </select>,
        )}
        {field(
          'better',
          text.better,
          <select
            id={`${id}-better`}
            className={controls.select}
            value={isLowerBetter ? 'lower' : 'higher'}
            onChange={(event) => setIsLowerBetter(event.target.value === 'lower')}
          >
            <option value="higher">{text.directions.higher}</option>
            <option value="lower">{text.directions.lower}</option>
          </select>,
        )}
      </div>
      <div>
        <button
          type="button"
          className={controls.primary}
          onClick={() => onAdd({ classifierId, objectiveKey, labelIndex, reading, input, isLowerBetter })}
        >
          {text.addThis}
        </button>
      </div>
    </>
  );
}
