import { type ClipboardEvent, useId, useRef, useState } from 'react';

import { formatDialogue, parsePasted, type PastedConversation } from '../../align/conversation.ts';
import { countOddCharacters, removeOddCharacters } from '../../align/odd-characters.ts';
import { MAX_TEXT_LENGTH } from '../../align/parse-fields.ts';
import { CONTEXT_NAMES, type TemplateId } from '../../align/prompt.ts';
import { Segmented } from '../../components/Segmented/Segmented.tsx';
import { SureButton } from '../../components/SureButton/SureButton.tsx';
import { draftTexts, isEdited, OPENED_TEXT, openedTexts, OWN_TEXT } from '../../state/draft-store.ts';
import { addTurnMarks, EXAMPLES, lacksTurnMarks } from '../../state/examples.ts';
import { useCurrentTemplate, useDraft, useSettings } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './Playground.module.css';
import { ShareButton } from './ShareButton.tsx';
import { TurnsEditor } from './TurnsEditor.tsx';
import { useCurrentRequest } from './use-current-request.ts';

const text = strings.text;

/** What became of a paste that was not taken as it is. */
type Pasted =
  | {
      kind: 'conversation';
      textId: string;
      conversation: PastedConversation;
      before: { context: string; answer: string };
    }
  | { kind: 'too-long'; length: number };

/** The context and the answer to improve. */
export function TextEditors() {
  const id = useId();
  const template = useCurrentTemplate();
  const textId = useDraft((draft) => draft.textId);
  const texts = useDraft((draft) => draft.texts);
  const setContext = useDraft((draft) => draft.setContext);
  const setAnswer = useDraft((draft) => draft.setAnswer);
  const contextForm = useSettings((settings) => settings.contextForm);
  const change = useSettings((settings) => settings.change);
  const [pasted, setPasted] = useState<Pasted | undefined>(undefined);
  const { context, answer } = draftTexts({ textId, texts }, template);
  const hasTurns = template === 'hh-rlhf' && contextForm === 'turns';

  const write = (set: (value: string) => void) => (value: string) => {
    if (value.length > MAX_TEXT_LENGTH) setPasted({ kind: 'too-long', length: value.length });
    else {
      setPasted(undefined);
      set(value);
    }
  };
  const onPaste = (event: ClipboardEvent) => {
    const clipboard = event.clipboardData.getData('text/plain');
    if (clipboard.length > MAX_TEXT_LENGTH) {
      // Told before it arrives: laying out megabytes in a field takes the browser a minute.
      event.preventDefault();
      setPasted({ kind: 'too-long', length: clipboard.length });
      return;
    }
    const conversation = parsePasted(clipboard);
    if (conversation === undefined) return;
    event.preventDefault();
    setContext(contextOf(conversation, template));
    if (conversation.answer !== undefined) setAnswer(conversation.answer);
    setPasted({ kind: 'conversation', textId, conversation, before: { context, answer } });
  };
  const undoPaste = ({ context: contextBefore, answer: answerBefore }: { context: string; answer: string }) => {
    setContext(contextBefore);
    setAnswer(answerBefore);
    setPasted(undefined);
  };

  return (
    <section className={styles.section} aria-labelledby={`${id}-title`}>
      <div className={styles.sectionHead}>
        <h2 id={`${id}-title`}>{text.title}</h2>
        <TextChoice id={`${id}-text`} onChoose={() => setPasted(undefined)} />
      </div>
      {template === 'imhi' && <p className={controls.notice}>{strings.imhi}</p>}
      {pasted?.kind === 'conversation' && pasted.textId === textId && (
        <p className={controls.hint} role="status">
          {text.pasted(pasted.conversation.turns.length, pasted.conversation.answer !== undefined)}
          {pasted.conversation.leftOut > 0 && ` ${text.pastedLeftOut(pasted.conversation.leftOut)}`}{' '}
          <button type="button" className={styles.link} onClick={() => undoPaste(pasted.before)}>
            {text.pastedUndo}
          </button>
        </p>
      )}
      {pasted?.kind === 'too-long' && (
        <p className={controls.fault} role="alert">
          {text.tooLong(pasted.length, MAX_TEXT_LENGTH)}
        </p>
      )}
      <div className={controls.field}>
        <div className={controls.labelLine}>
          <label className={controls.label} htmlFor={`${id}-context`} id={`${id}-context-label`}>
            {CONTEXT_NAMES[template]}
          </label>
          <p id={`${id}-context-hint`} className={controls.hint}>
            {text.contextHint[template]}
          </p>
          {template === 'hh-rlhf' && (
            <div className={styles.contextForm}>
              <Segmented
                label={text.contextForm}
                segments={(['text', 'turns'] as const).map((value) => ({ value, label: text.contextForms[value] }))}
                value={contextForm}
                onChange={(form) => change({ contextForm: form })}
              />
            </div>
          )}
        </div>
        {hasTurns ? (
          <div role="group" aria-labelledby={`${id}-context-label`} onPaste={onPaste}>
            <TurnsEditor context={context} onChange={write(setContext)} />
          </div>
        ) : (
          <textarea
            id={`${id}-context`}
            className={classNames(controls.textarea, styles.context)}
            value={context}
            rows={4}
            dir="auto"
            aria-describedby={`${id}-context-hint`}
            onPaste={onPaste}
            onChange={(event) => write(setContext)(event.target.value)}
          />
        )}
        {lacksTurnMarks(context, template) && (
          <p className={styles.marks}>
            {text.lacksMarks}{' '}
            <button type="button" className={styles.link} onClick={() => setContext(addTurnMarks(context))}>
              {text.addMarks}
            </button>
          </p>
        )}
        <OddCharacters value={context} onClean={setContext} />
      </div>
      <div className={controls.field}>
        <div className={controls.labelLine}>
          <label className={controls.label} htmlFor={`${id}-answer`}>
            {text.answer}
          </label>
          <p id={`${id}-answer-hint`} className={controls.hint}>
            {answer.trim() === '' ? text.answerBlank : text.answerHint}
          </p>
        </div>
        <textarea
          id={`${id}-answer`}
          className={classNames(controls.textarea, styles.answer)}
          value={answer}
          rows={6}
          dir="auto"
          aria-describedby={`${id}-answer-hint`}
          onPaste={onPaste}
          onChange={(event) => write(setAnswer)(event.target.value)}
        />
        <OddCharacters value={answer} onClean={setAnswer} />
      </div>
    </section>
  );
}

