import { describe, expect, it } from 'vitest';

import { FakeStorage } from './fake-client.fixture.ts';
import { createServerKeys } from './server-keys.ts';

const URL = 'http://127.0.0.1:4320';

describe('a server’s key', () => {
  it('stays with its tab, and nowhere else, unless it is to be remembered', () => {
    const [tab, shared] = [new FakeStorage(), new FakeStorage()];
    const keys = createServerKeys(tab, shared, console.error);
    keys.keep(URL, 'secret', false);
    expect(shared.length).toBe(0);
    expect(keys.isRemembered(URL)).toBe(false);
    // After a reload it is there, in another tab it is not.
    expect(createServerKeys(tab, shared, console.error).keyOf(URL)).toBe('secret');
    expect(createServerKeys(new FakeStorage(), shared, console.error).keyOf(URL)).toBeUndefined();

    keys.keep(URL, 'secret', true);
    expect(tab.length).toBe(0);
    expect(createServerKeys(new FakeStorage(), shared, console.error).keyOf(URL)).toBe('secret');
    expect(keys.isRemembered(URL)).toBe(true);

    keys.keep(URL, 'other', false);
    expect(shared.length).toBe(0);
    expect(keys.keyOf(URL)).toBe('other');
  });

  it('is for its own address alone', () => {
    const keys = createServerKeys(new FakeStorage(), new FakeStorage(), console.error);
    keys.keep(URL, 'secret', false);
    for (const other of ['http://127.0.0.1:4321', 'https://127.0.0.1:4320', `${URL}/x`]) {
      expect(keys.keyOf(other)).toBeUndefined();
    }
  });

  it('is gone from every place once it is forgotten', () => {
    const [tab, shared] = [new FakeStorage(), new FakeStorage()];
    const keys = createServerKeys(tab, shared, console.error);
    for (const remembers of [true, false]) {
      keys.keep(URL, 'secret', remembers);
      keys.keep('http://127.0.0.1:9', 'kept', remembers);
      keys.forget(URL);
      expect(keys.keyOf(URL)).toBeUndefined();
      expect(JSON.stringify([[...tab.values], [...shared.values]])).not.toContain('secret');
      expect(keys.keyOf('http://127.0.0.1:9')).toBe('kept');
    }
  });

  it('is there for this page where the browser keeps nothing, which is told where it was to be remembered', () => {
    const failures: unknown[] = [];
    const keys = createServerKeys(undefined, undefined, (error) => failures.push(error));
    keys.keep(URL, 'secret', false);
    expect(keys.keyOf(URL)).toBe('secret');
    expect(failures).toHaveLength(0);
    keys.keep(URL, 'secret', true);
    expect(keys.keyOf(URL)).toBe('secret');
    expect(failures).toHaveLength(1);
  });

  it('does not fail of what is stored damaged', () => {
    const shared = new FakeStorage();
    for (const text of ['{', '3', 'null', '{"http://127.0.0.1:4320":7}']) {
      shared.setItem('metaaligner-server-keys', text);
      expect(createServerKeys(undefined, shared, console.error).keyOf(URL)).toBeUndefined();
    }
  });
});
