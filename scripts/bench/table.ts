import { median } from './measurement.ts';

/** One line of the table: what two sides took one after the other, several times. */
export interface Row {
  measure: string;
  /** Device, variant. */
  on: string;
  text: string;
  against: string;
  ours: readonly number[];
  theirs: readonly number[];
  unit: 'tok/s' | 'ms';
  /** What the ratio is to be: at least, or where less is better at most. */
  aim: { atLeast: number } | { atMost: number } | undefined;
  /** Of ours, in the mean. */
  tokensPerStep?: number | undefined;
  /** Tokens up to the first that differs, and of how many. */
  agree?: readonly [same: number, of: number] | undefined;
}

export function ratiosOf({ ours, theirs }: Pick<Row, 'ours' | 'theirs'>): number[] {
  return ours.map((value, i) => value / (theirs[i] ?? NaN));
}

const HEADERS = [
  'measure',
  'on',
  'text',
  'against',
  'ours',
  'theirs',
  'ratio',
  'spread',
  'aim',
  '',
  'per step',
  'agree',
];

export function markdownTable(rows: readonly Row[]): string {
  const lines = [HEADERS, ...rows.map(cellsOf)];
  const widths = HEADERS.map((_, column) => Math.max(3, ...lines.map((line) => line[column]?.length ?? 0)));
  const format = (line: readonly string[]) => `| ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = lines;
  return [format(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(format)].join('\n');
}

function cellsOf(row: Row): string[] {
  const { measure, on, text, against, ours, theirs, unit, aim, tokensPerStep, agree } = row;
  const ratios = ratiosOf(row);
  const ratio = median(ratios);
  const figure = (values: readonly number[]) => `${median(values).toFixed(unit === 'ms' ? 0 : 1)} ${unit}`;
  return [
    measure,
    on,
    text,
    against,
    figure(ours),
    figure(theirs),
    ratio.toFixed(2),
    `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
    aim === undefined ? '' : 'atLeast' in aim ? `≥ ${aim.atLeast}` : `≤ ${aim.atMost}`,
    aim === undefined ? '' : isReached(ratio, aim) ? 'reached' : 'missed',
    tokensPerStep?.toFixed(2) ?? '',
    agree === undefined ? '' : `${agree[0]}/${agree[1]}`,
  ];
}

function isReached(ratio: number, aim: NonNullable<Row['aim']>): boolean {
  return 'atLeast' in aim ? ratio >= aim.atLeast : ratio <= aim.atMost;
}
