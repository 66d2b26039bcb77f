import { memo, type ReactNode, type RefObject, useDeferredValue, useMemo, useRef, useState } from 'react';

import { isWhole } from '../../align/alignment.ts';
import { type Change, countChanges, diffEdit, StreamingDiff } from '../../align/diff.ts';
import { isDeviceFault } from '../../align/errors.ts';
import { changedShare, kindOfEdit, measureText } from '../../align/measures.ts';
import { reviewedText, reviewParts } from '../../align/review.ts';
import { CopyButton } from '../../components/CopyButton/CopyButton.tsx';
import { DiffLegend, DiffView } from '../../components/DiffView/DiffView.tsx';
import { ErrorBox } from '../../components/ErrorBox/ErrorBox.tsx';
import { Icon } from '../../components/Icon/Icon.tsx';
import { OfferServer } from '../../components/OfferServer/OfferServer.tsx';
import { ProgressBar } from '../../components/ProgressBar/ProgressBar.tsx';
import { Segmented } from '../../components/Segmented/Segmented.tsx';
import { paceTokensPerSecond, type Run } from '../../state/run-slice.ts';
import { EDIT_VIEWS, type EditView } from '../../state/settings-store.ts';
import { draftTexts } from '../../state/draft-store.ts';
import {
  useApp,
  useCurrentHost,
  useCurrentModel,
  useCurrentTemplate,
  useSettings,
  useStores,
} from '../../state/stores.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './EditPanel.module.css';
import { ReviewBar, reviewKey } from './ReviewBar.tsx';
import { FINAL_LIMIT } from './final-limit.ts';
import { scoreSummary } from './ScoresPanel.tsx';
import { ExportMenu } from './ExportMenu.tsx';
import { ShareButton } from './ShareButton.tsx';
import { useAlign } from './use-align.ts';
import { useFollowCaret } from './use-follow-caret.ts';
import { useIsStale } from './use-is-stale.ts';
import { type Review, useReview } from './use-review.ts';

const text = strings.edit;

/** While text streams the diff is made many times a second. */
const STREAMING_DIFF_MS = 10;
/** Characters of an edit that takes long to draw. */
const LONG_EDIT = 20_000;
const NOTHING_YET = { status: 'idle' } as const satisfies Run;

/** Characters without a change; from here on folding them is offered. */
const LONG_STRETCH = 600;

type Started = Exclude<Run, { status: 'idle' }>;
type Done = Extract<Run, { status: 'done' }>;

interface EditPanelProps {
  panel: RefObject<HTMLElement | null>;
  onShowScores: () => void;
}

/** The edit as it is written, beside its original, and how the run went. */
export function EditPanel({ panel, onShowScores }: EditPanelProps) {
  const latest = useApp((app) => app.run);
  // A long edit that is opened or decided on is drawn piece by piece, so that the page answers meanwhile.
  const drawn = useDeferredValue(latest, isLong(latest) ? NOTHING_YET : latest);
  const run = latest.status === 'running' ? latest : drawn;
  return (
    <section
      ref={panel}
      className={classNames(controls.panel, styles.panel)}
      aria-labelledby="edit-title"
      data-status={run.status}
    >
      {run.status === 'idle' ? <Empty /> : <Outcome run={run} onShowScores={onShowScores} />}
    </section>
  );
}

function isLong(run: Run): boolean {
  return 'edit' in run && run.edit.length > LONG_EDIT;
}

function Empty() {
  const host = useCurrentHost();
  return (
    <div className={styles.empty}>
      <h2 id="edit-title">{text.emptyTitle}</h2>
      <ol className={styles.steps}>
        {text.emptySteps.map(([title, detail], i) => (
          <li key={title}>
            <span className={styles.step}>{i + 1}</span>
            <div>
              <p className={styles.stepTitle}>{title}</p>
              <p className={controls.hint}>{detail}</p>
            </div>
          </li>
        ))}
      </ol>
      <p className={styles.private}>
        <Icon name={host === undefined ? 'lock' : 'server'} />
        {host === undefined ? strings.onDeviceWhy : strings.sentWhy(host)}
      </p>
    </div>
  );
}

