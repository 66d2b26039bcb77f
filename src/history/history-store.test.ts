import 'fake-indexeddb/auto';
import { expect, it, vi } from 'vitest';

import { exampleEntry } from './history-entry.fixture.ts';
import { createHistoryStore } from './history-store.ts';

let stores = 0;
/** Two tabs on one database. */
function tabs() {
  const name = `history-${(stores += 1)}`;
  return [createHistoryStore(name), createHistoryStore(name)] as const;
}

it('lists the newest first', async () => {
  const [store] = tabs();
  await store.put([exampleEntry({ id: 'old', createdAt: 1 }), exampleEntry({ id: 'new', createdAt: 2 })]);
  expect((await store.list()).map(({ id }) => id)).toEqual(['new', 'old']);
  await store.remove(['new']);
  expect((await store.list()).map(({ id }) => id)).toEqual(['old']);
});

it('loses nothing when two tabs write at once', async () => {
  const [one, other] = tabs();
  await one.put([exampleEntry()]);
  await Promise.all([
    one.update('one', (entry) => ({ ...entry, isPinned: true })),
    other.update('one', (entry) => ({ ...entry, decisions: [[0, { type: 'rejected' }]] })),
    other.put([exampleEntry({ id: 'two' })]),
  ]);
  const entries = await one.list();
  expect(entries).toHaveLength(2);
  expect(entries.find(({ id }) => id === 'one')).toMatchObject({
    isPinned: true,
    decisions: [[0, { type: 'rejected' }]],
  });
});

it('does not bring back what another tab deleted', async () => {
  const [one, other] = tabs();
  await one.put([exampleEntry()]);
  await other.remove(['one']);
  await one.update('one', (entry) => ({ ...entry, isPinned: true }));
  expect(await one.list()).toEqual([]);
});

it('tells other tabs', async () => {
  const [one, other] = tabs();
  const heard = new Promise<void>((resolve) => other.onChange(resolve));
  await one.put([exampleEntry()]);
  await heard;
});

it('leaves a damaged record out and alone', async () => {
  const [store] = tabs();
  await store.put([exampleEntry(), { ...exampleEntry({ id: 'bad' }), edit: 3 as never }]);
  expect(await store.list()).toHaveLength(1);
});

it('says so where the browser keeps nothing', async () => {
  vi.stubGlobal('indexedDB', {
    open() {
      throw new DOMException('denied', 'SecurityError');
    },
  });
  await expect(createHistoryStore('denied').list()).rejects.toMatchObject({ code: 'storage-unavailable' });
  vi.unstubAllGlobals();
});
