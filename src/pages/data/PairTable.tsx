import { useState } from 'react';

import { CopyButton } from '../../components/CopyButton/CopyButton.tsx';
import { WindowedTable } from '../../components/WindowedTable/WindowedTable.tsx';
import type { BuiltDataset, BuiltPair, DataKind, NumberedEdit } from '../../datasets/build-dataset.ts';
import { toTrainingItem } from '../../datasets/training-item.ts';
import { formatDecimal } from '../../format.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './Data.module.css';

const text = strings.data;
/** Of a text its start is shown. */
const EXCERPT = 160;

/** The pairs with their scores and what each direction teaches; the prompts of the one that is chosen. */
export function PairTable({ built: { kind, objectives, pairs } }: { built: BuiltDataset }) {
  const [chosen, setChosen] = useState<number | undefined>(undefined);
  const [first, second] = text.sides[kind];
  const pair = chosen === undefined ? undefined : pairs[chosen];
  return (
    <>
      <p className={controls.hint}>{text.tableHint(first, second)}</p>
      <WindowedTable
        label={text.table}
        className={styles.table}
        columns={[
          { key: 'number', content: text.number },
          { key: 'prompt', content: text.prompt },
          ...objectives.map(({ key, label }) => ({ key, content: label, className: styles.scores })),
          { key: 'first', content: text.towards(first) },
          { key: 'second', content: text.towards(second) },
          { key: 'equal', content: text.equal },
          { key: 'show', content: <span className={controls.visuallyHidden}>{text.show}</span> },
        ]}
        rows={pairs}
        renderRow={({ line, prompt, sides, edits }, i) => (
          <tr key={i} aria-rowindex={i + 2} data-row={i}>
            <td className={styles.number}>{line}</td>
            <td dir="auto">{prompt.slice(0, EXCERPT)}</td>
            {objectives.map(({ key }, k) => (
              <td key={key} className={styles.number}>
                {sides.map(({ scores }) => formatDecimal(scores[k] ?? NaN)).join(' / ')}
              </td>
            ))}
            {[0, 1, 'equal'].map((direction) => (
              <Taught key={direction} edit={edits.find((edit) => directionOf(edit) === direction)} />
            ))}
            <td>
              <button
                type="button"
                className={controls.quiet}
                aria-label={text.showLabel(line, i + 1)}
                onClick={() => setChosen(i)}
              >
                {text.show}
              </button>
            </td>
          </tr>
        )}
      />
      {pair !== undefined && <Pair key={chosen} pair={pair} kind={kind} onClose={() => setChosen(undefined)} />}
    </>
  );
}

function directionOf({ edit, towards }: NumberedEdit): 0 | 1 | 'equal' {
  return edit.relation === 'equal' ? 'equal' : towards;
}

/** Four names are longer than a cell. */
function Taught({ edit }: { edit: NumberedEdit | undefined }) {
  return <td title={taught(edit)}>{taught(edit)}</td>;
}

function taught(edit: NumberedEdit | undefined): string {
  return edit === undefined ? '–' : edit.edit.objectives.map(({ label }) => label).join(', ');
}

interface PairProps {
  pair: BuiltPair;
  kind: DataKind;
  onClose: () => void;
}

/** Every item of a pair, as a trainer reads it. */
function Pair({ pair: { line, edits }, kind, onClose }: PairProps) {
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="data-pair" data-testid="data-pair">
      <div className={styles.line}>
        <h3 id="data-pair" tabIndex={-1} ref={focus}>
          {text.pair(line)}
        </h3>
        <span className={styles.spring} />
        <button type="button" className={controls.quiet} onClick={onClose}>
          {text.closePair}
        </button>
      </div>
      <div className={styles.prompts}>
        {edits.map((numbered) => {
          const direction = directionOf(numbered);
          const title = direction === 'equal' ? text.equal : text.towards(text.sides[kind][direction]);
          const [prompt, target] = toTrainingItem(numbered.id, numbered.edit).conversations;
          return (
            <div key={numbered.id} className={styles.item}>
              <h4>{text.item(title, numbered.id)}</h4>
              <p className={controls.hint}>{taught(numbered)}</p>
              <pre className={styles.text} tabIndex={0} role="group" aria-label={text.promptOf(title)}>
                {prompt.value}
              </pre>
              <CopyButton text={prompt.value} label={text.copy} />
              <p className={controls.label}>{text.target}</p>
              <pre className={styles.text} tabIndex={0} role="group" aria-label={text.targetOf(title)}>
                {target.value}
              </pre>
            </div>
          );
        })}
      </div>
    </section>
  );
}

/** The pair may be out of sight below the table. */
function focus(element: HTMLElement | null): void {
  element?.focus();
}
