import type { ComponentProps, RefObject } from 'react';

import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { Dialog } from '../Dialog/Dialog.tsx';
import { late } from '../Late/Late.tsx';
import type { ScoringChoices as Choices } from './ScoringChoices.tsx';

const ScoringChoices = late(async () => (await import('./ScoringChoices.tsx')).ScoringChoices);

interface ScoringDialogProps extends ComponentProps<typeof Choices> {
  dialog: RefObject<HTMLDialogElement | null>;
}

export function ScoringDialog({ dialog, objectives }: ScoringDialogProps) {
  return (
    <Dialog
      dialog={dialog}
      title={strings.scores.title}
      isForgetful
      end={
        <button type="button" className={controls.primary} onClick={() => dialog.current?.close()}>
          {strings.scores.close}
        </button>
      }
    >
      <ScoringChoices objectives={objectives} />
    </Dialog>
  );
}
