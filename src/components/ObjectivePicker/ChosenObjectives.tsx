import { type PointerEvent, useRef, useState } from 'react';

import type { Objective } from '../../align/objectives.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { Icon } from '../Icon/Icon.tsx';
import styles from './ObjectivePicker.module.css';

interface ChosenObjectivesProps {
  chosen: readonly Objective[];
  onMove: (objective: Objective, position: number) => void;
  onRemove: (objective: Objective) => void;
}

/** The chosen objectives with the text that the prompt will hold. Ordered by dragging or by the arrows. */
export function ChosenObjectives({ chosen, onMove, onRemove }: ChosenObjectivesProps) {
  const list = useRef<HTMLOListElement>(null);
  const [draggedKey, setDraggedKey] = useState<string | undefined>(undefined);

  if (chosen.length === 0) {
    return (
      <p className={styles.none} role="status">
        {strings.objectives.none}
      </p>
    );
  }

  const button = (position: number, name: string) =>
    list.current?.children[position]?.querySelector<HTMLButtonElement>(`[data-action="${name}"]`);

  /** A row that moves in the document loses the focus; the one who pressed the arrow may want to press it again. */
  const moveByButton = (objective: Objective, position: number, name: 'up' | 'down') => {
    onMove(objective, position);
    requestAnimationFrame(() => {
      const arrow = button(position, name);
      (arrow?.disabled === true ? button(position, name === 'up' ? 'down' : 'up') : arrow)?.focus();
    });
  };

  const removeByButton = (objective: Objective, position: number) => {
    onRemove(objective);
    requestAnimationFrame(() => button(Math.min(position, chosen.length - 2), 'remove')?.focus());
  };

  const drag = (event: PointerEvent, objective: Objective, position: number) => {
    if (draggedKey !== objective.key) return;
    const rows = [...(list.current?.children ?? [])].map((row) => row.getBoundingClientRect());
    const target = rows.findIndex(({ top, bottom }) => event.clientY >= top && event.clientY < bottom);
    const row = rows[target];
    if (target === -1 || target === position || row === undefined) return;
    // Rows differ in height: past the middle only, or the two would swap back and forth under the pointer.
    const isPastMiddle =
      target > position ? event.clientY > (row.top + row.bottom) / 2 : event.clientY < (row.top + row.bottom) / 2;
    if (isPastMiddle) onMove(objective, target);
  };

  return (
    <ol ref={list} className={styles.chosen} aria-label={strings.objectives.chosen}>
      {chosen.map((objective, position) => (
        <li
          key={objective.key}
          className={styles.row}
          data-objective={objective.key}
          data-dragged={draggedKey === objective.key}
        >
          <span
            className={styles.grip}
            title={strings.objectives.drag(objective.label)}
            onPointerDown={(event) => {
              event.preventDefault();
              event.currentTarget.setPointerCapture(event.pointerId);
              setDraggedKey(objective.key);
            }}
            onPointerMove={(event) => drag(event, objective, position)}
            onLostPointerCapture={() => setDraggedKey(undefined)}
          >
            <Icon name="grip" />
          </span>
          <span className={styles.number}>{position + 1}</span>
          <Description objective={objective} />
          <span className={styles.actions}>
            <button
              type="button"
              className={controls.iconButton}
              data-action="up"
              disabled={position === 0}
              aria-label={strings.objectives.earlier(objective.label)}
              title={strings.objectives.earlier(objective.label)}
              onClick={() => moveByButton(objective, position - 1, 'up')}
            >
              <Icon name="up" />
            </button>
            <button
              type="button"
              className={controls.iconButton}
              data-action="down"
              disabled={position === chosen.length - 1}
              aria-label={strings.objectives.later(objective.label)}
              title={strings.objectives.later(objective.label)}
              onClick={() => moveByButton(objective, position + 1, 'down')}
            >
              <Icon name="down" />
            </button>
            <button
              type="button"
              className={controls.iconButton}
              data-action="remove"
              aria-label={strings.objectives.remove(objective.label)}
              title={strings.objectives.remove(objective.label)}
              onClick={() => removeByButton(objective, position)}
            >
              <Icon name="close" />
            </button>
          </span>
        </li>
      ))}
    </ol>
  );
}

/** The prompt's text whole, its name set apart: `Honesty:` and `the response should not tell lies`. */
function Description({ objective: { description } }: { objective: Objective }) {
  const start = description.indexOf(':') + 1;
  return (
    <span className={styles.description}>
      <strong>{description.slice(0, start)}</strong> <span>{description.slice(start).trimStart()}</span>
    </span>
  );
}
