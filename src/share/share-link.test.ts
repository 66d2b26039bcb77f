import fc from 'fast-check';
import { expect, it } from 'vitest';

import { exampleAlignment } from '../align/alignment.fixture.ts';
import { AlignError } from '../align/errors.ts';
import { readShareFragment, SHARE_PREFIX, writeShareFragment } from './share-link.ts';

const { request } = exampleAlignment();

it('carries a request, whatever its texts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), async (context, text) => {
      const shared = { ...request, context, answer: `x${text}` };
      const fragment = await writeShareFragment(shared);
      expect(fragment).toMatch(/^share=[\w-]+$/);
      expect(await readShareFragment(`#${fragment}`)).toEqual(shared);
    }),
    { numRuns: 50 },
  );
});

it('is short: repeated text costs little', async () => {
  const long = { ...request, answer: 'Water them twice a week. '.repeat(400) };
  expect((await writeShareFragment(long)).length).toBeLessThan(1000);
});

it('says that a cut link is cut, wherever it was', async () => {
  const fragment = await writeShareFragment(request);
  for (let length = SHARE_PREFIX.length; length < fragment.length - 3; length += 7) {
    await expect(readShareFragment(fragment.slice(0, length)), `${length} characters`).rejects.toThrow(
      /The link is damaged/,
    );
  }
});

it('refuses what unpacks to far more than a request', async () => {
  const bomb = { ...request, answer: 'x'.repeat(5_000_000) };
  await expect(readShareFragment(await writeShareFragment(bomb))).rejects.toThrow(/The link is damaged/);
});

it('ends in a typed error, whatever stands in the address', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.stringMatching(/^[\w-]{0,200}$/)), async (text) => {
      await expect(readShareFragment(SHARE_PREFIX + text)).rejects.toBeInstanceOf(AlignError);
    }),
  );
});
