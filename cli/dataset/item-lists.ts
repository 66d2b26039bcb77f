import { join } from 'node:path';
import { ITEM_EXTENSIONS, type ItemFormat } from '../../src/datasets/item-format.ts';
import type { ItemList } from '../../src/datasets/item-lists.ts';
import { type Edit, toTrainingItem } from '../../src/datasets/training-item.ts';
import { ItemStore } from './item-store.ts';

/** Items by how many objectives their prompt names. */
export type ItemCounts = Record<Edit['relation'], Record<number, number>>;

/** The items of both lists, numbered together as they come, and what there are of them. */
export class ItemLists {
  readonly better: ItemStore;
  readonly equal: ItemStore;
  readonly counts: ItemCounts = { better: {}, equal: {} };
  #nextId = 0;

  static async create(directory: string): Promise<ItemLists> {
    return new ItemLists(await ItemStore.create(directory, 'no_equal'), await ItemStore.create(directory, 'all_equal'));
  }

  private constructor(better: ItemStore, equal: ItemStore) {
    this.better = better;
    this.equal = equal;
  }

  async add(edit: Edit): Promise<void> {
    const item = toTrainingItem(this.#nextId++, edit);
    const counts = this.counts[edit.relation];
    counts[edit.objectives.length] = (counts[edit.objectives.length] ?? 0) + 1;
    await (edit.relation === 'equal' ? this.equal : this.better).add(item);
  }

  /** Items of each relation. */
  get sizes(): Record<Edit['relation'], number> {
    return { better: this.better.count, equal: this.equal.count };
  }

  /** @returns how many items are in each file, for the report */
  async write(
    lists: readonly ItemList[],
    { to, format }: { to: string; format: ItemFormat },
  ): Promise<Record<string, number>> {
    const { writeItems } = await import('./write-items.ts');
    const counts: Record<string, number> = {};
    for (const { name, relation, order } of lists) {
      const store = relation === 'equal' ? this.equal : this.better;
      const path = `${name}.${ITEM_EXTENSIONS[format]}`;
      await writeItems(join(to, path), await store.read(order), format);
      counts[path] = order.length;
    }
    return counts;
  }

  async discard(): Promise<void> {
    await this.better.discard();
    await this.equal.discard();
  }
}

export function sumOf(counts: Record<number, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
