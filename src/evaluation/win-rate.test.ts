import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { findObjective } from '../align/objectives.ts';
import type { TemplateId } from '../align/prompt.ts';
import { SeededRandom } from '../align/random.ts';
import {
  judgeMessages,
  type Outcome,
  type Place,
  ratingMessages,
  readRating,
  readVerdict,
  readVerdictAsPublished,
} from './judge-prompt.ts';
import { advantageOf, agreementOf, type JudgedRow, majorityOf, outcomeOf, winRateOf } from './win-rate.ts';

const row = (...verdicts: (Outcome | undefined)[]): JudgedRow => ({
  verdicts: verdicts.map((outcome, i) => ({ place: i === 0 ? 1 : 2, outcome })),
  judgedLength: 10,
  otherLength: 20,
});

describe('what the judge is sent', () => {
  // SHA-256 of the published prompts with these texts put in.
  it.each([
    ['hh-rlhf', 'harmlessness', '17ab4413d0cb3644d08ddda943f9508814081ad962005b862d0541166d0a7367'],
    ['ultrafeedback', 'helpfulness', '3fa230b5f139cce97cfedbf3a5f65815a9c780c38db240b60956ed0af9ba1e76'],
    ['imhi', 'professional', '84fe03fac4f0a8f5c119b7fd58577bbd05348ceb6c5c53664a61c8173a691e25'],
  ] as [TemplateId, string, string][])('is the published prompt of %s, byte for byte', (template, key, digest) => {
    const pair = { query: 'a $& {aspects}', first: 'one {output2}', second: 'two' };
    const messages = judgeMessages(template, findObjective(key, template), pair);
    expect(createHash('sha256').update(messages.at(-1)!.content).digest('hex')).toBe(digest);
    expect(messages.map(({ role }) => role)).toEqual(template === 'imhi' ? ['system', 'user'] : ['user']);
  });
});

it('asks for a rating with the published prompt, byte for byte', () => {
  const [message] = ratingMessages(findObjective('helpfulness', 'ultrafeedback'), 'a $& {aspects}', 'one {output}');
  expect(createHash('sha256').update(message!.content).digest('hex')).toBe(
    '20fa6a82050fe2ff9fecdfd8232d54076b4fa7976569c973531b4d930f950f6d',
  );
});

it.each([
  ['7', 7],
  ['Score: 8.5.', 8.5],
  ['9/10', 9],
  ['10 / 10', 10],
  ['11', undefined],
  ['-1', undefined],
  ['7 or 8', undefined],
  ['good', undefined],
])('reads the rating “%s” as %s', (reply, rating) => {
  expect(readRating(reply)).toBe(rating);
});

it.each([
  ['1', 1, 'win', 'win'],
  ['1', 2, 'loss', 'loss'],
  ['Response 2.', 2, 'win', 'win'],
  ['0', 1, 'tie', 'tie'],
  ['2, since 2 is kinder', 1, 'loss', 'loss'],
  ['1 or 2', 1, undefined, 'win'],
  ['neither', 2, undefined, 'loss'],
  ['', 1, undefined, 'loss'],
  ['10', 1, undefined, 'win'],
  ['1.5', 2, undefined, 'loss'],
] as [string, Place, Outcome | undefined, Outcome][])(
  'reads “%s” at place %i as %s, and as published as %s',
  (reply, place, ours, published) => {
    expect(readVerdict(reply, place)).toBe(ours);
    expect(readVerdictAsPublished(reply, place)).toBe(published);
  },
);

it('takes orders that disagree for a tie, and one without a verdict for none', () => {
  expect(outcomeOf(row('win', 'win'))).toBe('win');
  expect(outcomeOf(row('win', 'loss'))).toBe('tie');
  expect(outcomeOf(row('win', 'tie'))).toBe('tie');
  expect(outcomeOf(row('win', undefined))).toBeUndefined();
});

