import { type ReactNode, useState } from 'react';

import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './WindowedTable.module.css';

/** As in WindowedTable.module.css. */
const ROW_PX = 44;
/** Drawn beyond either edge, so that scrolling never shows a gap. */
const SPARE_ROWS = 10;

interface WindowedTableProps<Row> {
  /** Of the region, for a screen reader. */
  label: string;
  /** What the header cells hold; a class may set a column's width. */
  columns: readonly { key: string; content: ReactNode; className?: string | undefined }[];
  rows: readonly Row[];
  /** A `tr` of this index with `aria-rowindex`, `data-row` and a key. */
  renderRow: (row: Row, index: number) => ReactNode;
  /** May set `--table-min-width`. */
  className?: string | undefined;
}

/** Only the rows in sight are drawn: a hundred thousand scroll like ten. */
export function WindowedTable<Row>({ label, columns, rows, renderRow, className }: WindowedTableProps<Row>) {
  const [scrollTop, setScrollTop] = useState(0);
  const [height, setHeight] = useState(600);
  const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - SPARE_ROWS);
  const shown = rows.slice(first, first + Math.ceil(height / ROW_PX) + 2 * SPARE_ROWS);
  const measure = (element: HTMLElement | null) => {
    if (element !== null && element.clientHeight !== height) setHeight(element.clientHeight);
  };
  const gap = (count: number) => <Gap count={count} columns={columns.length} />;
  return (
    <div
      ref={measure}
      className={classNames(controls.panel, styles.table, className)}
      role="region"
      aria-label={label}
      tabIndex={0}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map(({ key, content, className }) => (
              <th key={key} scope="col" className={className}>
                {content}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {gap(first)}
          {shown.map((row, i) => renderRow(row, first + i))}
          {gap(rows.length - first - shown.length)}
        </tbody>
      </table>
    </div>
  );
}

/** The place of rows that are not drawn. */
function Gap({ count, columns }: { count: number; columns: number }) {
  if (count <= 0) return null;
  return (
    <tr aria-hidden="true">
      <td colSpan={columns}>
        <svg className={styles.gap} height={count * ROW_PX} width="1" />
      </td>
    </tr>
  );
}
