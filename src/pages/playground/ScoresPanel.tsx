import { useRef } from 'react';

import { gainOf } from '../../align/scores.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import { Scores } from '../../components/Scores/Scores.tsx';
import { ScoringDialog } from '../../components/ScoringDialog/ScoringDialog.tsx';
import { ScoringProgress } from '../../components/ScoringDialog/ScoringProgress.tsx';
import { SureButton } from '../../components/SureButton/SureButton.tsx';
import type { Run } from '../../state/run-slice.ts';
import { costOf } from '../../state/score-texts.ts';
import { isUpToDate } from '../../state/scores-slice.ts';
import { judgeHost, scoringPlan } from '../../state/scoring-plan.ts';
import { useApp, useSettings, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './ScoresPanel.module.css';

const text = strings.scores;

interface ScoresPanelProps {
  run: Extract<Run, { status: 'done' }>;
  /** What the decisions left; undefined without any. */
  reviewed: string | undefined;
}

/** What scorers make of original, edit and reviewed text. */
export function ScoresPanel({ run, reviewed }: ScoresPanelProps) {
  const isOpen = useSettings((settings) => settings.scoring.isPanelOpen);
  const change = useSettings((settings) => settings.change);
  const { settings } = useStores();
  const { scores } = run;
  const summary = (scores?.scores ?? []).flatMap(({ objective, scorer, original, edit }) => {
    const gain = gainOf(scorer, original, edit);
    return gain === undefined ? [] : [text.short(objective.label, text.gain(gain))];
  });
  return (
    <details
      className={classNames(controls.disclosure, styles.panel)}
      open={isOpen}
      onToggle={(event) => {
        const { scoring } = settings.getState();
        const isNowOpen = event.currentTarget.open;
        if (scoring.isPanelOpen !== isNowOpen) change({ scoring: { ...scoring, isPanelOpen: isNowOpen } });
      }}
    >
      <summary className={controls.hint}>
        {text.title}
        {summary.length > 0 && <span>{summary.join(' · ')}</span>}
      </summary>
      {isOpen && <Content run={run} reviewed={reviewed} />}
    </details>
  );
}

function Content({ run, reviewed }: ScoresPanelProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { scores, request } = run;
  const hasJudge = scores?.scores.some(({ scorer }) => scorer.type === 'judge' && scorer.repeats > 1) ?? false;
  const hasJudgeOnce = scores?.scores.some(({ scorer }) => scorer.type === 'judge' && scorer.repeats === 1) ?? false;
  const hasClassifier = scores?.scores.some(({ scorer }) => scorer.type === 'classifier') ?? false;
  const isStale = scores !== undefined && !isUpToDate(scores, reviewed);
  return (
    <div className={styles.content}>
      <Actions run={run} reviewed={reviewed} onSetUp={() => dialog.current?.showModal()} />
      {scores !== undefined && scores.scores.length > 0 && (
        <div className={styles.results}>
          <Scores scores={scores.scores} isOfEarlierReview={isStale && scores.reviewedText !== undefined} />
          <p className={controls.hint}>
            {text.scoredBy(scores.scoredAt)} {isStale && text.stale} {hasJudge && text.whyJudge}{' '}
            {hasJudgeOnce && text.whyJudgeOnce} {hasClassifier && text.whyClassifier}
          </p>
        </div>
      )}
      {request.template === 'imhi' && <p className={controls.hint}>{text.noDiagnosis}</p>}
      <ScoringDialog dialog={dialog} objectives={request.objectives} />
    </div>
  );
}

function Actions({ run, reviewed, onSetUp }: ScoresPanelProps & { onSetUp: () => void }) {
  const scoring = useApp((app) => app.scoring);
  const agreedHost = useApp((app) => app.agreedHost);
  const score = useApp((app) => app.scoreRun);
  const agree = useApp((app) => app.agreeToHost);
  const stop = useApp((app) => app.stopScoring);
  const chosen = useSettings((settings) => settings.scoring);
  const { settings } = useStores();
  const plan = scoringPlan({ ...settings.getState(), scoring: chosen });
  const host = judgeHost(plan);
  const { lines, questions } = costOf({ request: run.request, reviewed }, plan);
  const isSetUp = plan.outputs.length > 0 || plan.judge !== 'none';
  const isWorking = scoring.status === 'running';
  const start = () => {
    agree(host);
    void score(plan, reviewed);
  };
  const label =
    run.scores === undefined ? text.score : isUpToDate(run.scores, reviewed) ? text.again : text.scoreReviewed;
  return (
    <>
      {scoring.status === 'running' && scoring.of === 'run' && (
        <div className={styles.progress}>
          <ProgressBar label={text.title} fraction={scoring.done / Math.max(1, scoring.all)} />
          <ScoringProgress scoring={scoring} />
        </div>
      )}
      {scoring.status === 'failed' && scoring.of === 'run' && <ErrorBox error={scoring.error} />}
      <div className={styles.line}>
        {isWorking ? (
          <button type="button" className={controls.button} onClick={stop}>
            {text.stop}
          </button>
        ) : (
          isSetUp &&
          lines > 0 && (
            <SureButton
              className={controls.button}
              question={host !== undefined && agreedHost !== host ? text.sends(host, questions) : undefined}
              sure={text.send}
              onSure={start}
            >
              {label}
            </SureButton>
          )
        )}
        <button type="button" className={isSetUp ? controls.quiet : controls.button} onClick={onSetUp}>
          {isSetUp ? text.changeScorers : text.setUp}
        </button>
        <p className={controls.hint}>
          {!isSetUp ? text.unset : lines === 0 ? text.noneForThese : text.takes(lines, questions)}
          {isSetUp && host !== undefined && lines > 0 && `, ${text.sendsTo(host)}`}
        </p>
      </div>
      <p className={controls.visuallyHidden} role="status">
        {run.scores !== undefined && !isWorking ? text.done : ''}
      </p>
    </>
  );
}
