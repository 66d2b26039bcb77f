/** What stands in a report, whichever way it is drawn: as one file of HTML, or in the page. */
export type Block =
  | { type: 'heading'; level: 2 | 3 | 4; text: string }
  | { type: 'paragraph'; text: string }
  /** Stands out. */
  | { type: 'note'; text: string }
  /** The first `names` columns are words, the others numbers. */
  | { type: 'table'; caption: string; names: number; columns: readonly string[]; rows: readonly (readonly Cell[])[] }
  | { type: 'figure'; caption: string; drawing: Drawing }
  /** A model's or a person's text, as it is. */
  | { type: 'quote'; label: string; text: string }
  /** Opened by a click. */
  | { type: 'disclosure'; summary: string; blocks: readonly Block[] };

/** Text, or an interval as a drawing. The first cell of a row names it. */
export type Cell = string | Drawing;

export interface Drawing {
  /** For those who do not see it. */
  label: string;
  /** Of the coordinates below, in CSS pixels; the origin is at the top left. */
  width: number;
  height: number;
  shapes: readonly Shape[];
}

export type Shape =
  | { type: 'line'; x1: number; y1: number; x2: number; y2: number; tone: Tone; isDashed?: true }
  | { type: 'dot'; x: number; y: number; title?: string }
  | { type: 'text'; x: number; y: number; anchor: 'start' | 'middle' | 'end'; text: string };

/** `mark` is what was measured, `frame` what it is measured against. */
export type Tone = 'mark' | 'frame';
