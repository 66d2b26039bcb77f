import { useEffect, useState } from 'react';

import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { Icon } from '../Icon/Icon.tsx';

const SHOWN_MS = 2000;

interface CopyButtonProps {
  text: string;
  label: string;
  /** Only the icon is shown; the label is its name. */
  isIconOnly?: boolean;
}

/** Copies, and says whether it worked. */
export function CopyButton({ text, label, isIconOnly = false }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<'copied' | 'failed' | undefined>(undefined);

  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(() => setOutcome(undefined), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [outcome]);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('copied');
    } catch {
      // Denied by the browser, or no secure context: the button says so, and the text can still be selected.
      setOutcome('failed');
    }
  };

  const shown = outcome === undefined ? label : outcome === 'copied' ? strings.edit.copied : strings.edit.copyFailed;
  return (
    <button
      type="button"
      className={isIconOnly ? controls.iconButton : controls.button}
      title={isIconOnly ? label : undefined}
      onClick={() => void copy()}
    >
      <Icon name={outcome === 'copied' ? 'check' : outcome === 'failed' ? 'alert' : 'copy'} />
      <span className={isIconOnly ? controls.visuallyHidden : undefined} aria-live="polite">
        {shown}
      </span>
    </button>
  );
}
