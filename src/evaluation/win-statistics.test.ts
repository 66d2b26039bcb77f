import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../align/random.ts';
import { difficultyControlledRate, lengthControlledRate } from './length-control.ts';
import {
  bootstrapMean,
  cohenKappa,
  DIFFERENCE_RANGE,
  type Estimate,
  SCORE_RANGE,
  signTest,
  wilson,
} from './win-statistics.ts';

/** Made by scripts/reference/win_statistics.py with scipy, statsmodels and scikit-learn. */
const reference = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/win-statistics.json'), 'utf8')) as {
  cases: {
    scores: number[];
    baseline: number[];
    lengths: number[];
    wilson: number[];
    bootstrap: number[];
    pairedBootstrap: number[];
    signTest: number;
    mcnemar: number;
    kappa: number;
    lengthControlled: number;
  }[];
  signTests: [number, number, number][];
  difficulty: { models: { instructions: string[]; scores: number[]; lengths: number[] }[]; rates: number[] }[];
};

const countOf = (scores: readonly number[], wanted: number) => scores.filter((score) => score === wanted).length;

function controlled(scores: readonly number[], lengths: readonly number[], instructions: readonly string[] = []) {
  return scores.map((score, i) => ({
    score,
    lengthDifference: lengths[i]!,
    instruction: instructions[i] ?? String(i),
  }));
}

function expectClose(found: Estimate, [value, low, high]: number[], tolerance: number): void {
  expect(found.value).toBeCloseTo(value!, 10);
  expect(Math.abs(found.low - low!)).toBeLessThanOrEqual(tolerance);
  expect(Math.abs(found.high - high!)).toBeLessThanOrEqual(tolerance);
}

describe.each(reference.cases.map((one) => ({ rows: one.scores.length, ...one })))('on $rows verdicts', (one) => {
  it('Wilson’s interval equals statsmodels’', () => {
    expectClose(wilson(countOf(one.scores, 1), one.rows), one.wilson, 1e-10);
  });

  it('the bootstrap equals scipy’s but for its draws, paired too', () => {
    // Means lie ½ / rows apart: two sets of draws may choose neighbours.
    const tolerance = 0.5 / one.rows + 0.002;
    expectClose(bootstrapMean(one.scores, new SeededRandom(1)), one.bootstrap, tolerance);
    const differences = one.scores.map((score, i) => score - one.baseline[i]!);
    expectClose(bootstrapMean(differences, new SeededRandom(1)), one.pairedBootstrap, tolerance);
  });

  it('the sign test equals scipy’s and McNemar’s statsmodels’', () => {
    expect(signTest(countOf(one.scores, 1), countOf(one.scores, 0))).toBeCloseTo(one.signTest, 10);
    const only = (ours: readonly number[], theirs: readonly number[]) =>
      ours.filter((score, i) => score === 1 && theirs[i] !== 1).length;
    expect(signTest(only(one.scores, one.baseline), only(one.baseline, one.scores))).toBeCloseTo(one.mcnemar, 10);
  });

  it('Cohen’s kappa equals scikit-learn’s', () => {
    expect(cohenKappa(one.scores, one.baseline)).toBeCloseTo(one.kappa, 10);
  });

  it('the length-controlled rate equals statsmodels’ regression', () => {
    expect(lengthControlledRate(controlled(one.scores, one.lengths))).toBeCloseTo(one.lengthControlled, 8);
  });
});

it.each(reference.signTests)('the sign test of %i wins and %i losses is %f', (wins, losses, wanted) => {
  expect(signTest(wins, losses)).toBeCloseTo(wanted, 10);
});

it('a sign test of ties only tells nothing', () => {
  expect(signTest(0, 0)).toBe(1);
});

it('there is no length-controlled rate where lengths are all one, or tell wins from losses', () => {
  expect(lengthControlledRate(controlled([1, 0, 1], [5, 5, 5]))).toBeUndefined();
  expect(lengthControlledRate(controlled([1, 1, 0, 0], [10, 20, -10, -20]))).toBeUndefined();
});

describe.each(reference.difficulty)('with the difficulty of instructions', ({ models, rates }) => {
  const rows = models.map(({ instructions, scores, lengths }) => controlled(scores, lengths, instructions));

  it(`the rates of ${models.length} models equal those of scipy and statsmodels`, () => {
    rates.forEach((rate, m) => {
      expect(difficultyControlledRate(rows[m]!, rows.toSpliced(m, 1))).toBeCloseTo(rate, 8);
    });
  });

  it('a rate does not depend on the order of the others', () => {
    const [first, ...others] = rows;
    expect(difficultyControlledRate(first!, others.toReversed())).toBeCloseTo(rates[0]!, 8);
  });

  it('there is none without another model on the same instructions', () => {
    expect(difficultyControlledRate(rows[0]!, [])).toBeUndefined();
    const elsewhere = rows[1]!.map((row) => ({ ...row, instruction: `other ${row.instruction}` }));
    expect(difficultyControlledRate(rows[0]!, [elsewhere])).toBeUndefined();
  });
});

