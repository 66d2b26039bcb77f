import { useId, useState } from 'react';

import controls from '../../styles/controls.module.css';

interface NumberFieldProps {
  label: string;
  hint?: string;
  value: number;
  range: { min: number; max: number; step: number };
  isValid: (value: number) => boolean;
  /** Shown while what is typed is not valid; the value before stays in force. */
  fault: string;
  isDisabled?: boolean;
  onChange: (value: number) => void;
}

/** A number that is taken over as it is typed, once it is valid; what is not is kept on screen and explained. */
export function NumberField(props: NumberFieldProps) {
  const { label, hint, value, range, isValid, fault, isDisabled = false, onChange } = props;
  const id = useId();
  /** What is typed while it differs from the value, such as an empty field. */
  const [typed, setTyped] = useState<string | undefined>(undefined);
  const isFaulty = typed !== undefined && !isDisabled;
  const note = isFaulty ? fault : hint;

  const type = (text: string) => {
    const parsed = text.trim() === '' ? NaN : Number(text);
    if (!isValid(parsed)) return setTyped(text);
    setTyped(undefined);
    onChange(parsed);
  };

  return (
    <div className={controls.field}>
      <label className={controls.label} htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        className={controls.input}
        type="number"
        inputMode="decimal"
        {...range}
        value={typed ?? value}
        disabled={isDisabled}
        aria-invalid={isFaulty}
        aria-describedby={note === undefined ? undefined : `${id}-note`}
        onChange={(event) => type(event.target.value)}
        onBlur={() => setTyped(undefined)}
      />
      {note !== undefined && (
        <p id={`${id}-note`} className={isFaulty ? controls.fault : controls.hint}>
          {note}
        </p>
      )}
    </div>
  );
}
