import { type ChangeEvent, useRef } from 'react';

import controls from '../../styles/controls.module.css';
import { classNames } from '../../styles/class-names.ts';
import { Icon } from '../Icon/Icon.tsx';

interface FileButtonProps {
  label: string;
  /** As an input's `accept`. */
  accept: string;
  /** Once for each file. */
  onPick: (file: File) => void;
  isMultiple?: boolean;
  isDisabled?: boolean;
  /** The page's main button. */
  isPrimary?: boolean;
  testId: string;
}

/** Asks for a file, or for several. The input is out of sight: browsers draw it each in their own way. */
export function FileButton({
  label,
  accept,
  onPick,
  isMultiple = false,
  isDisabled = false,
  isPrimary = false,
  testId,
}: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  const pick = (event: ChangeEvent<HTMLInputElement>) => {
    const files = [...(event.target.files ?? [])];
    // Copied first: clearing empties the list, and picking the same file again is a change again.
    event.target.value = '';
    for (const file of files) onPick(file);
  };
  return (
    <>
      <button
        type="button"
        className={classNames(isPrimary ? controls.primary : controls.button)}
        disabled={isDisabled}
        onClick={() => input.current?.click()}
      >
        <Icon name="folder" />
        {label}
      </button>
      <input
        ref={input}
        className={controls.visuallyHidden}
        type="file"
        accept={accept}
        multiple={isMultiple}
        tabIndex={-1}
        aria-label={label}
        data-testid={testId}
        onChange={pick}
      />
    </>
  );
}
