import { type DragEvent, useState } from 'react';

import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import { FileButton } from '../FileButton/FileButton.tsx';
import styles from './FileDrop.module.css';

interface FileDropProps {
  /** Says what to drop. */
  text: string;
  hint: string;
  /** Of the button. */
  label: string;
  /** As an input's `accept`. */
  accept: string;
  /** Once for each file. */
  onPick: (file: File) => void;
  isMultiple?: boolean;
  testId: string;
}

/** A place to drop one file on, or several, with a button for those who choose it. */
export function FileDrop({ text, hint, label, accept, onPick, isMultiple = false, testId }: FileDropProps) {
  const [isOver, setIsOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    for (const file of [...event.dataTransfer.files].slice(0, isMultiple ? Infinity : 1)) onPick(file);
  };
  return (
    <div
      className={classNames(controls.panel, styles.drop, isOver ? styles.over : undefined)}
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
    >
      <p>{text}</p>
      <FileButton label={label} accept={accept} onPick={onPick} isMultiple={isMultiple} isPrimary testId={testId} />
      <p className={controls.hint}>{hint}</p>
    </div>
  );
}