describe('an interval of rows that are all alike', () => {
  const mean = (values: readonly number[], range: typeof SCORE_RANGE) =>
    bootstrapMean(values, new SeededRandom(1), { range });
  // 0.05^(1/30): what is rarer than 9.5 % is seen in none of 30 rows once in twenty times.
  const unseen = 1 - 0.05 ** (1 / 30);

  it.each([
    [1, SCORE_RANGE, 1 - unseen, 1],
    [0, SCORE_RANGE, 0, unseen],
    [0.5, SCORE_RANGE, 0.5 - unseen / 2, 0.5 + unseen / 2],
    [0, DIFFERENCE_RANGE, -unseen, unseen],
    [1, DIFFERENCE_RANGE, 1 - 2 * unseen, 1],
  ])('of 30 times %f in %j reaches from %f to %f', (value, range, low, high) => {
    expectClose(mean(new Array<number>(30).fill(value), range), [value, low, high], 1e-12);
  });

  it('is hardly wider with one row that differs, and where many do as the draws say', () => {
    const nearly = mean([...new Array<number>(29).fill(1), 0.5], SCORE_RANGE);
    expect(nearly.low).toBeLessThanOrEqual(1 - unseen);
    const [first] = reference.cases;
    const drawn = bootstrapMean(first!.scores, new SeededRandom(1));
    expect(bootstrapMean(first!.scores, new SeededRandom(1), { range: SCORE_RANGE })).toEqual(drawn);
  });
});

it('shares and means of nothing are refused', () => {
  expect(() => wilson(0, 0)).toThrow('0 of 0');
  expect(() => bootstrapMean([], new SeededRandom(1))).toThrow('No values');
  expect(() => cohenKappa([1], [])).toThrow('1 and 0');
});

describe('over 2,000 simulated runs of 300 rows', { timeout: 60_000 }, () => {
  const RUNS = 2000;
  const ROWS = 300;

  function coverage(truth: number, interval: (random: SeededRandom) => Estimate): number {
    const random = new SeededRandom(20261125);
    let covered = 0;
    for (let run = 0; run < RUNS; run++) {
      const { low, high } = interval(random);
      if (low <= truth && truth <= high) covered += 1;
    }
    return covered / RUNS;
  }

  it.each([0.5, 0.62, 0.85])('Wilson’s interval covers a rate of %f in 95 ± 1.5 %', (truth) => {
    const found = coverage(truth, (random) => {
      let wins = 0;
      for (let row = 0; row < ROWS; row++) if (random.nextFraction() < truth) wins += 1;
      return wilson(wins, ROWS);
    });
    expect(Math.abs(found - 0.95)).toBeLessThanOrEqual(0.015);
  });

  it.each([
    [0.5, 0.2],
    [0.6, 0.1],
    [0.2, 0.6],
    [0.9, 0.05],
  ])('the bootstrap covers %f wins and %f ties at a half in 95 ± 1.5 %', (win, tie) => {
    const found = coverage(win + tie / 2, (random) => {
      const scores = Array.from({ length: ROWS }, () => {
        const draw = random.nextFraction();
        return draw < win ? 1 : draw < win + tie ? 0.5 : 0;
      });
      return bootstrapMean(scores, random, { resamples: 300, range: SCORE_RANGE });
    });
    expect(Math.abs(found - 0.95)).toBeLessThanOrEqual(0.015);
  });

  it('the bootstrap covers an advantage, paired, in 95 ± 1.5 %', () => {
    // Won against the reference: by the edit alone 25 %, by the original alone 10 %, by both or neither the rest.
    const found = coverage(0.15, (random) => {
      const differences = Array.from({ length: ROWS }, () => {
        const draw = random.nextFraction();
        return draw < 0.25 ? 1 : draw < 0.35 ? -1 : 0;
      });
      return bootstrapMean(differences, random, { resamples: 300, range: DIFFERENCE_RANGE });
    });
    expect(Math.abs(found - 0.95)).toBeLessThanOrEqual(0.015);
  });
});

it('of 30 rows, nearly all won, the interval still holds the truth', () => {
  const random = new SeededRandom(7);
  let covered = 0;
  for (let run = 0; run < 500; run++) {
    const scores = Array.from({ length: 30 }, () => (random.nextFraction() < 0.97 ? 1 : 0));
    const { low, high } = bootstrapMean(scores, random, { resamples: 300, range: SCORE_RANGE });
    if (low <= 0.97 && 0.97 <= high) covered += 1;
  }
  // Draws alone cover it in 60 % of the runs.
  expect(covered / 500).toBeGreaterThan(0.93);
});
