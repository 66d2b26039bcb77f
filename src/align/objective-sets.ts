import type { Objective } from './objectives.ts';

/** Ways to take several objectives apart, to see what each does to the edit. `added` is the paper's figure 4. */
export const SET_SCHEMES = ['together', 'alone', 'left-out', 'added'] as const;
export type SetScheme = (typeof SET_SCHEMES)[number];

export interface ObjectiveSet {
  /** Every scheme that asks for these objectives in this order. */
  schemes: SetScheme[];
  objectives: readonly Objective[];
}

/**
 * The sets that the schemes ask for, each once: alone and added begin with the same one.
 *
 * @param objectives  in the order chosen, which every set keeps
 */
export function objectiveSets(objectives: readonly Objective[], schemes: readonly SetScheme[]): ObjectiveSet[] {
  const sets = new Map<string, ObjectiveSet>();
  for (const scheme of SET_SCHEMES.filter((known) => schemes.includes(known))) {
    for (const set of setsOf(objectives, scheme)) {
      const key = JSON.stringify(set.map((objective) => objective.key));
      const known = sets.get(key);
      if (known === undefined) sets.set(key, { schemes: [scheme], objectives: set });
      else known.schemes.push(scheme);
    }
  }
  return [...sets.values()];
}

function setsOf(objectives: readonly Objective[], scheme: SetScheme): Objective[][] {
  switch (scheme) {
    case 'together':
      return objectives.length === 0 ? [] : [[...objectives]];
    case 'alone':
      return objectives.map((objective) => [objective]);
    case 'left-out':
      return objectives.length < 2 ? [] : objectives.map((left) => objectives.filter((one) => one !== left));
    case 'added':
      return objectives.map((_, i) => objectives.slice(0, i + 1));
    default:
      return scheme satisfies never;
  }
}
