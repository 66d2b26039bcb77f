import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SamplingOptions } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import type { RowScores, ScoresNeeded } from './scores.ts';
import { argmax, keepTokens, penalize, Sampler } from './sampling.ts';

interface Case {
  options: Omit<SamplingOptions, 'seed'>;
  seenIds: number[];
  logits: number[];
  /** By token id, the others are 0. */
  probabilities: Record<string, number>;
}
const { cases, versions } = JSON.parse(readFileSync(new URL('./fixtures/sampling.json', import.meta.url), 'utf8')) as {
  cases: Case[];
  versions: { transformers: string };
};

/** [vocabulary], 0 for what is not kept. */
function probabilitiesOf(logits: Float32Array, options: Omit<SamplingOptions, 'seed'>): number[] {
  const { tokenIds, weights } = keepTokens(logits, options);
  const total = Array.from(weights).reduce((sum, weight) => sum + weight, 0);
  const probabilities = new Array<number>(logits.length).fill(0);
  Array.from(tokenIds).forEach((id, i) => (probabilities[id]! += weights[i]! / total));
  return probabilities;
}

const all = (...logits: number[]): RowScores => ({ type: 'all', logits: Float32Array.from(logits) });

/** What a device gives that gives no more than is needed. */
function reduce(logits: Float32Array, needed: ScoresNeeded): RowScores {
  if (needed.type === 'all') return { type: 'all', logits };
  if (needed.type === 'largest') return { type: 'largest', tokenId: argmax(logits) };
  const least = [...logits].sort((a, b) => b - a)[needed.count - 1] ?? -Infinity;
  const tokenIds = Int32Array.from(logits.keys()).filter((id) => logits[id]! >= least);
  return { type: 'top', tokenIds, logits: Float32Array.from(tokenIds, (id) => logits[id]!) };
}

const someLogits = fc
  .array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 40 })
  .map((values) => Float32Array.from(values, (value) => value / 4));
const someOptions = fc.record({
  temperature: fc.constantFrom(0.1, 0.7, 1, 3),
  topK: fc.nat(45),
  topP: fc.constantFrom(0.05, 0.5, 0.9, 0.999, 1),
});

describe(`sampling against Hugging Face transformers ${versions.transformers}`, () => {
  it.each(cases.map((each, i) => [`${i}: ${JSON.stringify(each.options)}`, each] as const))(
    'keeps the same tokens with the same probabilities, case %s',
    (_name, { options, seenIds, logits, probabilities }) => {
      const row = Float32Array.from(logits);
      penalize(row, new Set(seenIds), options.repetitionPenalty);
      probabilitiesOf(row, options).forEach((probability, id) => {
        expect(probability, `token ${id}`).toBeCloseTo(probabilities[id] ?? 0, 6);
        if (probabilities[id] === undefined) expect(probability).toBe(0);
      });
    },
  );
});

describe('keepTokens', () => {
  it('keeps at least one token, the likeliest, and never more than top-k without ties', () => {
    fc.assert(
      fc.property(someLogits, someOptions, (logits, options) => {
        const kept = Array.from(keepTokens(logits, options).tokenIds);
        expect(kept).toContain(argmax(logits));
        expect(new Set(kept).size).toBe(kept.length);
        const isTopKOn = options.topK > 0 && options.topK < logits.length;
        const kth = [...logits].sort((a, b) => b - a)[isTopKOn ? options.topK - 1 : logits.length - 1]!;
        for (const id of kept) expect(logits[id]).toBeGreaterThanOrEqual(kth);
      }),
    );
  });

  it('keeps the fewest tokens that reach top-p', () => {
    fc.assert(
      fc.property(someLogits, fc.constantFrom(0.05, 0.5, 0.9), (logits, topP) => {
        const all = probabilitiesOf(logits, { ...GREEDY, temperature: 1 });
        const kept = Array.from(keepTokens(logits, { temperature: 1, topK: 0, topP }).tokenIds, (id) => all[id]!);
        const total = kept.reduce((sum, probability) => sum + probability, 0);
        expect(total).toBeGreaterThan(topP - 1e-9);
        expect(total - Math.min(...kept)).toBeLessThan(topP + 1e-9);
      }),
    );
  });

  it.each([NaN, Infinity])('refuses logits that hold %d', (bad) => {
    for (const logits of [[bad], [bad, 0], [0, bad, 1]]) {
      expect(() => argmax(Float32Array.from(logits))).toThrow(expect.objectContaining({ code: 'engine-failed' }));
    }
  });

  it('never draws a token whose logit is minus infinity', () => {
    const sampler = new Sampler({ ...GREEDY, temperature: 50 }, new Int32Array());
    for (let i = 0; i < 200; i++) {
      expect(sampler.sample(all(-Infinity, 1, -Infinity, 0, -Infinity)) % 2).toBe(1);
    }
  });
});

