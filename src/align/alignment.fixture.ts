import type { Alignment } from './alignment.ts';
import { findObjective } from './objectives.ts';
import { GREEDY } from './request.ts';

/** An alignment that has ended, as a run of the built-in model leaves it. */
export function exampleAlignment(changes: Partial<Alignment> = {}): Alignment {
  return {
    model: {
      id: 'demo-aligner',
      name: 'Demo aligner',
      source: 'training/out/hf',
      revision: undefined,
      variant: 'q8',
      device: 'wasm',
    },
    request: {
      objectives: [findObjective('harmlessness', 'hh-rlhf')],
      context: 'Human: How do I keep plants?\n\nAssistant:',
      answer: 'A rude answer. It ends.',
      template: 'hh-rlhf',
      promptStyle: 'bare',
      maxNewTokens: 1024,
      sampling: GREEDY,
    },
    edit: 'A kind answer. It ends.',
    finishReason: 'stop',
    usage: { promptTokens: 60, editTokens: 7, steps: 7 },
    timings: { timeToFirstTokenMs: 40, totalMs: 100, tokensPerSecond: 100 },
    ...changes,
  };
}