const Outcome = memo(function Outcome({ run, onShowScores }: { run: Started; onShowScores: () => void }) {
  const view = useSettings((settings) => settings.editView);
  const change = useSettings((settings) => settings.change);
  const { draft } = useStores();
  const template = useCurrentTemplate();
  /** As the next answer of its own text; where another text is on the page by now, beside it. */
  const makeAnswer = () => {
    const { openRequest, setAnswer } = draft.getState();
    if (draftTexts(draft.getState(), template).answer === run.request.answer) setAnswer(reviewed);
    else openRequest({ ...run.request, answer: reviewed });
  };
  const [isFolded, setIsFolded] = useState(false);
  const body = useRef<HTMLDivElement>(null);
  const { onScroll } = useFollowCaret(body, run.edit);
  const isWriting = run.status === 'running';
  const hasText = run.edit !== '';
  const changes = useChanges(run);
  const parts = useMemo(() => reviewParts(changes), [changes]);
  const changeReview = useReview(run, parts.filter(({ type }) => type === 'change').length);
  const review: Review = {
    ...changeReview,
    startRewording() {
      // The edit alone has no marks, so no place to write at.
      if (view === 'clean' && review.current !== undefined) change({ editView: 'inline' });
      changeReview.startRewording();
    },
  };
  const reviewed = reviewedText(parts, review.decisions);
  const canFold = view !== 'clean' && parts.some((part) => part.type === 'kept' && part.text.length > LONG_STRETCH);

  return (
    <>
      <header className={styles.header}>
        <h2 id="edit-title">{text.title}</h2>
        {canFold && (
          <label className={styles.fold}>
            <input type="checkbox" checked={isFolded} onChange={(event) => setIsFolded(event.target.checked)} />
            {text.fold}
          </label>
        )}
        <Segmented<EditView>
          label={text.viewLabel}
          segments={EDIT_VIEWS.map((value) => ({ value, label: text.views[value] }))}
          value={view}
          onChange={(editView) => change({ editView })}
        />
      </header>
      <Status run={run} changes={changes} />
      {/* Focusable, so that it scrolls by keyboard. */}
      <div
        ref={body}
        className={styles.body}
        tabIndex={0}
        role="group"
        aria-label={text.title}
        aria-busy={isWriting}
        aria-keyshortcuts={review.changeCount > 0 ? 'n p a r e u A R' : undefined}
        onScroll={onScroll}
        onKeyDown={(event) => reviewKey(review, event)}
      >
        {run.status === 'failed' && hasText && <p className={styles.partial}>{text.partial}</p>}
        {(hasText || isWriting) && (
          <DiffView parts={parts} view={view} isWriting={isWriting} isFolded={isFolded} review={review} />
        )}
      </div>
      <footer className={styles.footer}>
        <ReviewBar review={review} onFocusLost={() => body.current?.focus({ preventScroll: true })} />
        <Statistics run={run} changes={changes} />
        {run.status === 'done' && hasText && <Measures run={run} changes={changes} reviewed={reviewed} />}
        {run.status === 'done' && run.scores !== undefined && (
          <p className={controls.hint}>
            <button type="button" className={styles.link} onClick={onShowScores}>
              {strings.scores.title}
            </button>{' '}
            {scoreSummary(run)}
          </p>
        )}
        <div className={styles.actions}>
          {view !== 'clean' && (hasText || isWriting) && (
            <DiffLegend hasPending={run.status !== 'done' || !isWhole(run)} />
          )}
          <span className={styles.spring} />
          {run.status === 'done' && hasText && (
            <>
              <ShareButton request={run.request} />
              <ExportMenu reviewed={{ alignment: run, parts, decisions: review.decisions, scores: run.scores }} />
              <button type="button" className={controls.quiet} onClick={makeAnswer}>
                <Icon name="reply" />
                {text.useAsAnswer}
              </button>
              <CopyButton text={reviewed} label={review.decisions.size > 0 ? text.review.copy : text.copy} />
            </>
          )}
          {run.status === 'failed' && hasText && <CopyButton text={run.edit} label={text.copy} />}
        </div>
      </footer>
    </>
  );
});

/** What the edit changed, as far as it is written. */
function useChanges(run: Started): readonly Change[] {
  const { request, edit } = run;
  const isRunning = run.status === 'running';
  const isComplete = run.status === 'done' && isWhole(run);
  const streaming = useMemo(() => new StreamingDiff(request.answer, STREAMING_DIFF_MS), [request]);
  return useMemo(
    () => (isRunning ? streaming.update(edit) : diffEdit(request.answer, edit, { isComplete, limit: FINAL_LIMIT })),
    [streaming, request, edit, isComplete, isRunning],
  );
}

/** What is happening, or how it ended and what to do. */
function Status({ run, changes }: { run: Started; changes: readonly Change[] }) {
  const isStale = useIsStale(run.request);
  const otherRevision = useOtherRevision(run);
  const { align } = useAlign();
  const host = useCurrentHost();
  switch (run.status) {
    case 'running': {
      const { start, pace, readTokens } = run;
      const promptTokens = start?.promptTokens;
      const isReading = pace === undefined && promptTokens !== undefined && readTokens > 0;
      const isCapped = start !== undefined && start.maxNewTokens < start.requestedNewTokens;
      return (
        <div className={styles.status}>
          <ProgressBar label={text.title} fraction={isReading ? readTokens / promptTokens : undefined} />
          <p className={controls.hint}>
            {pace === undefined ? text.reading(promptTokens, readTokens) : text.writing}
            {pace && start && ` ${text.outOf(pace.latest.editTokens, start.maxNewTokens)}`}
            {host !== undefined && ` ${text.sending(host)}`}
          </p>
          {isCapped && <p className={controls.hint}>{text.capped(start.maxNewTokens, start.requestedNewTokens)}</p>}
        </div>
      );
    }
    case 'done':
      return (
        <div className={styles.status}>
          <Finish run={run} changes={changes} />
          <p className={controls.hint}>
            {text.writtenBy(run.model)}
            {otherRevision !== undefined && ` ${text.otherRevision(otherRevision)}`}
            {isStale && ` ${text.stale}`}
          </p>
        </div>
      );
    case 'failed':
      return (
        <div className={styles.status}>
          <ErrorBox error={run.error}>
            <button type="button" className={controls.button} onClick={() => void align()}>
              {strings.error.retry}
            </button>
            {isDeviceFault(run.error) && <OfferServer onReady={() => void align()} />}
          </ErrorBox>
        </div>
      );
    default:
      return run satisfies never;
  }
}