describe('Sampler', () => {
  it('is greedy at temperature 0: the lowest id of the largest logit', () => {
    const sampler = new Sampler(GREEDY, new Int32Array());
    expect(sampler.sample(all(1, 3, 2, 3))).toBe(1);
  });

  it('penalizes prompt and edit at temperature 0 too', () => {
    const sampler = new Sampler({ ...GREEDY, repetitionPenalty: 2 }, Int32Array.of(0));
    const logits = [4, 3.5, 3, -1];
    const sample = () => sampler.sample(all(...logits));
    // 0 counts as 2, then 1 as 1.75, then 2 as 1.5: 0 is largest again.
    expect([sample(), sample(), sample(), sample()]).toEqual([1, 2, 0, 0]);
  });

  it('chooses from what it says it needs as it does from all scores', () => {
    const sampling = fc.record({
      temperature: fc.constantFrom(0, 0.7, 3),
      topK: fc.nat(12),
      topP: fc.constantFrom(0.5, 0.9, 1),
      repetitionPenalty: fc.constantFrom(0.5, 1, 1.2, 4),
      seed: fc.nat(99),
    });
    const rows = fc.array(fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 30, maxLength: 30 }), {
      minLength: 1,
      maxLength: 4,
    });
    let reduced = 0;
    fc.assert(
      fc.property(sampling, rows, fc.array(fc.nat(29), { maxLength: 6 }), (options, values, promptIds) => {
        const [some, whole] = [1, 2].map(() => new Sampler(options, Int32Array.from(promptIds)));
        const needed = some!.needed(values.length);
        for (const row of values) {
          const logits = row.map((value) => value / 4);
          const scores = reduce(Float32Array.from(logits), needed);
          if (scores.type !== 'all') reduced += 1;
          expect(some!.sample(scores)).toBe(whole!.sample(all(...logits)));
        }
      }),
      { numRuns: 500 },
    );
    expect(reduced).toBeGreaterThan(100);
  });

  it('needs one number for greedy text, and few for a text that is drawn from few', () => {
    const needed = (change: Partial<SamplingOptions>) =>
      new Sampler({ ...GREEDY, ...change }, Int32Array.of(5, 5, 6, 7)).needed(3);
    expect(needed({})).toEqual({ type: 'largest' });
    expect(needed({ temperature: 1, topK: 50 })).toEqual({ type: 'top', count: 50 });
    expect(needed({ temperature: 1, topK: 50, topP: 0.9 })).toEqual({ type: 'top', count: 50 });
    // Three seen, and two more rows that may add one each.
    expect(needed({ repetitionPenalty: 1.1 })).toEqual({ type: 'top', count: 6 });
    expect(needed({ temperature: 1, topP: 0.9 })).toEqual({ type: 'all' });
    expect(needed({ repetitionPenalty: 0.9 })).toEqual({ type: 'all' });
  });

  it('draws as often as the probabilities say', () => {
    const options: SamplingOptions = { temperature: 0.8, topK: 6, topP: 0.95, repetitionPenalty: 1, seed: 11 };
    const logits = Float32Array.of(0.5, 2, 1.5, -1, 2.5, 1, 0, 1.75);
    const expected = probabilitiesOf(logits, options);
    const sampler = new Sampler(options, new Int32Array());
    const draws = 50_000;
    const counts = new Array<number>(logits.length).fill(0);
    for (let i = 0; i < draws; i++) counts[sampler.sample(all(...logits))]! += 1;
    let chiSquared = 0;
    expected.forEach((probability, id) => {
      if (probability === 0) expect(counts[id]).toBe(0);
      else chiSquared += (counts[id]! - draws * probability) ** 2 / (draws * probability);
    });
    // Five degrees of freedom at most: above 20.5 once in a thousand seeds.
    expect(chiSquared).toBeLessThan(20.5);
  });

  it('repeats its draws for a seed, and draws others for another', () => {
    const logits = Float32Array.from({ length: 100 }, (_, id) => Math.sin(id));
    const drawn = (seed: number) => {
      const sampler = new Sampler({ ...GREEDY, temperature: 1, seed }, new Int32Array());
      return Array.from({ length: 20 }, () => sampler.sample(all(...logits)));
    };
    expect(drawn(5)).toEqual(drawn(5));
    expect(drawn(5)).not.toEqual(drawn(6));
  });
});

it('keeps the likeliest tokens and all as likely as the last of them, in the order of their likelihood', () => {
  // Few values, so that many are equal; more of them than are looked at together.
  const someLogits = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 120 });
  fc.assert(
    fc.property(someLogits, fc.integer({ min: 1, max: 12 }), (values, topK) => {
      const logits = Float32Array.from(values);
      const sorted = [...logits.keys()].sort((id, other) => logits[other]! - logits[id]! || id - other);
      const least = logits[sorted[Math.min(topK, sorted.length) - 1]!]!;
      const expected = topK >= logits.length ? [...logits.keys()] : sorted.filter((id) => logits[id]! >= least);
      expect([...Array.from(keepTokens(logits, { temperature: 1, topK, topP: 1 }).tokenIds)]).toEqual(expected);
    }),
  );
});
