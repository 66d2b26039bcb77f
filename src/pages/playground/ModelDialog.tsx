import type { RefObject } from 'react';

import { Dialog } from '../../components/Dialog/Dialog.tsx';
import { late } from '../../components/Late/Late.tsx';
import { strings } from '../../strings.ts';

const ModelChoices = late(async () => (await import('./ModelChoices.tsx')).ModelChoices);

export function ModelDialog({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <Dialog dialog={dialog} title={strings.model.dialogTitle}>
      <ModelChoices onClose={() => dialog.current?.close()} />
    </Dialog>
  );
}
