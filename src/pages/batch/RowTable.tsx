import { useState } from 'react';

import type { SourceRow } from '../../batch/row-format.ts';
import { readTexts } from '../../batch/columns.ts';
import { rowRequest, type RowState } from '../../batch/page-batch.ts';
import type { Batch as BatchState } from '../../state/batch-slice.ts';
import { openEntry } from '../../state/open-request.ts';
import { useApp, useCurrentTemplate, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './Batch.module.css';

const text = strings.batch;
type Ready = Extract<BatchState, { status: 'ready' }>;

/** As in Batch.module.css. */
const ROW_PX = 44;
/** Drawn beyond either edge, so that scrolling never shows a gap. */
const SPARE_ROWS = 10;
/** Of a text its start is shown. */
const EXCERPT = 160;

/** Only the rows in sight are drawn: a hundred thousand scroll like ten. */
export function RowTable({ batch }: { batch: Ready }) {
  const { rows, results, job } = batch;
  const [scrollTop, setScrollTop] = useState(0);
  const [height, setHeight] = useState(600);
  const template = useCurrentTemplate();
  const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - SPARE_ROWS);
  const shown = rows.slice(first, first + Math.ceil(height / ROW_PX) + 2 * SPARE_ROWS);
  const measure = (element: HTMLElement | null) => {
    if (element !== null && element.clientHeight !== height) setHeight(element.clientHeight);
  };
  return (
    <div
      ref={measure}
      className={classNames(controls.panel, styles.table)}
      role="region"
      aria-label={text.table}
      tabIndex={0}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">{text.number}</th>
            <th scope="col">{text.roles.query}</th>
            <th scope="col">{text.roles.answer}</th>
            <th scope="col">{strings.edit.edited}</th>
            <th scope="col">
              <span className={controls.visuallyHidden}>{strings.compare.open}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          <Gap count={first} />
          {shown.map((row) => {
            const { query, answer } = readTexts(row, job.columns, job.plan?.settings.template ?? template);
            return (
              <Row
                key={row.index}
                row={row}
                query={query}
                answer={answer}
                state={results.get(row.index)}
                batch={batch}
              />
            );
          })}
          <Gap count={rows.length - first - shown.length} />
        </tbody>
      </table>
    </div>
  );
}

/** The place of rows that are not drawn. */
function Gap({ count }: { count: number }) {
  if (count === 0) return null;
  return (
    <tr aria-hidden="true">
      <td colSpan={5}>
        <svg className={styles.gap} height={count * ROW_PX} width="1" />
      </td>
    </tr>
  );
}

interface RowProps {
  row: SourceRow;
  query: string;
  answer: string;
  state: RowState | undefined;
  batch: Ready;
}

function Row({ row, query, answer, state, batch }: RowProps) {
  const stores = useStores();
  const keep = useApp((app) => app.keepEntry);
  const history = useApp((app) => app.history);
  const { plan, columns } = batch.job;
  const open = async () => {
    if (state === undefined || !('edit' in state) || plan === undefined) return;
    const { edit, finishReason, usage, timings, model } = state;
    const request = rowRequest(row, columns, plan.settings);
    // The same row is the same entry, with what was decided on it.
    const id = `${batch.job.id}-${row.index}`;
    const kept = history.status === 'ready' ? history.entries.find((one) => one.id === id) : undefined;
    const entry = kept ?? {
      ...{ edit, finishReason, usage, timings, model, request },
      id,
      createdAt: Date.now(),
      isPinned: false,
      decisions: [],
    };
    if (kept === undefined) await keep(entry);
    void openEntry(stores, entry);
    window.location.hash = '';
  };
  return (
    <tr aria-rowindex={row.index + 2} data-row={row.index}>
      <td className={styles.number}>{row.index + 1}</td>
      <td dir="auto">{query.slice(0, EXCERPT)}</td>
      <td dir="auto">{answer.slice(0, EXCERPT)}</td>
      <td dir="auto">
        {state === undefined ? (
          <span className={controls.hint}>–</span>
        ) : 'error' in state ? (
          <span className={controls.fault}>{state.error.message}</span>
        ) : (
          state.edit.slice(0, EXCERPT)
        )}
      </td>
      <td>
        {state !== undefined && 'edit' in state && (
          <button
            type="button"
            className={controls.quiet}
            aria-label={text.openLabel(row.index + 1)}
            onClick={() => void open()}
          >
            {text.open}
          </button>
        )}
      </td>
    </tr>
  );
}
