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
  onPick: (file: File) => void;
  testId: string;
}

/** A place to drop one file on, with a button for those who choose it. */
export function FileDrop({ text, hint, label, accept, onPick, testId }: FileDropProps) {
  const [isOver, setIsOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    const [file] = event.dataTransfer.files;
    if (file !== undefined) onPick(file);
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
      <FileButton label={label} accept={accept} onPick={onPick} isPrimary testId={testId} />
      <p className={controls.hint}>{hint}</p>
    </div>
  );
}