/** The commit that wrote the edit, where the model that is here by that name is of another. */
function useOtherRevision(run: Started): string | undefined {
  const model = useCurrentModel();
  if (run.status !== 'done' || model?.id !== run.model.id || model.revision === run.model.revision) return undefined;
  return run.model.revision;
}

function Finish({ run, changes }: { run: Done; changes: readonly Change[] }) {
  const { finishReason, start, edit, request } = run;
  const isCapped = start !== undefined && start.maxNewTokens < start.requestedNewTokens;
  if (finishReason === 'length') {
    const limit = start?.maxNewTokens ?? request.maxNewTokens;
    return (
      <div className={controls.notice}>
        <p>
          <strong>{text.finish.length}</strong>
        </p>
        <p>{isCapped ? text.lengthRemedyContext(limit) : text.lengthRemedy(limit)}</p>
      </div>
    );
  }
  return (
    <p className={controls.hint}>
      {text.finish[finishReason]}
      {finishReason === 'stop' && (edit.trim() === '' ? ` ${text.emptyEdit}` : <Kind run={run} changes={changes} />)}
    </p>
  );
}

/** What kind of edit it is, before a word of it is read. */
function Kind({ run: { request, edit }, changes }: { run: Done; changes: readonly Change[] }) {
  const count = countChanges(changes);
  const kind = kindOfEdit(request.answer.trim(), edit.trim(), count);
  return (
    <>
      {' '}
      <strong className={styles.kind} data-kind={kind}>
        {text.kinds[kind](count, changedShare(count))}
      </strong>
    </>
  );
}

interface MeasuresProps {
  run: Done;
  changes: readonly Change[];
  reviewed: string;
}

/** Lengths and readability of original and reviewed text, computed here, once they are asked for. */
function Measures(props: MeasuresProps) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className={controls.disclosure} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary className={controls.hint}>{text.measures.title}</summary>
      {isOpen && <MeasureList {...props} />}
    </details>
  );
}

function MeasureList({ run, changes, reviewed }: MeasuresProps) {
  const original = run.request.answer;
  const [before, after] = useMemo(() => [measureText(original), measureText(reviewed)], [original, reviewed]);
  const { measures } = text;
  const rows: [string, string, string | undefined][] = [
    [measures.words, measures.count(before.words), measures.count(after.words)],
    [measures.sentences, measures.count(before.sentences), measures.count(after.sentences)],
    [measures.readingEase, measures.score(before.readingEase), measures.score(after.readingEase)],
    [measures.repetition, measures.share(before.repetition), measures.share(after.repetition)],
    [measures.changed, measures.share(changedShare(countChanges(changes))), undefined],
  ];
  return (
    <>
      <dl className={styles.statistics}>
        {rows.map(([name, from, to]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{to === undefined ? from : measures.fromTo(from, to)}</dd>
          </div>
        ))}
      </dl>
      <p className={controls.hint}>{measures.why}</p>
    </>
  );
}

function Statistics({ run, changes }: { run: Started; changes: readonly Change[] }) {
  const entries = statistics(run, changes);
  return (
    <dl className={styles.statistics}>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function statistics(run: Started, changes: readonly Change[]): [string, ReactNode][] {
  const { stats } = text;
  switch (run.status) {
    case 'failed':
      return [];
    case 'running': {
      const { start, pace } = run;
      const rate = pace && paceTokensPerSecond(pace);
      return [
        ...entry(stats.prompt, start?.promptTokens, stats.tokens),
        ...entry(stats.edit, pace?.latest.editTokens, stats.tokens),
        ...entry(stats.firstToken, pace?.first.elapsedMs, stats.duration),
        ...entry(stats.speed, rate, stats.rate),
      ];
    }
    case 'done': {
      const { usage, timings } = run;
      const { insertedWords, deletedWords } = countChanges(changes);
      return [
        ...entry(stats.prompt, usage.promptTokens, stats.tokens),
        ...entry(stats.edit, usage.editTokens, stats.tokens),
        ...entry(stats.firstToken, timings.timeToFirstTokenMs, stats.duration),
        ...entry(stats.speed, timings.tokensPerSecond, stats.rate),
        ...entry(stats.perStep, usage.steps > 0 ? usage.editTokens / usage.steps : undefined, stats.perStepOf),
        ...entry(stats.total, timings.totalMs, stats.duration),
        [stats.changes, stats.change(insertedWords, deletedWords)],
      ];
    }
    default:
      return run satisfies never;
  }
}

function entry(name: string, value: number | undefined, format: (value: number) => string): [string, string][] {
  return value === undefined ? [] : [[name, format(value)]];
}
