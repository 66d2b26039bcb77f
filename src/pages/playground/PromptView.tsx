import { useState } from 'react';

import { buildPrompt } from '../../align/prompt.ts';
import { CopyButton } from '../../components/CopyButton/CopyButton.tsx';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './Playground.module.css';
import { useCurrentRequest } from './use-current-request.ts';

/** Of a longer prompt the ends are shown; all of it is copied. */
const SHOWN_END = 4000;

/** The bytes that the model would read. */
export function PromptView() {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <section className={styles.section} aria-labelledby="prompt-title">
      <details className={controls.disclosure} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
        <summary>
          <h2 id="prompt-title">{strings.prompt.title}</h2>
        </summary>
        {isOpen && <Prompt />}
      </details>
    </section>
  );
}

function Prompt() {
  const prompt = buildPrompt(useCurrentRequest());
  const hidden = prompt.length - 2 * SHOWN_END;
  const shown =
    hidden > 0
      ? `${prompt.slice(0, SHOWN_END)}\n${strings.prompt.hidden(hidden)}\n${prompt.slice(-SHOWN_END)}`
      : prompt;
  return (
    <div className={styles.promptView}>
      <p className={controls.hint}>{strings.prompt.why}</p>
      <pre className={styles.prompt} tabIndex={0} role="group" aria-label={strings.prompt.title} data-testid="prompt">
        {shown}
      </pre>
      <CopyButton text={prompt} label={strings.prompt.copy} />
    </div>
  );
}
