import { useId } from 'react';

import { CONTEXT_NAMES } from '../../align/prompt.ts';
import { draftTexts, isEdited, OWN_TEXT } from '../../state/draft-store.ts';
import { addTurnMarks, EXAMPLES, lacksTurnMarks } from '../../state/examples.ts';
import { useCurrentTemplate, useDraft } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './Playground.module.css';

/** The context and the answer to improve. */
export function TextEditors() {
  const id = useId();
  const template = useCurrentTemplate();
  const textId = useDraft((draft) => draft.textId);
  const texts = useDraft((draft) => draft.texts);
  const setContext = useDraft((draft) => draft.setContext);
  const setAnswer = useDraft((draft) => draft.setAnswer);
  const chooseText = useDraft((draft) => draft.chooseText);
  const restoreExample = useDraft((draft) => draft.restoreExample);
  const { context, answer } = draftTexts({ textId, texts }, template);

  return (
    <section className={styles.section} aria-labelledby={`${id}-title`}>
      <div className={styles.sectionHead}>
        <h2 id={`${id}-title`}>{strings.text.title}</h2>
        <div className={styles.example}>
          {isEdited({ textId, texts }) && (
            <button type="button" className={styles.link} onClick={restoreExample}>
              {strings.text.restore}
            </button>
          )}
          <label className={controls.visuallyHidden} htmlFor={`${id}-text`}>
            {strings.text.choose}
          </label>
          <select
            id={`${id}-text`}
            className={controls.select}
            value={textId}
            onChange={(event) => chooseText(event.target.value)}
          >
            <option value={OWN_TEXT}>{strings.text.own}</option>
            <optgroup label={strings.text.examples}>
              {EXAMPLES.map((example) => (
                <option key={example.id} value={example.id}>
                  {example.label}
                </option>
              ))}
            </optgroup>
          </select>
        </div>
      </div>
      {template === 'imhi' && <p className={controls.notice}>{strings.imhi}</p>}
      <div className={controls.field}>
        <div className={controls.labelLine}>
          <label className={controls.label} htmlFor={`${id}-context`}>
            {CONTEXT_NAMES[template]}
          </label>
          <p id={`${id}-context-hint`} className={controls.hint}>
            {strings.text.contextHint[template]}
          </p>
        </div>
        <textarea
          id={`${id}-context`}
          className={classNames(controls.textarea, styles.context)}
          value={context}
          rows={4}
          aria-describedby={`${id}-context-hint`}
          onChange={(event) => setContext(event.target.value)}
        />
        {lacksTurnMarks(context, template) && (
          <p className={styles.marks}>
            {strings.text.lacksMarks}{' '}
            <button type="button" className={styles.link} onClick={() => setContext(addTurnMarks(context))}>
              {strings.text.addMarks}
            </button>
          </p>
        )}
      </div>
      <div className={controls.field}>
        <div className={controls.labelLine}>
          <label className={controls.label} htmlFor={`${id}-answer`}>
            {strings.text.answer}
          </label>
          <p id={`${id}-answer-hint`} className={controls.hint}>
            {answer.trim() === '' ? strings.text.answerBlank : strings.text.answerHint}
          </p>
        </div>
        <textarea
          id={`${id}-answer`}
          className={classNames(controls.textarea, styles.answer)}
          value={answer}
          rows={6}
          aria-describedby={`${id}-answer-hint`}
          onChange={(event) => setAnswer(event.target.value)}
        />
      </div>
    </section>
  );
}
