import { useEffect, useId, useState } from 'react';

import { type Objective, OBJECTIVES } from '../../align/objectives.ts';
import { isSendableKey } from '../../batch/post-with-back-off.ts';
import { scoringPlan, judgeOrigin } from '../../state/scoring-plan.ts';
import {
  isJudgeUrl,
  isRepeats,
  JUDGES,
  MAX_REPEATS,
  type ScoringOutput,
  type ScoringSettings,
} from '../../state/scoring-settings.ts';
import { isReadableOnTheWay } from '../../state/server-slice.ts';
import { useApp, useSettings, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import entries from '../../styles/entries.module.css';
import { Icon } from '../Icon/Icon.tsx';
import { NumberField } from '../NumberField/NumberField.tsx';
import { Segmented } from '../Segmented/Segmented.tsx';
import { TextField } from '../TextField/TextField.tsx';
import { AddOutput } from './AddOutput.tsx';
import styles from './ScoringChoices.module.css';

const text = strings.scores;

interface ScoringChoicesProps {
  /** Those in question, first in every list. */
  objectives: readonly Pick<Objective, 'key' | 'label'>[];
}

/** Who scores: outputs of classifiers, a judge, or both. Every choice holds at once. */
export function ScoringChoices({ objectives }: ScoringChoicesProps) {
  const { settings } = useStores();
  const scoring = useSettings((state) => state.scoring);
  const list = useApp((app) => app.listClassifiers);
  useEffect(() => void list(), [list]);
  const change = (changes: Partial<ScoringSettings>) => {
    const { scoring: now, change: changeSettings } = settings.getState();
    changeSettings({ scoring: { ...now, ...changes } });
  };
  const known = [...objectives, ...OBJECTIVES.filter(({ key }) => !objectives.some((one) => one.key === key))];
  const id = useId();
  return (
    <>
      <section className={styles.section} aria-labelledby={`${id}-models`}>
        <h3 id={`${id}-models`}>{text.models}</h3>
        <p className={controls.hint}>{text.modelsWhy}</p>
        <Outputs
          outputs={scoring.outputs}
          labelOf={(key) => known.find((one) => one.key === key)?.label ?? key}
          onRemove={(gone) => change({ outputs: scoring.outputs.filter((output) => output !== gone) })}
        />
        <AddOutput objectives={known} onAdd={(output) => change({ outputs: [...scoring.outputs, output] })} />
      </section>
      <section className={styles.section} aria-labelledby={`${id}-judge`}>
        <h3 id={`${id}-judge`}>{text.judge}</h3>
        <p className={controls.hint}>{text.judgeWhy}</p>
        <Segmented
          label={text.judge}
          segments={JUDGES.map((value) => ({ value, label: text.judges[value] }))}
          value={scoring.judge}
          onChange={(judge) => change({ judge })}
        />
        {scoring.judge === 'page' && <p className={controls.hint}>{text.judgePage}</p>}
        {scoring.judge === 'endpoint' && <Endpoint scoring={scoring} onChange={change} />}
        {scoring.judge !== 'none' && (
          <NumberField
            label={text.repeats}
            hint={text.repeatsHint}
            value={scoring.repeats}
            range={{ min: 1, max: MAX_REPEATS, step: 1 }}
            isValid={isRepeats}
            fault={text.repeatsFault(MAX_REPEATS)}
            onChange={(repeats) => change({ repeats })}
          />
        )}
      </section>
      <Automatic scoring={scoring} onChange={change} />
    </>
  );
}

interface ChoiceProps {
  scoring: ScoringSettings;
  onChange: (changes: Partial<ScoringSettings>) => void;
}

/** When, and for a server whether it may. */
function Automatic({ scoring, onChange }: ChoiceProps) {
  const { settings } = useStores();
  const origin = judgeOrigin(scoringPlan({ ...settings.getState(), scoring }));
  const agreedOrigin = useApp((app) => app.agreedOrigin);
  const agree = useApp((app) => app.agreeTo);
  return (
    <section className={styles.section}>
      <label className={styles.check}>
        <input
          type="checkbox"
          checked={scoring.isAutomatic}
          onChange={(event) => onChange({ isAutomatic: event.target.checked })}
        />
        {text.automatic}
      </label>
      {scoring.isAutomatic && origin !== undefined && (
        <>
          <p className={controls.hint}>{text.automaticWhy}</p>
          {agreedOrigin === origin ? (
            <p role="status">{text.agreed(origin)}</p>
          ) : (
            <button type="button" className={styles.agree} onClick={() => agree(origin)}>
              {text.agree(origin)}
            </button>
          )}
        </>
      )}
    </section>
  );
}

interface OutputsProps {
  outputs: readonly ScoringOutput[];
  labelOf: (objectiveKey: string) => string;
  onRemove: (output: ScoringOutput) => void;
}

function Outputs({ outputs, labelOf, onRemove }: OutputsProps) {
  const infos = useApp((app) => app.classifierInfos);
  if (outputs.length === 0) return <p>{text.noOutputs}</p>;
  return (
    <ul className={entries.list}>
      {outputs.map((output, i) => {
        const { classifierId, objectiveKey, labelIndex, reading, input, isLowerBetter } = output;
        const label = infos[classifierId]?.labels[labelIndex];
        const name = nameOf(classifierId);
        const what =
          label === undefined
            ? text.outputUnknown(labelIndex, reading)
            : reading === 'value'
              ? text.outputValue(label)
              : text.outputProbability(label);
        return (
          <li key={i} className={entries.item}>
            <div className={entries.about}>
              <p className={entries.name}>{labelOf(objectiveKey)}</p>
              <p className={controls.hint}>{text.outputLine(name, what, text.inputs[input], isLowerBetter)}</p>
            </div>
            <button
              type="button"
              className={controls.iconButton}
              aria-label={text.removeOutput(labelOf(objectiveKey), name)}
              onClick={() => onRemove(output)}
            >
              <Icon name="close" />
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function nameOf(classifierId: string): string {
  return classifierId.slice(classifierId.indexOf(':') + 1);
}

/** Whom to ask. What is typed holds at once; what is no address is no judge. */
function Endpoint({ scoring: { judgeUrl, judgeModel }, onChange }: ChoiceProps) {
  const keys = useApp((app) => app.judgeKeys);
  const setKey = useApp((app) => app.setJudgeKey);
  // What is no address may hold a password: it stands in the field alone, and is not kept.
  const [typed, setTyped] = useState(judgeUrl);
  const origin = judgeOrigin({ judge: 'endpoint', judgeUrl });
  const key = origin === undefined ? '' : (keys[origin] ?? '');
  const type = (url: string) => {
    setTyped(url);
    onChange({ judgeUrl: isJudgeUrl(url) ? url : '' });
  };
  return (
    <div className={styles.fields}>
      <p className={controls.hint}>
        {text.judgeEndpoint}
        {origin !== undefined && ` ${strings.scores.sendsWhat(origin)}`}
      </p>
      <TextField
        label={text.url}
        type="url"
        value={typed}
        placeholder={text.urlPlaceholder}
        fault={typed === '' || isJudgeUrl(typed) ? undefined : text.urlFault}
        hint={origin !== undefined && isReadableOnTheWay(origin) ? strings.server.readable : undefined}
        onChange={(url) => type(url.trim())}
      />
      <div className={styles.two}>
        <TextField label={text.judgeModel} value={judgeModel} onChange={(model) => onChange({ judgeModel: model })} />
        <TextField
          label={text.key}
          hint={text.keyWhy}
          type="password"
          autoComplete="off"
          value={key}
          disabled={origin === undefined}
          fault={isSendableKey(key) ? undefined : text.keyFault}
          onChange={(typedKey) => origin !== undefined && setKey(origin, typedKey)}
        />
      </div>
    </div>
  );
}
