import { useState } from 'react';

import { formatDialogue, parseDialogue, type Turn } from '../../align/conversation.ts';
import { Icon } from '../../components/Icon/Icon.tsx';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './TurnsEditor.module.css';

const text = strings.turns;

interface TurnsEditorProps {
  /** In HH-RLHF's form. */
  context: string;
  onChange: (context: string) => void;
}

/** A dialogue turn by turn. */
export function TurnsEditor({ context, onChange }: TurnsEditorProps) {
  // As written: the context holds the turns without the blanks at their ends, which are typed on the way to a word.
  const [written, setWritten] = useState<{ turns: readonly Turn[]; context: string } | undefined>(undefined);
  const turns = written?.context === context ? written.turns : parseDialogue(context);
  const change = (next: readonly Turn[]) => {
    const changed = formatDialogue(next.map(({ role, text: said }) => ({ role, text: said.trim() })));
    setWritten({ turns: next, context: changed });
    onChange(changed);
  };
  const changeTurn = (index: number, changes: Partial<Turn>) =>
    change(turns.map((turn, i) => (i === index ? { ...turn, ...changes } : turn)));
  const move = (from: number, to: number) => {
    const others = turns.filter((_, i) => i !== from);
    change([...others.slice(0, to), turns[from]!, ...others.slice(to)]);
  };

  return (
    <div className={styles.turns}>
      <ol className={styles.list}>
        {turns.map((turn, i) => (
          <li key={i} className={classNames(styles.turn, styles[turn.role])}>
            <div className={styles.head}>
              <select
                className={controls.select}
                aria-label={text.speaker(i + 1)}
                value={turn.role}
                onChange={(event) => changeTurn(i, { role: event.target.value as Turn['role'] })}
              >
                <option value="human">{text.roles.human}</option>
                <option value="assistant">{text.roles.assistant}</option>
              </select>
              <button
                type="button"
                className={controls.iconButton}
                disabled={i === 0}
                aria-label={text.earlier(i + 1)}
                onClick={() => move(i, i - 1)}
              >
                <Icon name="up" />
              </button>
              <button
                type="button"
                className={controls.iconButton}
                disabled={i === turns.length - 1}
                aria-label={text.later(i + 1)}
                onClick={() => move(i, i + 1)}
              >
                <Icon name="down" />
              </button>
              <button
                type="button"
                className={controls.iconButton}
                aria-label={text.remove(i + 1)}
                onClick={() => change(turns.filter((_, other) => other !== i))}
              >
                <Icon name="close" />
              </button>
            </div>
            <textarea
              className={classNames(controls.textarea, styles.said)}
              rows={1}
              dir="auto"
              aria-label={text.said(i + 1, turn.role)}
              value={turn.text}
              onChange={(event) => changeTurn(i, { text: event.target.value })}
            />
          </li>
        ))}
      </ol>
      <button
        type="button"
        className={controls.button}
        onClick={() => change([...turns, { role: turns.at(-1)?.role === 'human' ? 'assistant' : 'human', text: '' }])}
      >
        <Icon name="plus" />
        {text.add}
      </button>
    </div>
  );
}
