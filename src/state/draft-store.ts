import { createStore, type StoreApi } from 'zustand/vanilla';
import { persist } from 'zustand/middleware';

import { customObjective, findObjective, isTrainedObjective, type Objective, OBJECTIVES } from '../align/objectives.ts';
import type { TemplateId } from '../align/prompt.ts';
import type { AlignRequest } from '../align/request.ts';
import { contextOfQuestion, EXAMPLE_IDS, EXAMPLES } from './examples.ts';
import { createStorage, type OnWriteFailed, type StorageArea } from './storage.ts';

/** A context and an answer. Undefined: as the example has them, in the form of the model's family. */
interface Texts {
  context?: string | undefined;
  answer?: string | undefined;
  /** Of an opened text: the visitor wrote in it, so the next one that is opened does not take its place. */
  isChanged?: boolean | undefined;
}

/** The visitor's own text, beside the examples. */
export const OWN_TEXT = 'own';
/** The text that came from a link or from the history last. Earlier ones that the visitor changed are `opened-2` … */
export const OPENED_TEXT = 'opened';

/** What the visitor writes. It is kept as they type and is there again after a reload. */
export interface Draft {
  /** Which text is on the page: an example's id, or `OWN_TEXT`. */
  textId: string;
  /** By text id, what the visitor wrote there. Turning to another text loses nothing. */
  texts: Readonly<Record<string, Texts>>;
  /** In the order chosen. Undefined: the ones that the model's family was trained on. */
  objectiveKeys: readonly string[] | undefined;
  /** In the visitor's own words; chosen or not. */
  customObjectives: readonly Objective[];
}

export interface DraftState extends Draft {
  setContext: (context: string) => void;
  setAnswer: (answer: string) => void;
  /** Turns to another text; an example brings the objectives that it shows well. */
  chooseText: (textId: string) => void;
  /** What the visitor changed in the example goes. */
  restoreExample: () => void;
  /** Replaces the list, which is read with {@link chosenObjectives}. */
  setObjectives: (keys: readonly string[]) => void;
  /**
   * A name that is taken is redefined.
   *
   * @returns the objective, not chosen yet
   * @throws AlignError `invalid-request` if name or description is blank
   */
  defineObjective: (name: string, description: string) => Objective;
  /**
   * Shows a request's texts and objectives. The visitor's own text, the examples and opened texts that they changed
   * stay; an objective that has the name of one of theirs and says something else is added beside it.
   */
  openRequest: (request: Pick<AlignRequest, 'context' | 'answer' | 'objectives'>) => void;
  /** Drops an opened text; the visitor's own is shown in its place. */
  forgetText: (textId: string) => void;
  /** Drops one of the visitor's own. */
  forgetObjective: (key: string) => void;
}

export type DraftStore = StoreApi<DraftState>;

/** @param area  of the draft itself; one tab's is merged into what others wrote with {@link mergeDrafts} */
export function createDraftStore(area: StorageArea | undefined, onWriteFailed: OnWriteFailed): DraftStore {
  return createStore<DraftState>()(
    persist(
      (set) => ({
        ...EMPTY_DRAFT,
        setContext: (context) => set((draft) => withTexts(draft, { context })),
        setAnswer: (answer) => set((draft) => withTexts(draft, { answer })),
        chooseText: (textId) =>
          set(({ objectiveKeys }) => {
            const example = EXAMPLES.find(({ id }) => id === textId);
            return { textId, objectiveKeys: example === undefined ? objectiveKeys : example.objectiveKeys };
          }),
        restoreExample: () => set(({ textId, texts }) => ({ texts: { ...texts, [textId]: {} } })),
        setObjectives: (keys) => set({ objectiveKeys: [...new Set(keys)] }),
        defineObjective: (name, description) => {
          const objective = customObjective(name, description);
          set(({ customObjectives }) => ({
            customObjectives: [...customObjectives.filter(({ key }) => key !== objective.key), objective],
          }));
          return objective;
        },
        openRequest: ({ context, answer, objectives }) =>
          set(({ texts, customObjectives }) => {
            const { custom, keys } = withOpenedObjectives(customObjectives, objectives);
            return {
              textId: OPENED_TEXT,
              texts: { ...withOpenedKept(texts), [OPENED_TEXT]: { context, answer } },
              objectiveKeys: [...new Set(keys)],
              customObjectives: custom,
            };
          }),
        forgetText: (textId) =>
          set(({ textId: shown, texts: { [textId]: _dropped, ...texts } }) => ({
            textId: shown === textId ? OWN_TEXT : shown,
            texts,
          })),
        forgetObjective: (key) =>
          set(({ customObjectives, objectiveKeys }) => ({
            customObjectives: customObjectives.filter((custom) => custom.key !== key),
            objectiveKeys: objectiveKeys?.filter((chosen) => chosen !== key),
          })),
      }),
      {
        name: 'metaaligner-draft',
        version: 1,
        storage: createStorage<Draft>(area, onWriteFailed),
        partialize: ({ textId, texts, objectiveKeys, customObjectives }) => ({
          textId,
          texts,
          objectiveKeys,
          customObjectives,
        }),
        migrate: (stored) => stored as Draft,
        merge: (stored, current) => ({ ...current, ...parseDraft(stored) }),
      },
    ),
  );
}

