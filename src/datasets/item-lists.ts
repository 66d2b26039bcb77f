import { AlignError } from '../align/errors.ts';
import type { SeededRandom } from '../align/random.ts';
import { type Edit, shuffled } from './training-item.ts';

/** As the reference's: items that the train split keeps for validation, instructions of UltraFeedback's test set. */
export const HELD_OUT = 15_000;

/** Which of the reference's files are made: of its train split, or of its test split. */
export const ITEM_SPLITS = ['train', 'test'] as const;
export type ItemSplit = (typeof ITEM_SPLITS)[number];

/** Some items of one list, for a file. */
export interface ItemList {
  /** Below the folder, without the format's ending: `no_equal/train`. */
  name: string;
  relation: Edit['relation'];
  /** Places of the items among those of their relation. */
  order: readonly number[];
}

/**
 * Which items go where: those towards something better are shuffled, those between equals lie as they came.
 *
 * @param counts   items of each relation
 * @param valSize  of the train split, the items kept for validation
 * @throws AlignError `invalid-request` when none is left to train on
 */
export function itemLists(
  split: ItemSplit,
  counts: Readonly<Record<Edit['relation'], number>>,
  valSize: number,
  random: SeededRandom,
): ItemList[] {
  const order = shuffled([...Array(counts.better).keys()], random);
  const equal = { relation: 'equal', order: [...Array(counts.equal).keys()] } as const;
  if (split === 'test') {
    return [
      { name: 'no_equal/test', relation: 'better', order },
      { name: 'all_equal/val', ...equal },
    ];
  }
  if (order.length <= valSize) {
    throw new AlignError(
      'invalid-request',
      `There are ${order.length} items and ${valSize} are kept for validation, so none is left to ` +
        'train on. Choose a smaller validation size.',
      { details: { items: order.length, valSize } },
    );
  }
  return [
    { name: 'no_equal/val', relation: 'better', order: order.slice(0, valSize) },
    { name: 'no_equal/train', relation: 'better', order: order.slice(valSize) },
    { name: 'all_equal/train', ...equal },
  ];
}
