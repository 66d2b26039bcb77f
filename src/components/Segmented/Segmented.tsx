import { useId } from 'react';

import { Icon, type IconName } from '../Icon/Icon.tsx';
import controls from '../../styles/controls.module.css';
import styles from './Segmented.module.css';

interface Segment<Value extends string> {
  value: Value;
  label: string;
  /** Shown instead of the label, which stays its accessible name and its tooltip. */
  icon?: IconName;
}

interface SegmentedProps<Value extends string> {
  label: string;
  segments: readonly Segment<Value>[];
  value: Value;
  onChange: (value: Value) => void;
}

/** One of a few: radio buttons side by side. */
export function Segmented<Value extends string>({ label, segments, value, onChange }: SegmentedProps<Value>) {
  const name = useId();
  return (
    <fieldset className={styles.group}>
      <legend className={controls.visuallyHidden}>{label}</legend>
      {segments.map((segment) => (
        <label key={segment.value} className={styles.segment} title={segment.icon && segment.label}>
          <input
            className={controls.visuallyHidden}
            type="radio"
            name={name}
            value={segment.value}
            checked={segment.value === value}
            onChange={() => onChange(segment.value)}
          />
          {segment.icon === undefined ? (
            segment.label
          ) : (
            <>
              <Icon name={segment.icon} />
              <span className={controls.visuallyHidden}>{segment.label}</span>
            </>
          )}
        </label>
      ))}
    </fieldset>
  );
}
