import { cellText, formatHeader, formatRow } from '../../batch/row-format.ts';

type Cells = [column: string, value: unknown][];

/**
 * A report's rows as CSV. A value that holds others takes a column for each (`winRate.low`), or, where a row has none, no
 * text in these columns. Columns stand in the order in which they first appear.
 */
export function csvOf(rows: readonly object[]): string {
  const flat = rows.map((row) => new Map(flatten('', row)));
  const columns = [...new Set(flat.flatMap((cells) => [...cells.keys()]))];
  // `winRate` is null in one row and has parts in another.
  const shown = columns.filter((column) => !columns.some((other) => other.startsWith(`${column}.`)));
  const lines = flat.map((cells) =>
    formatRow(
      'csv',
      shown,
      shown.map((column) => cellText(cells.get(column) ?? null)),
    ),
  );
  return [formatHeader('csv', shown), ...lines].join('');
}

function flatten(prefix: string, value: object): Cells {
  return Object.entries(value).flatMap(([name, part]): Cells => {
    const column = `${prefix}${name}`;
    if (typeof part === 'object' && part !== null) return flatten(`${column}.`, part as object);
    return [[column, part]];
  });
}
