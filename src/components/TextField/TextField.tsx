import { type ComponentProps, useId } from 'react';

import controls from '../../styles/controls.module.css';

interface TextFieldProps extends Omit<ComponentProps<'input'>, 'id' | 'className' | 'onChange'> {
  label: string;
  hint?: string | undefined;
  /** What is wrong with the value; undefined while nothing is. */
  fault?: string | undefined;
  onChange: (text: string) => void;
}

/** A line of text with its label, what is wrong with it, and a hint. */
export function TextField({ label, hint, fault, onChange, 'aria-describedby': describedBy, ...input }: TextFieldProps) {
  const id = useId();
  const notes = [
    ...(fault === undefined ? [] : [`${id}-fault`]),
    ...(hint === undefined ? [] : [`${id}-hint`]),
    ...(describedBy === undefined ? [] : [describedBy]),
  ];
  return (
    <div className={controls.field}>
      <label className={controls.label} htmlFor={id}>
        {label}
      </label>
      <input
        {...input}
        id={id}
        className={controls.input}
        aria-invalid={fault !== undefined}
        aria-describedby={notes.length === 0 ? undefined : notes.join(' ')}
        onChange={(event) => onChange(event.target.value)}
      />
      {fault !== undefined && (
        <p id={`${id}-fault`} className={controls.fault}>
          {fault}
        </p>
      )}
      {hint !== undefined && (
        <p id={`${id}-hint`} className={controls.hint}>
          {hint}
        </p>
      )}
    </div>
  );
}
