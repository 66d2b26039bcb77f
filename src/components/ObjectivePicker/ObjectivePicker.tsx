import { useState } from 'react';

import { findObjective, isTrainedObjective, type Objective, OBJECTIVES } from '../../align/objectives.ts';
import type { TemplateId } from '../../align/prompt.ts';
import { movedTo } from '../../state/draft-store.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import { Icon } from '../Icon/Icon.tsx';
import { ChosenObjectives } from './ChosenObjectives.tsx';
import { CustomObjectiveForm } from './CustomObjectiveForm.tsx';
import styles from './ObjectivePicker.module.css';

interface ObjectivePickerProps {
  /** In the order of the prompt. */
  chosen: readonly Objective[];
  customObjectives: readonly Objective[];
  template: TemplateId;
  onChange: (keys: readonly string[]) => void;
  /** @throws AlignError if name or description is blank */
  onDefine: (name: string, description: string) => Objective;
  onForget: (key: string) => void;
}

/** Objectives as chips to switch on and off, and the chosen ones as a list to put in order. */
export function ObjectivePicker(props: ObjectivePickerProps) {
  const { chosen, customObjectives, template, onChange, onDefine, onForget } = props;
  /** Read out after a change that is seen but not heard. */
  const [announcement, setAnnouncement] = useState('');
  const keys = chosen.map(({ key }) => key);
  const published = OBJECTIVES.map(({ key }) => findObjective(key, template));
  const trained = published.filter(({ key }) => isTrainedObjective(key, template));
  const unseen = published.filter(({ key }) => !isTrainedObjective(key, template));

  const remove = ({ key, label }: Objective) => {
    onChange(keys.filter((other) => other !== key));
    setAnnouncement(strings.objectives.removed(label));
  };
  const add = ({ key, label }: Objective) => {
    onChange([...keys, key]);
    setAnnouncement(strings.objectives.added(label, keys.length + 1));
  };
  const move = ({ key, label }: Objective, position: number) => {
    onChange(movedTo(keys, key, position));
    setAnnouncement(strings.objectives.moved(label, position + 1, keys.length));
  };
  const chips = { keys, onAdd: add, onRemove: remove };

  return (
    <div className={styles.picker}>
      <ChosenObjectives chosen={chosen} onMove={move} onRemove={remove} />
      <Chips {...chips} label={strings.objectives.trained(template)} objectives={trained} />
      <Chips {...chips} label={strings.objectives.unseen} objectives={unseen} />
      {customObjectives.length > 0 && (
        <Chips {...chips} label={strings.objectives.own} objectives={customObjectives} onForget={onForget} />
      )}
      <CustomObjectiveForm onDefine={(name, description) => add(onDefine(name, description))} />
      <p className={controls.visuallyHidden} role="status">
        {announcement}
      </p>
    </div>
  );
}

interface ChipsProps {
  label: string;
  objectives: readonly Objective[];
  /** Of the chosen ones, in order. */
  keys: readonly string[];
  onAdd: (objective: Objective) => void;
  onRemove: (objective: Objective) => void;
  onForget?: (key: string) => void;
}

function Chips({ label, objectives, keys, onAdd, onRemove, onForget }: ChipsProps) {
  return (
    <div className={styles.group} role="group" aria-label={label}>
      <p className={styles.groupLabel}>{label}</p>
      <ul className={styles.chips}>
        {objectives.map((objective) => {
          const isChosen = keys.includes(objective.key);
          return (
            <li key={objective.key} className={styles.chipItem}>
              <button
                type="button"
                className={styles.chip}
                aria-pressed={isChosen}
                title={objective.description}
                onClick={() => (isChosen ? onRemove(objective) : onAdd(objective))}
              >
                <Icon name={isChosen ? 'check' : 'plus'} />
                {chipLabel(objective)}
              </button>
              {onForget !== undefined && (
                <button
                  type="button"
                  className={controls.iconButton}
                  aria-label={strings.objectives.forget(chipLabel(objective))}
                  title={strings.objectives.forget(chipLabel(objective))}
                  onClick={() => onForget(objective.key)}
                >
                  <Icon name="close" />
                </button>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Of two own objectives that have one name, the later has a number in its key. */
function chipLabel({ key, label }: Objective): string {
  return key.startsWith('custom:') ? key.slice('custom:'.length) : label;
}