const EMPTY_DRAFT: Draft = {
  textId: EXAMPLE_IDS[0],
  texts: {},
  objectiveKeys: undefined,
  customObjectives: [],
};

function withTexts({ textId, texts }: Draft, changed: Texts): Pick<Draft, 'texts'> {
  const isChanged = isOpenedText(textId) ? { isChanged: true } : {};
  return { texts: { ...texts, [textId]: { ...texts[textId], ...changed, ...isChanged } } };
}

/** The opened texts there are, the latest first. */
export function openedTexts({ textId, texts }: Pick<Draft, 'textId' | 'texts'>): string[] {
  return [...new Set([...Object.keys(texts), textId])].filter(isOpenedText).sort((one, other) => {
    return one.localeCompare(other, 'en', { numeric: true });
  });
}

function isOpenedText(id: string): boolean {
  return id === OPENED_TEXT || /^opened-\d+$/.test(id);
}

/** An opened text that the visitor changed moves to a name of its own. */
function withOpenedKept(texts: Draft['texts']): Draft['texts'] {
  const opened = texts[OPENED_TEXT];
  return opened?.isChanged === true
    ? { ...texts, [firstFree('opened-', (id) => texts[id] === undefined)]: opened }
    : texts;
}

/** Objectives that came from elsewhere beside the visitor's own. A key that is theirs with other words gets a number. */
function withOpenedObjectives(own: readonly Objective[], opened: readonly Objective[]) {
  const custom = [...own];
  const keys = opened.map((objective) => {
    if (!objective.key.startsWith('custom:')) return objective.key;
    const known = custom.find(
      ({ label, description }) => label === objective.label && description === objective.description,
    );
    if (known !== undefined) return known.key;
    const isFree = (key: string) => custom.every((one) => one.key !== key);
    const key = isFree(objective.key) ? objective.key : firstFree(`${objective.key} `, isFree);
    custom.push({ ...objective, key });
    return key;
  });
  return { custom, keys };
}

function firstFree(prefix: string, isFree: (name: string) => boolean): string {
  let number = 2;
  while (!isFree(`${prefix}${number}`)) number += 1;
  return `${prefix}${number}`;
}

/** What was stored may be damaged: each field that does not fit is left out, the texts are saved if at all possible. */
function parseDraft(stored: unknown): Partial<Draft> {
  if (typeof stored !== 'object' || stored === null) return {};
  const { textId, texts, objectiveKeys, customObjectives } = stored as Partial<Record<keyof Draft, unknown>>;
  return {
    ...(typeof textId === 'string' && isTextId(textId) && { textId }),
    ...(typeof texts === 'object' && texts !== null && { texts: parseTexts(texts) }),
    ...(Array.isArray(objectiveKeys) && { objectiveKeys: objectiveKeys.filter((key) => typeof key === 'string') }),
    ...(Array.isArray(customObjectives) && { customObjectives: customObjectives.filter(isObjective) }),
  };
}

function isTextId(id: string): boolean {
  return id === OWN_TEXT || isOpenedText(id) || EXAMPLES.some((example) => example.id === id);
}

function parseTexts(stored: object): Record<string, Texts> {
  const entries = Object.entries(stored).map(([id, value]: [string, unknown]) => {
    const { context, answer, isChanged } = (value ?? {}) as Record<keyof Texts, unknown>;
    return [
      id,
      {
        ...(typeof context === 'string' && { context }),
        ...(typeof answer === 'string' && { answer }),
        ...(isChanged === true && { isChanged }),
      },
    ] as const;
  });
  return Object.fromEntries(entries);
}

