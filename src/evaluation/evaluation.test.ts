import { describe, expect, it } from 'vitest';
import { fleissKappa } from './agreement.ts';
import { corpusBleu, tokenize13a } from './bleu.ts';
import { classificationMetrics, percent } from './classification-metrics.ts';
import { kendall, pearson, spearman } from './correlation.ts';
import { labelOfOutput, labelOfReference } from './imhi-labels.ts';
import { rouge } from './rouge.ts';

describe('classificationMetrics', () => {
  it('takes a label that is in one list only as an F1 of 0', () => {
    // scikit-learn: accuracy 0.5, weighted 0.6667, macro 0.4444.
    const metrics = classificationMetrics([0, 0, 1, 1], [0, 2, 1, 2]);
    expect(metrics.accuracy).toBe(0.5);
    expect(metrics.microF1).toBe(0.5);
    expect(metrics.weightedF1).toBeCloseTo(2 / 3, 12);
    expect(metrics.macroF1).toBeCloseTo(4 / 9, 12);
  });

  it('refuses lists that do not fit together', () => {
    expect(() => classificationMetrics([1], [])).toThrow('1 references and 0 predictions');
    expect(() => classificationMetrics([], [])).toThrow(RangeError);
  });
});

describe('percent', () => {
  it.each([
    // Python: round(97 / 800 * 100, 2) is 12.12, round(99 / 800 * 100, 2) is 12.38.
    [97 / 800, 12.12],
    [99 / 800, 12.38],
    [1 / 3, 33.33],
    [2 / 3, 66.67],
    [1, 100],
  ])('of %d is %d', (fraction, expected) => {
    expect(percent(fraction)).toBe(expected);
  });
});

describe('IMHI labels', () => {
  it('come from the first phrase of the list, in the answer only', () => {
    expect(labelOfOutput('DR', 'No, yes. Reasoning: no')).toEqual({ label: 1, isOutOfDomain: false });
    expect(labelOfOutput('DR', 'Reasoning: yes')).toEqual({ label: 0, isOutOfDomain: true });
    expect(labelOfOutput('SAD', 'hard to say')).toEqual({ label: 8, isOutOfDomain: true });
    expect(labelOfOutput('t-sid', 'SUICIDE or depression')).toEqual({ label: 2, isOutOfDomain: false });
    expect(labelOfReference('SAD', 'The stress is from health issues.')).toBe(5);
    expect(labelOfReference('SAD', 'other stress causes')).toBeUndefined();
    expect(labelOfReference('CAMS', 'no causes')).toBeUndefined();
  });
});

describe('corpusBleu', () => {
  // sacrebleu 2.6.0, BLEU(smooth_method="none").corpus_score(...).score / 100
  it('equals sacrebleu on several rows and short texts', () => {
    const texts = ['the cat sat on the mat', 'a, b. 3.5-4 &amp; c'];
    const references = ['the cat sat on a mat today', 'a , b . 3.5 - 4 & c d'];
    expect(corpusBleu(texts, references)).toBeCloseTo(0.7368717978310754, 9);
    expect(corpusBleu(['a b c'], ['a b c'])).toBe(0);
    expect(corpusBleu([''], ['a b c d'])).toBe(0);
  });

  it('splits at what Python takes for white space', () => {
    expect(tokenize13a('a\u001cb\u0085c\ufeffd\u3000e-\nf')).toEqual(['a', 'b', 'c\ufeffd', 'ef']);
  });
});

describe('rouge', () => {
  it('is 0 for texts without words', () => {
    expect(rouge('…', 'a')).toEqual({ rouge1: 0, rouge2: 0, rougeL: 0 });
  });

  it('counts a repeated word as often as both have it', () => {
    const { rouge1, rougeL } = rouge('the the the', 'the end');
    expect(rouge1).toBeCloseTo(0.4, 12);
    expect(rougeL).toBeCloseTo(0.4, 12);
  });
});

describe('correlations', () => {
  it('share ranks between equal values', () => {
    // From scipy 1.17.
    const [xs, ys] = [
      [1, 2, 3, 4, 5, 5],
      [1, 1, 2, 2, 3, 3],
    ];
    expect(spearman(xs, ys).value).toBeCloseTo(0.970142500145332, 9);
    expect(kendall(xs, ys).value).toBeCloseTo(0.9258200997725515, 9);
  });

  it('are no numbers where a list is constant or too short for an interval, and lists that do not fit are refused', () => {
    expect(pearson([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]).value).toBeNaN();
    for (const correlation of [pearson, spearman, kendall]) {
      expect(correlation([1, 2, 3, 4], [1, 2, 4, 3])).toEqual({ value: NaN, low: NaN, high: NaN });
      expect(correlation([], [])).toEqual({ value: NaN, low: NaN, high: NaN });
      expect(correlation([1, 2, 3, 4, 5], [1, 2, 4, 3, 5]).value).toBeGreaterThan(0.7);
    }
    expect(() => kendall([1, 2, 3, 4, 5], [1])).toThrow('5 and 1 values');
  });
});

describe('fleissKappa', () => {
  it('is 1 for full agreement, below 0 where they avoid each other, and refuses ratings of other lengths', () => {
    expect(
      fleissKappa([
        [1, 1, 1],
        [2, 2, 2],
      ]),
    ).toBe(1);
    expect(
      fleissKappa([
        [1, 2],
        [2, 1],
      ]),
    ).toBe(-1);
    expect(() => fleissKappa([[1, 1], [1]])).toThrow('needs 2 ratings; one has 1');
  });
});
