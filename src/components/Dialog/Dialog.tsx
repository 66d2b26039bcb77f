import { type ReactNode, type RefObject, Suspense, useId, useState } from 'react';

import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { Icon } from '../Icon/Icon.tsx';
import styles from './Dialog.module.css';

interface DialogProps {
  /** Who opens it calls `showModal`. */
  dialog: RefObject<HTMLDialogElement | null>;
  title: string;
  /** May load when it is opened first, and stays from then on: what was typed is there when it is opened again. */
  children: ReactNode;
  /** Under the content. */
  end?: ReactNode;
}

/** A modal with a title that stays in sight; closes by its button, Escape and a click beside it. */
export function Dialog({ dialog, title, children, end }: DialogProps) {
  const [wasOpened, setWasOpened] = useState(false);
  const id = useId();
  const close = () => dialog.current?.close();
  return (
    <dialog
      ref={dialog}
      className={styles.dialog}
      aria-labelledby={`${id}-title`}
      // React knows no event for its opening.
      onToggle={(event) => event.newState === 'open' && setWasOpened(true)}
      onClick={(event) => event.target === event.currentTarget && close()}
    >
      <div className={styles.content}>
        <header className={styles.header}>
          <h2 id={`${id}-title`}>{title}</h2>
          <button type="button" className={controls.iconButton} aria-label={strings.model.close} onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        {wasOpened && <Suspense>{children}</Suspense>}
        {end !== undefined && <div className={styles.end}>{end}</div>}
      </div>
    </dialog>
  );
}
