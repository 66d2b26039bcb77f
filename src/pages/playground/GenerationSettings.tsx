import { useState } from 'react';

import type { SamplingOptions } from '../../align/engine.ts';
import { PROMPT_STYLES } from '../../align/prompt.ts';
import { NumberField } from '../../components/NumberField/NumberField.tsx';
import { Segmented } from '../../components/Segmented/Segmented.tsx';
import { isSetting, NUMBER_RANGES } from '../../state/settings-store.ts';
import { useSettings } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './Playground.module.css';

const text = strings.generation;

/** How the edit is generated, behind a disclosure: the defaults are the reference's, made reproducible. */
export function GenerationSettings() {
  const maxNewTokens = useSettings((settings) => settings.maxNewTokens);
  const usesCheckpoint = useSettings((settings) => settings.usesCheckpointSampling);
  const sampling = useSettings((settings) => settings.sampling);
  const promptStyle = useSettings((settings) => settings.promptStyle);
  const change = useSettings((settings) => settings.change);
  const reset = useSettings((settings) => settings.resetGeneration);

  const number = (name: keyof SamplingOptions | 'maxNewTokens', hint?: string) => {
    const range = NUMBER_RANGES[name];
    return (
      <NumberField
        label={text[name]}
        {...(hint !== undefined && { hint })}
        value={name === 'maxNewTokens' ? maxNewTokens : sampling[name]}
        range={{ min: range.min, max: range.max, step: range.step }}
        isValid={(value) => isSetting(name, value)}
        fault={text.outOfRange(range.min, range.max, range.isWhole)}
        isDisabled={name !== 'maxNewTokens' && usesCheckpoint}
        onChange={(value) =>
          change(name === 'maxNewTokens' ? { maxNewTokens: value } : { sampling: { ...sampling, [name]: value } })
        }
      />
    );
  };
  const how = usesCheckpoint
    ? text.checkpoint
    : sampling.temperature === 0
      ? text.greedy
      : text.sampled(sampling.temperature);

  return (
    <section className={styles.section}>
      <details className={controls.disclosure}>
        <summary>
          <h2>{text.title}</h2>
          <span className={styles.settingsSummary}>{text.summary(maxNewTokens, how)}</span>
        </summary>
        <div className={styles.settings}>
          {number('maxNewTokens')}
          <div className={controls.field}>
            <p className={controls.label}>{text.promptStyle}</p>
            <div>
              <Segmented
                label={text.promptStyle}
                segments={PROMPT_STYLES.map((style) => ({ value: style, label: text.promptStyles[style] }))}
                value={promptStyle}
                onChange={(style) => change({ promptStyle: style })}
              />
            </div>
            <p className={controls.hint}>{text.promptStyleHint}</p>
          </div>
          <label className={styles.check}>
            <input
              type="checkbox"
              checked={usesCheckpoint}
              onChange={(event) => change({ usesCheckpointSampling: event.target.checked })}
            />
            <span>
              {text.usesCheckpoint}
              <span className={controls.hint}> {text.usesCheckpointHint}</span>
            </span>
          </label>
          {number('temperature', text.temperatureHint)}
          {number('repetitionPenalty', text.repetitionPenaltyHint)}
          {number('topK', text.topKHint)}
          {number('topP', text.topPHint)}
          {number('seed', text.seedHint)}
          <Notifies />
          <div className={styles.reset}>
            <button type="button" className={controls.button} onClick={reset}>
              {text.reset}
            </button>
          </div>
        </div>
      </details>
    </section>
  );
}

/** Asks the browser when it is switched on, and says where it refuses. */
function Notifies() {
  const notifies = useSettings((settings) => settings.notifies);
  const change = useSettings((settings) => settings.change);
  const [isRefused, setIsRefused] = useState(false);
  if (!('Notification' in globalThis)) return null;
  const choose = async (isOn: boolean) => {
    const isAllowed = !isOn || (await Notification.requestPermission()) === 'granted';
    setIsRefused(!isAllowed);
    change({ notifies: isOn && isAllowed });
  };
  return (
    <label className={styles.check}>
      <input type="checkbox" checked={notifies} onChange={(event) => void choose(event.target.checked)} />
      <span>
        {text.notifies}
        {isRefused && <span className={controls.fault}> {text.notifiesRefused}</span>}
      </span>
    </label>
  );
}
