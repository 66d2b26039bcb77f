import { type FormEvent, useId, useState } from 'react';

import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './ObjectivePicker.module.css';

/** An objective in the visitor's own words. */
export function CustomObjectiveForm({ onDefine }: { onDefine: (name: string, description: string) => void }) {
  const id = useId();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [isChecked, setIsChecked] = useState(false);
  const nameFault = isChecked && name.trim() === '' ? strings.objectives.nameBlank : undefined;
  const descriptionFault = isChecked && description.trim() === '' ? strings.objectives.descriptionBlank : undefined;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const isComplete = name.trim() !== '' && description.trim() !== '';
    setIsChecked(!isComplete);
    if (!isComplete) return;
    onDefine(name, description);
    setName('');
    setDescription('');
  };

  return (
    <details className={controls.disclosure}>
      <summary>{strings.objectives.write}</summary>
      <form className={styles.form} onSubmit={submit} noValidate>
        <div className={styles.formFields}>
          <div className={controls.field}>
            <label className={controls.label} htmlFor={`${id}-name`}>
              {strings.objectives.name}
            </label>
            <input
              id={`${id}-name`}
              className={controls.input}
              value={name}
              placeholder={strings.objectives.namePlaceholder}
              maxLength={80}
              aria-invalid={nameFault !== undefined}
              aria-describedby={`${id}-name-fault`}
              onChange={(event) => setName(event.target.value)}
            />
            <p id={`${id}-name-fault`} className={controls.fault}>
              {nameFault}
            </p>
          </div>
          <div className={controls.field}>
            <label className={controls.label} htmlFor={`${id}-description`}>
              {strings.objectives.description}
            </label>
            <input
              id={`${id}-description`}
              className={controls.input}
              value={description}
              placeholder={strings.objectives.descriptionPlaceholder}
              maxLength={600}
              aria-invalid={descriptionFault !== undefined}
              aria-describedby={`${id}-description-fault ${id}-note`}
              onChange={(event) => setDescription(event.target.value)}
            />
            <p id={`${id}-description-fault`} className={controls.fault}>
              {descriptionFault}
            </p>
          </div>
        </div>
        <p id={`${id}-note`} className={controls.hint}>
          {strings.objectives.responsible}
        </p>
        <div>
          <button type="submit" className={controls.button}>
            {strings.objectives.add}
          </button>
        </div>
      </form>
    </details>
  );
}
