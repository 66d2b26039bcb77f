import { type ReactNode, useRef, useState } from 'react';

import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './SureButton.module.css';

interface SureButtonProps {
  children: ReactNode;
  /** For a screen reader, where the text alone does not say what is meant. */
  label?: string;
  title?: string;
  className: string | undefined;
  /** Asked before it happens; undefined: a press is enough. */
  question: string | undefined;
  /** Says what then happens. */
  sure: string;
  /** Says what a no does; by default that things are kept. */
  cancel?: string;
  isDisabled?: boolean;
  /** @param button  the one that was pressed, still in the document */
  onSure: (button: HTMLElement) => void;
}

/** A button for what cannot be undone: asked in its place, with the focus on the answer, and back when it is no. */
export function SureButton(props: SureButtonProps) {
  const {
    children,
    label,
    title,
    className,
    question,
    sure,
    isDisabled = false,
    onSure,
    cancel = strings.storage.keep,
  } = props;
  const [isAsking, setIsAsking] = useState(false);
  const wasAsked = useRef(false);
  if (isAsking && question === undefined) setIsAsking(false);
  if (isAsking && question !== undefined) {
    const stop = () => {
      wasAsked.current = true;
      setIsAsking(false);
    };
    return (
      <span className={styles.sure} onKeyDown={(event) => event.key === 'Escape' && stop()}>
        {question}
        <button
          type="button"
          className={controls.primary}
          autoFocus
          disabled={isDisabled}
          // Of a key that is held since the question.
          onKeyDown={(event) => event.repeat && event.preventDefault()}
          onClick={(event) => {
            onSure(event.currentTarget);
            stop();
          }}
        >
          {sure}
        </button>
        <button type="button" className={controls.button} onClick={stop}>
          {cancel}
        </button>
      </span>
    );
  }
  return (
    <button
      // A button that is drawn anew in place of its question takes the focus from it.
      ref={(button) => {
        if (button !== null && wasAsked.current && document.activeElement === document.body) button.focus();
        wasAsked.current = false;
      }}
      type="button"
      className={className}
      disabled={isDisabled}
      aria-label={label}
      title={title}
      onClick={(event) => (question === undefined ? onSure(event.currentTarget) : setIsAsking(true))}
    >
      {children}
    </button>
  );
}

/** Before an item of a list goes: its neighbour has the focus then, or the page where it was the last one. */
export function focusNeighbour(button: HTMLElement): void {
  const item = button.closest('li');
  const neighbour = item?.nextElementSibling ?? item?.previousElementSibling;
  const target = neighbour?.querySelector<HTMLElement>('button') ?? button.closest('main');
  target?.focus();
}
