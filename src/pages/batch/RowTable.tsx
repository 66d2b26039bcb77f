import { useMemo } from 'react';

import { lineKey } from '../../align/scores.ts';
import type { SourceRow } from '../../batch/row-format.ts';
import { readTexts } from '../../batch/columns.ts';
import { rowRequest, type RowState } from '../../batch/page-batch.ts';
import { ScorePair } from '../../components/Scores/ScorePair.tsx';
import { WindowedTable } from '../../components/WindowedTable/WindowedTable.tsx';
import type { Batch as BatchState } from '../../state/batch-slice.ts';
import { openEntry } from '../../state/open-request.ts';
import { useApp, useCurrentTemplate, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import controls from '../../styles/controls.module.css';
import styles from './Batch.module.css';
import { type ScoreColumn, scoreColumns } from './score-columns.ts';

const text = strings.batch;
type Ready = Extract<BatchState, { status: 'ready' }>;

/** More would leave no room for the texts; the summary and the export have all. */
const MAX_SCORE_COLUMNS = 3;

/** Of a text its start is shown. */
const EXCERPT = 160;

export function RowTable({ batch }: { batch: Ready }) {
  const { rows, results, job } = batch;
  const template = useCurrentTemplate();
  const open = <span className={controls.visuallyHidden}>{strings.compare.open}</span>;
  const { scored } = batch.counts;
  // Of many rows the scales settle soon: looking at all of them for each would be slow.
  const step = scored < 100 ? scored : Math.floor(scored / 100) * 100;
  // `results` is the same map as rows are added to it; `step` tells.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const columns = useMemo(() => scoreColumns(results), [results, step]);
  const shown = columns.slice(0, MAX_SCORE_COLUMNS);
  return (
    <WindowedTable
      className={shown.length > 0 ? styles.withScores : undefined}
      label={text.table}
      columns={[
        { key: 'number', content: text.number },
        { key: 'query', content: text.roles.query },
        { key: 'answer', content: text.roles.answer },
        { key: 'edit', content: strings.edit.edited },
        ...shown.map(({ key, label, scorer }) => ({
          key,
          content: (
            <>
              {label} <span className={controls.hint}>{scorer.slice(scorer.lastIndexOf('/') + 1)}</span>
            </>
          ),
          className: styles.score,
        })),
        { key: 'open', content: open },
      ]}
      rows={rows}
      renderRow={(row) => {
        const { query, answer } = readTexts(row, job.columns, job.plan?.settings.template ?? template);
        return (
          <Row
            key={row.index}
            row={row}
            query={query}
            answer={answer}
            state={results.get(row.index)}
            batch={batch}
            columns={shown}
          />
        );
      }}
    />
  );
}

interface RowProps {
  row: SourceRow;
  query: string;
  answer: string;
  state: RowState | undefined;
  batch: Ready;
  columns: readonly ScoreColumn[];
}

function Row({ row, query, answer, state, batch, columns: scoreColumns }: RowProps) {
  const stores = useStores();
  const keep = useApp((app) => app.keepEntry);
  const history = useApp((app) => app.history);
  const { plan, columns } = batch.job;
  const scores = state !== undefined && 'edit' in state ? (state.scores?.scores ?? []) : [];
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
      scores: state.scores,
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
      {scoreColumns.map(({ key, scale }) => {
        const score = scores.find((one) => lineKey(one) === key);
        return <td key={key}>{score === undefined ? '–' : <ScorePair score={score} scale={scale} />}</td>;
      })}
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
