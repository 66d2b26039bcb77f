import { createStore, type StoreApi } from 'zustand/vanilla';
import { persist } from 'zustand/middleware';

import { customObjective, findObjective, isTrainedObjective, type Objective, OBJECTIVES } from '../align/objectives.ts';
import type { TemplateId } from '../align/prompt.ts';
import { contextOfQuestion, type Example, EXAMPLES } from './examples.ts';
import { createStorage, type OnWriteFailed } from './storage.ts';

/** What the visitor writes. It is kept as they type and is there again after a reload. */
export interface Draft {
  /** The example that fills context and answer while they are undefined. */
  exampleId: string;
  /** Undefined: the example's, in the form of the model's family. */
  context: string | undefined;
  answer: string | undefined;
  /** In the order chosen. Undefined: the ones that the model's family was trained on. */
  objectiveKeys: readonly string[] | undefined;
  /** In the visitor's own words; chosen or not. */
  customObjectives: readonly Objective[];
}

export interface DraftState extends Draft {
  setContext: (context: string) => void;
  setAnswer: (answer: string) => void;
  /** Replaces context and answer. */
  fillExample: (id: string) => void;
  /** Replaces the list, which is read with {@link chosenObjectives}. */
  setObjectives: (keys: readonly string[]) => void;
  /**
   * A name that is taken is redefined.
   *
   * @returns the objective, not chosen yet
   * @throws AlignError `invalid-request` if name or description is blank
   */
  defineObjective: (name: string, description: string) => Objective;
  /** Drops one of the visitor's own. */
  forgetObjective: (key: string) => void;
}

export type DraftStore = StoreApi<DraftState>;

export function createDraftStore(area: Storage | undefined, onWriteFailed: OnWriteFailed): DraftStore {
  return createStore<DraftState>()(
    persist(
      (set) => ({
        ...EMPTY_DRAFT,
        setContext: (context) => set({ context }),
        setAnswer: (answer) => set({ answer }),
        fillExample: (exampleId) => set({ exampleId, context: undefined, answer: undefined }),
        setObjectives: (keys) => set({ objectiveKeys: [...new Set(keys)] }),
        defineObjective: (name, description) => {
          const objective = customObjective(name, description);
          set(({ customObjectives }) => ({
            customObjectives: [...customObjectives.filter(({ key }) => key !== objective.key), objective],
          }));
          return objective;
        },
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
        partialize: ({ exampleId, context, answer, objectiveKeys, customObjectives }) => ({
          exampleId,
          context,
          answer,
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
  exampleId: EXAMPLES[0].id,
  context: undefined,
  answer: undefined,
  objectiveKeys: undefined,
  customObjectives: [],
};

/** What was stored may be damaged: each field that does not fit is left out, the texts are saved if at all possible. */
function parseDraft(stored: unknown): Partial<Draft> {
  if (typeof stored !== 'object' || stored === null) return {};
  const { exampleId, context, answer, objectiveKeys, customObjectives } = stored as Partial<
    Record<keyof Draft, unknown>
  >;
  return {
    ...(typeof exampleId === 'string' && { exampleId }),
    ...(typeof context === 'string' && { context }),
    ...(typeof answer === 'string' && { answer }),
    ...(Array.isArray(objectiveKeys) && { objectiveKeys: objectiveKeys.filter((key) => typeof key === 'string') }),
    ...(Array.isArray(customObjectives) && { customObjectives: customObjectives.filter(isObjective) }),
  };
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
  { exampleId, context, answer }: Pick<Draft, 'exampleId' | 'context' | 'answer'>,
  template: TemplateId,
): { context: string; answer: string } {
  const example: Example = EXAMPLES.find(({ id }) => id === exampleId) ?? EXAMPLES[0];
  return {
    context: context ?? contextOfQuestion(example.question, template),
    answer: answer ?? example.answer,
  };
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
