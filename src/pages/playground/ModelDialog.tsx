import { lazy, type RefObject } from 'react';

import { Dialog } from '../../components/Dialog/Dialog.tsx';
import { strings } from '../../strings.ts';

const ModelChoices = lazy(async () => ({ default: (await import('./ModelChoices.tsx')).ModelChoices }));

export function ModelDialog({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <Dialog dialog={dialog} title={strings.model.dialogTitle}>
      <ModelChoices onClose={() => dialog.current?.close()} />
    </Dialog>
  );
}
