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
}

/** The visitor's own text, beside the examples. */
export const OWN_TEXT = 'own';
/** The text that came from a link or from the history last. */
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
  /** Shows a request's texts and objectives. The visitor's own text and the examples stay as they are. */
  openRequest: (request: Pick<AlignRequest, 'context' | 'answer' | 'objectives'>) => void;
  /** Drops one of the visitor's own. */
  forgetObjective: (key: string) => void;
}

export type DraftStore = StoreApi<DraftState>;

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
            const own = objectives.filter(({ key }) => key.startsWith('custom:'));
            return {
              textId: OPENED_TEXT,
              texts: { ...texts, [OPENED_TEXT]: { context, answer } },
              objectiveKeys: objectives.map(({ key }) => key),
              customObjectives: [
                ...customObjectives.filter(({ key }) => !own.some((objective) => objective.key === key)),
                ...own,
              ],
            };
          }),
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
  return { texts: { ...texts, [textId]: { ...texts[textId], ...changed } } };
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
  return id === OWN_TEXT || id === OPENED_TEXT || EXAMPLES.some((example) => example.id === id);
}

function parseTexts(stored: object): Record<string, Texts> {
  const entries = Object.entries(stored).map(([id, value]: [string, unknown]) => {
    const { context, answer } = (value ?? {}) as Record<keyof Texts, unknown>;
    return [
      id,
      { ...(typeof context === 'string' && { context }), ...(typeof answer === 'string' && { answer }) },
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
