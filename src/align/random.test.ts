import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from './random.ts';

const { random } = JSON.parse(readFileSync(new URL('../engines/fixtures/sampling.json', import.meta.url), 'utf8')) as {
  random: { seed: number; words: number[] }[];
};

describe('SeededRandom', () => {
  it.each(random)('gives the numbers of xoshiro128** for seed $seed', ({ seed, words }) => {
    const generator = new SeededRandom(seed);
    expect(words.map(() => generator.nextUint32())).toEqual(words);
  });

  it('gives fractions from 0 to below 1, spread evenly', () => {
    const generator = new SeededRandom(7);
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 160_000; i++) counts[Math.floor(generator.nextFraction() * 16)]! += 1;
    expect(counts).toHaveLength(16);
    // Chi-squared with 15 degrees of freedom: above 37.7 once in a thousand seeds.
    const chiSquared = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquared).toBeLessThan(37.7);
  });
});
