import type { Estimate } from '../win-statistics.ts';
import type { Drawing, Shape } from './report-blocks.ts';

const INTERVAL = { width: 180, height: 20, margin: 6 } as const;

export interface Scale {
  min: number;
  max: number;
  /** Where a dashed line stands: a value that means no difference. */
  neutral: number;
  /** By which values are shown: 100 for percent. */
  factor: number;
  /** Behind the point. */
  digits: number;
}

export const SHARE_SCALE: Scale = { min: 0, max: 1, neutral: 0.5, factor: 100, digits: 1 };
export const DIFFERENCE_SCALE: Scale = { min: -1, max: 1, neutral: 0, factor: 100, digits: 1 };
export const RATING_DIFFERENCE_SCALE: Scale = { min: -10, max: 10, neutral: 0, factor: 1, digits: 2 };
export const CORRELATION_SCALE: Scale = { min: -1, max: 1, neutral: 0, factor: 1, digits: 2 };

/** A scale ends at such a share of the whole. */
const STEPS = 20;

/**
 * The part of a scale that all intervals and the neutral value lie in: on the whole one, those of hundreds of rows are no wider
 * than their dots.
 */
export function scaleAround(estimates: readonly (Estimate | null)[], whole: Scale): Scale {
  const { min, max, neutral } = whole;
  const known = estimates.filter((one) => one !== null);
  if (known.length === 0) return whole;
  const place = (value: number) => ((value - min) / (max - min)) * STEPS;
  const at = (step: number) => min + (step * (max - min)) / STEPS;
  const first = Math.max(0, Math.floor(place(Math.min(neutral, ...known.map(({ low }) => low)))));
  const last = Math.min(STEPS, Math.ceil(place(Math.max(neutral, ...known.map(({ high }) => high)))));
  return { ...whole, min: at(Math.min(first, STEPS - 1)), max: at(Math.max(last, first + 1)) };
}

/** One line of a forest plot: the interval, a dot at the value, and the neutral value dashed. */
export function intervalDrawing({ value, low, high }: Estimate, scale: Scale, label: string): Drawing {
  const { width, height, margin } = INTERVAL;
  const x = (at: number) => {
    const share = (Math.min(Math.max(at, scale.min), scale.max) - scale.min) / (scale.max - scale.min);
    return rounded(margin + share * (width - 2 * margin));
  };
  const middle = height / 2;
  return {
    label,
    width,
    height,
    shapes: [
      { type: 'line', x1: x(scale.neutral), x2: x(scale.neutral), y1: 0, y2: height, tone: 'frame', isDashed: true },
      { type: 'line', x1: x(low), x2: x(high), y1: middle, y2: middle, tone: 'mark' },
      ...[low, high].map((end): Shape => {
        return { type: 'line', x1: x(end), x2: x(end), y1: middle - 4, y2: middle + 4, tone: 'mark' };
      }),
      { type: 'dot', x: x(value), y: middle },
    ],
  };
}

const SCATTER = { width: 340, height: 240, left: 48, right: 12, top: 28, bottom: 44 } as const;

export interface ScatterPoint {
  lengthRatio: number;
  /** 0 to 1 */
  winRate: number;
  title: string;
}

/** Win rates, upwards, over length ratios, from 0 to at least 2. Dashed: as long, and as often won as lost. */
export function lengthDrawing(
  points: readonly ScatterPoint[],
  words: { label: string; x: string; y: string; decimal: (value: number, digits: number) => string },
): Drawing {
  const { width, height, left, right, top, bottom } = SCATTER;
  const longest = Math.max(2, ...points.map(({ lengthRatio }) => lengthRatio));
  const x = (ratio: number) => rounded(left + (ratio / longest) * (width - left - right));
  const y = (share: number) => rounded(height - bottom - share * (height - top - bottom));
  const frame = (x1: number, y1: number, x2: number, y2: number): Shape => {
    return { type: 'line', x1, y1, x2, y2, tone: 'frame' };
  };
  return {
    label: words.label,
    width,
    height,
    shapes: [
      frame(x(0), y(0), x(longest), y(0)),
      frame(x(0), y(0), x(0), y(1)),
      { ...frame(x(1), y(0), x(1), y(1)), isDashed: true } as Shape,
      { ...frame(x(0), y(0.5), x(longest), y(0.5)), isDashed: true } as Shape,
      ...[0, 0.5, 1].map((share): Shape => {
        return { type: 'text', x: left - 6, y: y(share) + 4, anchor: 'end', text: String(100 * share) };
      }),
      ...[0, 1, longest].map((ratio): Shape => {
        const text = Number.isInteger(ratio) ? String(ratio) : words.decimal(ratio, 1);
        return { type: 'text', x: x(ratio), y: height - bottom + 16, anchor: 'middle', text };
      }),
      { type: 'text', x: x(longest), y: height - 8, anchor: 'end', text: words.x },
      { type: 'text', x: left - 6, y: 14, anchor: 'start', text: words.y },
      ...points.map(({ lengthRatio, winRate, title }): Shape => {
        return { type: 'dot', x: x(lengthRatio), y: y(winRate), title };
      }),
    ],
  };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
