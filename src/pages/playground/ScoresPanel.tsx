import { useMemo, useRef } from 'react';

import { isWhole } from '../../align/alignment.ts';
import { diffEdit } from '../../align/diff.ts';
import { reviewedText, reviewParts } from '../../align/review.ts';
import { gainOf } from '../../align/scores.ts';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import { Scores } from '../../components/Scores/Scores.tsx';
import { ScoringDialog } from '../../components/ScoringDialog/ScoringDialog.tsx';
import { ScoringProgress } from '../../components/ScoringDialog/ScoringProgress.tsx';
import { SureButton } from '../../components/SureButton/SureButton.tsx';
import { formatModelName } from '../../format.ts';
import { chosenObjectives } from '../../state/draft-store.ts';
import type { Run } from '../../state/run-slice.ts';
import { costOf } from '../../state/score-texts.ts';
import { isUpToDate } from '../../state/scores-slice.ts';
import { judgeOrigin, scoringPlan } from '../../state/scoring-plan.ts';
import { useApp, useCurrentTemplate, useDraft, useSettings, useStores } from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import { FINAL_LIMIT } from './final-limit.ts';
import styles from './ScoresPanel.module.css';

const text = strings.scores;

type Done = Extract<Run, { status: 'done' }>;

/** What scorers make of original, edit and reviewed text. */
export function ScoresPanel() {
  const dialog = useRef<HTMLDialogElement>(null);
  const run = useApp((app) => app.run);
  const done = run.status === 'done' && run.edit !== '' ? run : undefined;
  const template = useCurrentTemplate();
  const objectiveKeys = useDraft((draft) => draft.objectiveKeys);
  const customObjectives = useDraft((draft) => draft.customObjectives);
  const objectives = done?.request.objectives ?? chosenObjectives({ objectiveKeys, customObjectives }, template);
  const setUp = () => dialog.current?.showModal();
  return (
    <section className={classNames(controls.panel, styles.panel)} aria-labelledby="scores-title">
      <header className={styles.header}>
        <h2 id="scores-title">{text.title}</h2>
        <button type="button" className={controls.button} onClick={setUp}>
          {text.setUp}
        </button>
      </header>
      <div className={styles.body} tabIndex={0} role="group" aria-labelledby="scores-title">
        {done === undefined ? <p>{text.noEdit}</p> : <Content run={done} />}
        {(done?.request.template ?? template) === 'imhi' && <p className={controls.notice}>{text.noDiagnosis}</p>}
      </div>
      <ScoringDialog dialog={dialog} objectives={objectives} />
    </section>
  );
}

/** How much better each objective is, in one line. */
export function scoreSummary({ scores }: Pick<Done, 'scores'>): string {
  const lines = scores?.scores ?? [];
  const scorers = new Set(lines.map(({ scorer }) => scorer.name));
  return lines
    .flatMap(({ objective, scorer, original, edit }) => {
      const gain = gainOf(scorer, original, edit);
      const name = formatModelName(scorer.name.slice(scorer.name.lastIndexOf('/') + 1));
      return gain === undefined
        ? []
        : [text.short(objective.label, text.gain(gain), scorers.size > 1 ? name : undefined)];
    })
    .join(' · ');
}

/** What the decisions left; undefined without any. */
function useReviewedText({ request, edit, decisions, finishReason }: Done): string | undefined {
  return useMemo(() => {
    if (decisions.size === 0) return undefined;
    const changes = diffEdit(request.answer, edit, { isComplete: isWhole({ finishReason }), limit: FINAL_LIMIT });
    return reviewedText(reviewParts(changes), decisions);
  }, [request, edit, decisions, finishReason]);
}

function Content({ run }: { run: Done }) {
  const reviewed = useReviewedText(run);
  const { scores } = run;
  const hasScorer = (isOne: (scorer: NonNullable<typeof scores>['scores'][number]['scorer']) => boolean) =>
    scores?.scores.some(({ scorer }) => isOne(scorer)) ?? false;
  const isStale = scores !== undefined && !isUpToDate(scores, reviewed);
  const remarks = [
    ...(scores === undefined ? [] : [text.scoredBy(scores.scoredAt)]),
    ...(isStale ? [text.stale] : []),
    ...(hasScorer((scorer) => scorer.type === 'judge' && scorer.repeats > 1) ? [text.whyJudge] : []),
    ...(hasScorer((scorer) => scorer.type === 'judge' && scorer.repeats === 1) ? [text.whyJudgeOnce] : []),
    ...(hasScorer((scorer) => scorer.type === 'classifier') ? [text.whyClassifier] : []),
  ];
  return (
    <>
      <Actions run={run} reviewed={reviewed} />
      {scores !== undefined && scores.scores.length > 0 && (
        <>
          <Scores scores={scores.scores} isOfEarlierReview={isStale && scores.reviewedText !== undefined} />
          <p className={controls.hint}>{remarks.join(' ')}</p>
        </>
      )}
    </>
  );
}

function Actions({ run, reviewed }: { run: Done; reviewed: string | undefined }) {
  const scoring = useApp((app) => app.scoring);
  const agreedOrigin = useApp((app) => app.agreedOrigin);
  const score = useApp((app) => app.scoreRun);
  const agree = useApp((app) => app.agreeTo);
  const stop = useApp((app) => app.stopScoring);
  const chosen = useSettings((settings) => settings.scoring);
  const { settings } = useStores();
  const plan = scoringPlan({ ...settings.getState(), scoring: chosen });
  const origin = judgeOrigin(plan);
  const { lines, questions } = costOf({ request: run.request, reviewed }, plan);
  const isSetUp = plan.outputs.length > 0 || plan.judge !== 'none';
  const isWorking = scoring.status === 'running';
  const start = () => {
    agree(origin);
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
              className={run.scores === undefined ? controls.primary : controls.button}
              question={origin !== undefined && agreedOrigin !== origin ? text.sends(origin, questions) : undefined}
              sure={text.send}
              cancel={text.dontSend}
              onSure={start}
            >
              {label}
            </SureButton>
          )
        )}
        <p className={controls.hint}>
          {!isSetUp ? text.unset : lines === 0 ? text.noneForThese : text.takes(lines, questions)}
          {isSetUp && origin !== undefined && lines > 0 && ` ${text.sendsTo(origin)}`}
        </p>
      </div>
      <p className={controls.visuallyHidden} role="status">
        {run.scores !== undefined && !isWorking ? text.done : ''}
      </p>
    </>
  );
}
