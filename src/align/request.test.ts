import { describe, expect, it } from 'vitest';
import { findObjective } from './objectives.ts';
import { type AlignRequest, checkRequest, generateOptions, GREEDY, roomToGenerate } from './request.ts';

const request: AlignRequest = {
  objectives: [findObjective('honesty', 'ultrafeedback')],
  context: '',
  answer: 'Yes.',
  template: 'ultrafeedback',
  promptStyle: 'bare',
  maxNewTokens: 1024,
  sampling: GREEDY,
};

describe('checkRequest', () => {
  it('accepts an empty context', () => {
    expect(() => checkRequest(request)).not.toThrow();
  });

  it.each<[string, Partial<AlignRequest>, RegExp]>([
    ['no objective', { objectives: [] }, /at least one/],
    ['a blank answer', { answer: ' \n\t\u00a0' }, /answer is blank/],
    ['no new tokens', { maxNewTokens: 0 }, /new tokens is 0/],
    ['half a token', { maxNewTokens: 1.5 }, /1\.5/],
    ['a negative temperature', { sampling: { ...GREEDY, temperature: -1 } }, /temperature is -1; it must be between 0/],
    ['a topP of 0', { sampling: { ...GREEDY, topP: 0 } }, /topP is 0; it must be above 0/],
    ['a topP that is no number', { sampling: { ...GREEDY, topP: NaN } }, /topP is NaN/],
    ['a seed past 32 bits', { sampling: { ...GREEDY, seed: 2 ** 32 } }, /seed is 4294967296/],
  ])('refuses %s', (_case, change, message) => {
    expect(() => checkRequest({ ...request, ...change })).toThrow(
      expect.objectContaining({ code: 'invalid-request', message: expect.stringMatching(message) as string }),
    );
  });
});

describe('roomToGenerate', () => {
  it('counts what is left, down to one token', () => {
    expect(roomToGenerate(2000, 2048)).toBe(48);
    expect(roomToGenerate(2047, 2048)).toBe(1);
  });

  it('refuses a prompt that fills the context, with the numbers', () => {
    expect(() => roomToGenerate(2050, 2048)).toThrow(
      expect.objectContaining({
        code: 'prompt-too-long',
        message:
          'The prompt is 2,050 tokens and the model reads 2,048, prompt and edit together: at least 3 tokens too many.',
      }),
    );
  });
});

describe('generateOptions', () => {
  it('caps the new tokens to the room', () => {
    expect(generateOptions(request, 48, GREEDY).maxNewTokens).toBe(48);
    expect(generateOptions(request, 2000, GREEDY).maxNewTokens).toBe(1024);
  });

  it('takes the checkpoint’s sampling only on request', () => {
    const checkpoint = { ...GREEDY, temperature: 0.9, topP: 0.6 };
    expect(generateOptions(request, 9, checkpoint).temperature).toBe(0);
    expect(generateOptions({ ...request, sampling: 'checkpoint' }, 9, checkpoint).temperature).toBe(0.9);
  });
});
