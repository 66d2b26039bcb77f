import { afterEach, expect, it, vi } from 'vitest';

import { AlignError } from '../align/errors.ts';
import { explainFailure } from './explain-failure.ts';

afterEach(() => vi.unstubAllGlobals());

const page = { origin: 'http://page.example', blockedOrigins: new Set<string>() };
const refused = new AlignError('key-refused', 'It refused the key (403).', { details: { status: 403 } });

/** @param healthStatus  what the server's /healthz answers */
function explained(url: string, healthStatus: number, hasKey = true): Promise<unknown> {
  vi.stubGlobal('fetch', async () => new Response('', { status: healthStatus }));
  return explainFailure(refused, { url, hasKey, page });
}

it('takes a 403 for an unknown name only where the server’s health is kept from it as well', async () => {
  expect(await explained('http://aligner.example', 403)).toMatchObject({
    code: 'call-not-allowed',
    message: expect.stringContaining('“--allow-host aligner.example”') as string,
  });
  expect(await explained('http://aligner.example', 200)).toMatchObject({
    code: 'key-refused',
    message: 'aligner.example does not know this key.',
  });
});

it.each(['http://10.0.0.5:4173', 'http://[fd00::5]:4173', 'http://localhost:4173'])(
  'takes a 403 of %s for its key: to that name every server answers',
  async (url) => {
    expect(await explained(url, 403)).toMatchObject({ code: 'key-refused' });
    expect(await explained(url, 403, false)).toMatchObject({
      code: 'key-refused',
      message: expect.stringMatching(/needs a key/) as string,
    });
  },
);