/** A conversation as the family's context: only HH-RLHF's models read marked turns, others one question. */
function contextOf({ turns }: PastedConversation, template: TemplateId): string {
  const [first] = turns;
  if (template !== 'hh-rlhf' && turns.length === 1 && first !== undefined) return first.text;
  return formatDialogue(turns);
}

function TextChoice({ id, onChoose }: { id: string; onChoose: () => void }) {
  const textId = useDraft((draft) => draft.textId);
  const texts = useDraft((draft) => draft.texts);
  const chooseText = useDraft((draft) => draft.chooseText);
  const restoreExample = useDraft((draft) => draft.restoreExample);
  const forgetText = useDraft((draft) => draft.forgetText);
  const opened = openedTexts({ textId, texts });
  const choice = useRef<HTMLSelectElement>(null);
  const request = useCurrentRequest();
  return (
    <div className={styles.example}>
      {isEdited({ textId, texts }) && (
        <button type="button" className={styles.link} onClick={restoreExample}>
          {text.restore}
        </button>
      )}
      {opened.includes(textId) && (
        <SureButton
          className={styles.link}
          question={texts[textId]?.isChanged === true ? text.forgetSure : undefined}
          sure={strings.storage.remove}
          onSure={() => {
            forgetText(textId);
            choice.current?.focus();
          }}
        >
          {text.forget}
        </SureButton>
      )}
      <ShareButton request={request} />
      <label className={controls.visuallyHidden} htmlFor={id}>
        {text.choose}
      </label>
      <select
        ref={choice}
        id={id}
        className={controls.select}
        value={textId}
        onChange={(event) => {
          onChoose();
          chooseText(event.target.value);
        }}
      >
        <option value={OWN_TEXT}>{text.own}</option>
        {opened.map((id) => (
          <option key={id} value={id}>
            {text.opened(id === OPENED_TEXT ? undefined : Number(id.slice(OPENED_TEXT.length + 1)))}
          </option>
        ))}
        <optgroup label={text.examples}>
          {EXAMPLES.map((example) => (
            <option key={example.id} value={example.id}>
              {text.exampleNames[example.id]}
            </option>
          ))}
        </optgroup>
      </select>
    </div>
  );
}

/** What a reader does not see but the model reads. */
function OddCharacters({ value, onClean }: { value: string; onClean: (value: string) => void }) {
  const counts = countOddCharacters(value);
  if (counts === undefined) return null;
  return (
    <p className={styles.marks}>
      {text.odd(counts)}{' '}
      <button type="button" className={styles.link} onClick={() => onClean(removeOddCharacters(value))}>
        {text.removeOdd}
      </button>
    </p>
  );
}
