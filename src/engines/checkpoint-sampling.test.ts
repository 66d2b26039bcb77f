import { describe, expect, it } from 'vitest';
import { GREEDY } from '../align/request.ts';
import { parseCheckpointSampling } from './checkpoint-sampling.ts';

describe('parseCheckpointSampling', () => {
  it.each([
    [{ eos_token_id: 2 }, GREEDY],
    [{ temperature: 0.6, top_p: 0.9 }, GREEDY],
    [{ do_sample: false, temperature: 0.6, top_k: 7 }, GREEDY],
    // Llama 2's own.
    [
      { do_sample: true, temperature: 0.6, top_p: 0.9, max_length: 4096 },
      { ...GREEDY, temperature: 0.6, topP: 0.9, topK: 50 },
    ],
    [{ do_sample: true }, { ...GREEDY, temperature: 1, topK: 50 }],
    [
      { do_sample: true, top_k: 0, top_p: null },
      { ...GREEDY, temperature: 1, topK: 0 },
    ],
    [{ repetition_penalty: 1.1 }, { ...GREEDY, repetitionPenalty: 1.1 }],
  ])('reads %j as transformers does', (json, expected) => {
    expect(parseCheckpointSampling(json, 'generation_config.json')).toEqual(expected);
  });

  it.each([
    [[], /not an object/],
    [null, /not an object/],
    [{ do_sample: true, temperature: 'hot' }, /temperature is not a number/],
    [{ do_sample: true, top_p: 0 }, /topP is 0/],
    [{ repetition_penalty: -1 }, /repetitionPenalty is -1/],
  ])('refuses %j', (json, message) => {
    expect(() => parseCheckpointSampling(json, 'x/generation_config.json')).toThrow(
      expect.objectContaining({ code: 'weights-corrupt', message: expect.stringMatching(message) as string }),
    );
  });
});
