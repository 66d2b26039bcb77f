import { useMemo, useRef } from 'react';

import type { ObjectiveScore } from '../../align/scores.ts';
import type { RowState } from '../../batch/page-batch.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import { ScoringDialog } from '../../components/ScoringDialog/ScoringDialog.tsx';
import { ScoringProgress } from '../../components/ScoringDialog/ScoringProgress.tsx';
import { SureButton } from '../../components/SureButton/SureButton.tsx';
import { type ScoreSummary, summarizeScores } from '../../evaluation/score-summary.ts';
import type { Batch as BatchState } from '../../state/batch-slice.ts';
import { costOf } from '../../state/score-texts.ts';
import { rowsToScore } from '../../state/scores-slice.ts';
import { judgeOrigin, scoringPlan } from '../../state/scoring-plan.ts';
import { useApp, useSettings, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './Batch.module.css';

const text = strings.scores;
type Ready = Extract<BatchState, { status: 'ready' }>;

/** Scores of the rows that are edited, and what they come to. */
export function ScorePanel({ batch }: { batch: Ready }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { settings } = useStores();
  const { job, rows, results, counts, activity } = batch;
  const scoring = useApp((app) => app.scoring);
  const agreedOrigin = useApp((app) => app.agreedOrigin);
  const agree = useApp((app) => app.agreeTo);
  const score = useApp((app) => app.scoreBatch);
  const stop = useApp((app) => app.stopScoring);
  const chosen = useSettings((state) => state.scoring);
  const isWorking = scoring.status === 'running';
  const plan = scoringPlan({ ...settings.getState(), scoring: chosen });
  const origin = judgeOrigin(plan);
  const objectives = job.plan?.settings.objectives ?? [];
  const { lines, questions } = costOf({ request: { objectives }, reviewed: undefined }, plan);
  const isSetUp = plan.outputs.length > 0 || plan.judge !== 'none';
  const left = rowsToScore(rows, results, plan).length;
  if (counts.edited === 0) return null;
  const start = () => {
    agree(origin);
    void score(plan);
  };
  const asks = origin !== undefined && agreedOrigin !== origin;
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="batch-scores">
      <h3 id="batch-scores">{text.batch.title}</h3>
      {scoring.status === 'running' && scoring.of === 'batch' && (
        <>
          <ProgressBar label={text.batch.title} fraction={scoring.done / Math.max(1, scoring.all)} />
          <ScoringProgress scoring={scoring} />
        </>
      )}
      {scoring.status === 'failed' && scoring.of === 'batch' && <ErrorBox error={scoring.error} />}
      <div className={styles.line}>
        {isWorking ? (
          <button type="button" className={controls.button} onClick={stop}>
            {text.stop}
          </button>
        ) : (
          isSetUp &&
          lines > 0 &&
          left > 0 && (
            <SureButton
              className={controls.button}
              isDisabled={activity !== 'resting'}
              question={asks ? text.sendsRows(origin, left, left * questions) : undefined}
              sure={text.send}
              cancel={text.dontSend}
              onSure={start}
            >
              {text.batch.start(left)}
            </SureButton>
          )
        )}
        <button
          type="button"
          className={isSetUp ? controls.quiet : controls.button}
          onClick={() => dialog.current?.showModal()}
        >
          {isSetUp ? text.changeScorers : text.setUp}
        </button>
        <p className={controls.hint}>
          {!isSetUp
            ? text.unset
            : lines === 0
              ? text.noneForThese
              : left === 0
                ? text.batch.allDone
                : text.takes(left * lines, left * questions)}
          {isSetUp && origin !== undefined && lines > 0 && left > 0 && ` ${text.sendsTo(origin)}`}
        </p>
      </div>
      {counts.scored > 0 && !isWorking && <Summary results={results} scored={counts.scored} />}
      {job.plan?.settings.template === 'imhi' && <p className={controls.hint}>{text.noDiagnosis}</p>}
      <ScoringDialog dialog={dialog} objectives={objectives} />
    </section>
  );
}

function Summary({ results, scored }: { results: ReadonlyMap<number, RowState>; scored: number }) {
  // `results` is the same map as rows are added to it; `scored` tells.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const summaries = useMemo(() => summarizeScores(scoresOf(results)), [results, scored]);
  const hasJudge = summaries.some(({ comparison }) => comparison !== undefined);
  const words = text.batch;
  return (
    <>
      <div className={styles.summary} tabIndex={0} role="region" aria-label={words.summary}>
        <table>
          <caption>{words.summary}</caption>
          <thead>
            <tr>
              <th scope="col">{text.objective}</th>
              <th scope="col">{words.original}</th>
              <th scope="col">{words.edit}</th>
              <th scope="col">{words.gain}</th>
              {hasJudge && <th scope="col">{words.sideBySide}</th>}
              <th scope="col">{words.rows}</th>
            </tr>
          </thead>
          <tbody>
            {summaries.map((summary, i) => (
              <SummaryRow key={i} summary={summary} hasJudge={hasJudge} />
            ))}
          </tbody>
        </table>
      </div>
      <p className={controls.hint}>{words.why}</p>
    </>
  );
}

function SummaryRow({ summary, hasJudge }: { summary: ScoreSummary; hasJudge: boolean }) {
  const { objective, scorer, original, edit, gain, comparison, rows, without } = summary;
  const words = text.batch;
  const number = (value: number | undefined) => (value === undefined ? '–' : text.number(value));
  return (
    <tr>
      <th scope="row">
        {objective.label} <span className={controls.hint}>{text.scorer(scorer)}</span>
      </th>
      <td>{number(original)}</td>
      <td>{number(edit)}</td>
      <td>{gain !== undefined ? words.interval(gain) : rows === 0 ? '–' : words.oneRow}</td>
      {hasJudge && (
        <td>
          {comparison === undefined
            ? '–'
            : words.outcomes(comparison.wins, comparison.ties, comparison.losses, comparison.invalid)}
        </td>
      )}
      <td>
        {rows}
        {without > 0 && <span className={controls.hint}> {words.without(without)}</span>}
      </td>
    </tr>
  );
}

function* scoresOf(results: ReadonlyMap<number, RowState>): Generator<readonly ObjectiveScore[], void, void> {
  for (const state of results.values()) if ('edit' in state && state.scores !== undefined) yield state.scores.scores;
}