it('reports no rate of no rows', () => {
  expect(winRateOf([row(undefined)], 0)).toMatchObject({ rows: 0, invalid: 1, winRate: null, signTest: null });
});

it('measures a judge that always chooses the first place as one that tells nothing', () => {
  const rate = winRateOf([row('win', 'loss'), row('win', 'loss')], 0);
  expect(rate).toMatchObject({ ties: 2, positionConsistency: 0, firstPlaceShare: 1, lengthRatio: 0.5 });
  // Two ties tell next to nothing.
  expect(rate.winRate!.value).toBe(0.5);
  expect(rate.winRate!.low).toBeCloseTo(0.5 * 0.05 ** 0.5, 12);
});

it('corrects a judge with a preference for the first place: it moves one order both ways, both orders neither', () => {
  // The judged answer is the better one in 80 % of the rows; of 40 % of its calls the judge chooses what stands first.
  const random = new SeededRandom(3);
  const rows = Array.from({ length: 1000 }, () => {
    const isBetter = random.nextFraction() < 0.8;
    const asked = (place: Place): Outcome => {
      const isFirst = random.nextFraction() < 0.4;
      return (isFirst ? place === 1 : isBetter) ? 'win' : 'loss';
    };
    return row(asked(1), asked(2));
  });
  const winsOf = (place: 0 | 1) =>
    rows.filter(({ verdicts }) => verdicts[place]!.outcome === 'win').length / rows.length;
  // 0.8 + 0.2 * 0.4 and 0.8 * 0.6: what one order would have reported.
  expect(winsOf(0)).toBeCloseTo(0.88, 1);
  expect(winsOf(1)).toBeCloseTo(0.48, 1);
  const both = winRateOf(rows, 0);
  // Nearer to the middle than it should be, on the right side of it; where the orders agree it is as it should be.
  expect(both.winRate!.value).toBeCloseTo(0.68, 1);
  expect(both.wins / (both.wins + both.losses)).toBeCloseTo(0.8, 1);
  const { value, low, high } = both.whereConsistent!;
  expect(value).toBe(both.wins / (both.wins + both.losses));
  expect(low).toBeLessThan(0.8);
  expect(high).toBeGreaterThan(0.8);
  expect(both.firstPlaceShare).toBeGreaterThan(0.6);
  expect(both.positionConsistency).toBeLessThan(0.65);
});

it('an advantage counts the rows that have a verdict in both comparisons, ties at what they are worth', () => {
  const aligned = [row('win'), row('tie'), row('win'), row(undefined)];
  const original = [row('loss'), row('loss'), row(undefined), row('win')];
  expect(advantageOf(aligned, original, 0.5, 0)).toMatchObject({ rows: 2, difference: { value: 0.75 }, mcnemar: 1 });
  // From a loss to a tie is better too: two rows of two.
  expect(advantageOf(aligned, original, 0.5, 0).signTest).toBe(0.5);
  expect(advantageOf(aligned, original, 1, 0)).toMatchObject({ difference: { value: 1 }, mcnemar: 0.5 });
  expect(advantageOf(aligned, original, 0, 0)).toMatchObject({ difference: { value: 0.5 }, mcnemar: 1 });
});

it('two judges of one and the same verdict have no kappa', () => {
  expect(agreementOf([row('win')], [row('win')])).toEqual({ rows: 1, kappa: null });
  expect(agreementOf([row('win')], [row(undefined)])).toEqual({ rows: 0, kappa: null });
});

it.each([
  [['win', 'win', 'loss'], 'win'],
  [['win', 'loss'], 'tie'],
  [['win', 'tie', 'loss'], 'tie'],
  [['loss', undefined], 'loss'],
  [[undefined, undefined], undefined],
  [[], undefined],
] as [(Outcome | undefined)[], Outcome | undefined][])('most of %j say %s', (outcomes, wanted) => {
  expect(majorityOf(outcomes)).toBe(wanted);
});
