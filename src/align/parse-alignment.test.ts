import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { exampleAlignment } from './alignment.fixture.ts';
import { AlignError } from './errors.ts';
import { customObjective } from './objectives.ts';
import { parseAlignment, parseAlignRequest } from './parse-alignment.ts';

const example = exampleAlignment();
const request = { ...example.request };

describe('parseAlignRequest', () => {
  it('reads what JSON makes of a request, custom objectives included', () => {
    const own = { ...request, objectives: [...request.objectives, customObjective('Warmth', 'Be kind')] };
    expect(parseAlignRequest(JSON.parse(JSON.stringify(own)))).toEqual(own);
  });

  it('gives a published objective its published text', () => {
    const forged = { ...request, objectives: [{ key: 'harmlessness', label: 'Harmlessness', description: 'Be mean' }] };
    expect(parseAlignRequest(forged)).toEqual(request);
  });

  it.each([
    [{ ...request, template: 'other' }, 'template is "other"'],
    [{ ...request, answer: 3 }, 'answer is no text'],
    [{ ...request, answer: 'x'.repeat(300_001) }, 'answer has 300001 characters'],
    [{ ...request, answer: ' ' }, 'The answer is blank'],
    [{ ...request, objectives: [] }, 'No objective'],
    [{ ...request, objectives: 'all' }, 'objectives is no list'],
    [{ ...request, maxNewTokens: 0 }, 'largest number of new tokens is 0'],
    [{ ...request, sampling: { temperature: 'hot' } }, 'temperature is no number'],
    [[], 'The request is no object'],
  ])('refuses what does not fit and names it: %#', (value, message) => {
    expect(() => parseAlignRequest(value)).toThrow(message);
  });
});

describe('parseAlignment', () => {
  it('reads what JSON makes of an alignment', () => {
    expect(parseAlignment(JSON.parse(JSON.stringify(example)))).toEqual(example);
  });

  it('keeps where a server ran it, and takes none without its host', () => {
    const model = { ...example.model, device: 'server', variant: undefined, host: '127.0.0.1:4320' } as const;
    expect(parseAlignment(JSON.parse(JSON.stringify({ ...example, model }))).model).toEqual(model);
    expect(() => parseAlignment({ ...example, model: { ...model, host: undefined } })).toThrow('model.host is no text');
    expect(() => parseAlignment({ ...example, model: { ...model, device: 'wasm' } })).toThrow('model.variant');
  });

  it('ends in a typed error, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...Object.keys(example)), (value, field) => {
        try {
          parseAlignment({ ...example, [field]: value });
        } catch (error) {
          expect(error).toBeInstanceOf(AlignError);
        }
      }),
    );
  });
});
