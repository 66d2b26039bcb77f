import { useId } from 'react';

import { useApp, useSettings } from '../../state/stores.ts';
import { DEVICES, type Settings } from '../../state/settings-store.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import type { ConvertedModel } from '../../worker-client/model-library.ts';
import styles from './ModelPanel.module.css';

/** On what the model is to run and in which form, and what this machine offers. */
export function LoadOptions({ model }: { model: ConvertedModel }) {
  const id = useId();
  const device = useSettings((settings) => settings.device);
  const variant = useSettings((settings) => settings.variant);
  const change = useSettings((settings) => settings.change);
  const status = useApp((app) => app.model.status);
  const hasVariant = model.variants.some((offered) => offered.variant === variant);

  return (
    <details className={controls.disclosure}>
      <summary className={controls.hint}>{strings.model.options}</summary>
      <div className={styles.options}>
        <div className={controls.field}>
          <label className={controls.label} htmlFor={`${id}-device`}>
            {strings.model.device}
          </label>
          <select
            id={`${id}-device`}
            className={controls.select}
            value={device}
            onChange={(event) => change({ device: event.target.value as Settings['device'] })}
          >
            {DEVICES.map((name) => (
              <option key={name} value={name}>
                {strings.model.devices[name]}
              </option>
            ))}
          </select>
        </div>
        <div className={controls.field}>
          <label className={controls.label} htmlFor={`${id}-variant`}>
            {strings.model.variant}
          </label>
          <select
            id={`${id}-variant`}
            className={controls.select}
            value={hasVariant ? variant : 'auto'}
            onChange={(event) => change({ variant: event.target.value as Settings['variant'] })}
          >
            <option value="auto">{strings.model.variantAuto}</option>
            {model.variants.map((offered) => (
              <option key={offered.variant} value={offered.variant}>
                {strings.model.variantOf(offered.variant, offered.sizeBytes)}
              </option>
            ))}
          </select>
        </div>
        <div className={styles.machine}>
          {status === 'ready' && <p>{strings.model.optionsNext}</p>}
          <Machine />
        </div>
      </div>
    </details>
  );
}

function Machine() {
  const device = useApp((app) => app.device);
  switch (device.status) {
    case 'probing':
      return <p>{strings.model.probing}</p>;
    case 'failed':
      return (
        <p>
          {device.error.message} {device.error.remedy}
        </p>
      );
    case 'known': {
      const { webgpu, wasmThreads } = device.report;
      return (
        <p>
          {webgpu.available
            ? strings.model.gpu(webgpu.description, webgpu.hasShaderF16, webgpu.isSoftware)
            : strings.model.noGpu(webgpu.reason)}{' '}
          {strings.model.cpu(wasmThreads)}
        </p>
      );
    }
    default:
      return device satisfies never;
  }
}
