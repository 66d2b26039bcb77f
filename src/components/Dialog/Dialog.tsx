import { type ReactNode, type RefObject, useEffect, useId, useState } from 'react';

import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { Icon } from '../Icon/Icon.tsx';
import styles from './Dialog.module.css';

interface DialogProps {
  /** Who opens it calls `showModal`. */
  dialog: RefObject<HTMLDialogElement | null>;
  title: string;
  /** Shown when it is opened first, and kept from then on: what was typed is there when it is opened again. */
  children: ReactNode;
  /** Begins anew with each opening instead. */
  isForgetful?: boolean;
  /** Under the content. */
  end?: ReactNode;
}

/** A modal with a title that stays in sight; closes by its button, Escape and a click beside it. */
export function Dialog({ dialog, title, children, isForgetful = false, end }: DialogProps) {
  const [isOpen, setIsOpen] = useState(false);
  const [wasOpened, setWasOpened] = useState(false);
  const id = useId();
  const close = () => dialog.current?.close();
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    // Browsers of 2024 tell of no opening.
    const observer = new MutationObserver(() => {
      setIsOpen(element.open);
      if (element.open) setWasOpened(true);
    });
    observer.observe(element, { attributeFilter: ['open'] });
    return () => observer.disconnect();
  }, [dialog]);
  return (
    <dialog
      ref={dialog}
      className={styles.dialog}
      aria-labelledby={`${id}-title`}
      onClick={(event) => event.target === event.currentTarget && close()}
    >
      <div className={styles.content}>
        <header className={styles.header}>
          <h2 id={`${id}-title`}>{title}</h2>
          <button type="button" className={controls.iconButton} aria-label={strings.model.close} onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        {(isForgetful ? isOpen : wasOpened) && children}
        {end !== undefined && <div className={styles.end}>{end}</div>}
      </div>
    </dialog>
  );
}