function isObjective(value: unknown): value is Objective {
  const { key, label, description } = (value ?? {}) as Partial<Record<keyof Objective, unknown>>;
  return (
    typeof key === 'string' &&
    key.startsWith('custom:') &&
    typeof label === 'string' &&
    typeof description === 'string' &&
    description.trim() !== ''
  );
}

/**
 * What a new tab begins with, after one of several tabs wrote: texts and own objectives that this tab changed since it
 * wrote last are its own, all others stay as other tabs left them.
 *
 * @param before  as this tab wrote last; stored forms, as for the other two
 */
export function mergeDrafts(shared: string | null, before: string | null, written: string): string {
  const [others, last, now] = [parseStored(shared), parseStored(before), parseStored(written)];
  if (others === undefined || last === undefined || now === undefined) return written;
  const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
  const texts: Record<string, Texts> = {};
  for (const id of new Set([...Object.keys(others.texts), ...Object.keys(now.texts)])) {
    const isTheirs = isSame(last.texts[id], now.texts[id]);
    const text = (isTheirs ? others : now).texts[id];
    if (text !== undefined) texts[id] = text;
  }
  // Opened here and there: both stay.
  const theirs = others.texts[OPENED_TEXT];
  const isOpenedTwice = theirs?.isChanged === true && !isSame(theirs, last.texts[OPENED_TEXT]);
  if (
    isOpenedTwice &&
    !isSame(theirs, texts[OPENED_TEXT]) &&
    !Object.values(texts).some((one) => isSame(one, theirs))
  ) {
    texts[firstFree('opened-', (id) => texts[id] === undefined)] = theirs;
  }
  const isIn = (list: readonly Objective[], objective: Objective) => list.some((one) => isSame(one, objective));
  const added = now.customObjectives.filter((objective) => !isIn(last.customObjectives, objective));
  const dropped = last.customObjectives.filter((objective) => !isIn(now.customObjectives, objective));
  const kept = others.customObjectives.filter((objective) => !isIn(dropped, objective));
  const { custom } = withOpenedObjectives(kept, added);
  const state = { ...now, texts, customObjectives: custom };
  return JSON.stringify({ ...(JSON.parse(written) as object), state });
}

function parseStored(stored: string | null): Draft | undefined {
  if (stored === null) return EMPTY_DRAFT;
  try {
    const { state } = JSON.parse(stored) as { state: unknown };
    return { ...EMPTY_DRAFT, ...parseDraft(state) };
  } catch {
    return undefined;
  }
}

/** The texts as the page shows them and the aligner gets them. */
export function draftTexts(
  { textId, texts }: Pick<Draft, 'textId' | 'texts'>,
  template: TemplateId,
): { context: string; answer: string } {
  const { context, answer } = texts[textId] ?? {};
  const example = EXAMPLES.find(({ id }) => id === textId);
  return {
    context: context ?? (example === undefined ? '' : contextOfQuestion(example.question, template)),
    answer: answer ?? example?.answer ?? '',
  };
}

/** Whether the visitor changed an example's text. */
export function isEdited({ textId, texts }: Pick<Draft, 'textId' | 'texts'>): boolean {
  const { context, answer } = texts[textId] ?? {};
  return EXAMPLES.some(({ id }) => id === textId) && (context !== undefined || answer !== undefined);
}

/** The chosen objectives in order, with the family's own descriptions. */
export function chosenObjectives(
  { objectiveKeys, customObjectives }: Pick<Draft, 'objectiveKeys' | 'customObjectives'>,
  template: TemplateId,
): Objective[] {
  const keys = objectiveKeys ?? OBJECTIVES.map(({ key }) => key).filter((key) => isTrainedObjective(key, template));
  return keys.flatMap((key) => {
    const custom = customObjectives.find((objective) => objective.key === key);
    if (custom !== undefined) return [custom];
    // A key of another release is dropped rather than refused: the visitor sees what is chosen.
    return OBJECTIVES.some((known) => known.key === key) ? [findObjective(key, template)] : [];
  });
}

/** The list with one objective at another place. Positions beyond the ends are the ends. */
export function movedTo(keys: readonly string[], key: string, position: number): string[] {
  const others = keys.filter((other) => other !== key);
  const at = Math.min(Math.max(position, 0), others.length);
  return [...others.slice(0, at), key, ...others.slice(at)];
}
