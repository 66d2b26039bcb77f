import type { StateCreator } from 'zustand/vanilla';

import { AlignError, type AlignErrorData } from '../align/errors.ts';
import { lineKey, type ObjectiveScore, type ScoreReport } from '../align/scores.ts';
import { rowRequest, type RowState } from '../batch/page-batch.ts';
import type { SourceRow } from '../batch/row-format.ts';
import type { ServedClassifier } from '../worker-client/scores-client.ts';
import type { PickedFile } from '../worker-client/model-library.ts';
import type {
  ClassifierInfo,
  ClassifierLocation,
  ClassifierProgress,
  ClassifierRequest,
  KeptClassifier,
} from '../../workers/scores-protocol.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { isAbort, toErrorData } from './error-data.ts';
import { costOf, type JudgeAtHand, type Scorers, scoreTexts, type TextsToScore } from './score-texts.ts';
import type { ScoringSettings } from './scoring-settings.ts';

/** Who is to score, and what getting a classifier needs. */
export interface ScoringPlan extends Omit<ScoringSettings, 'isAutomatic'> {
  device: ClassifierRequest['device'];
  hubEndpoint: string;
  hubToken: string;
}

/** What is scored at the moment, and how far it is. */
export type Scoring =
  | { status: 'idle' }
  | {
      status: 'running';
      of: 'run' | 'batch';
      done: number;
      all: number;
      /** Of a classifier that is being loaded. */
      progress: ClassifierProgress | undefined;
    }
  | { status: 'failed'; of: 'run' | 'batch'; error: AlignErrorData };

type ServedState =
  | { status: 'none' | 'loading' }
  | { status: 'ready'; classifiers: readonly ServedClassifier[] }
  | { status: 'failed'; error: AlignErrorData };

/** A classifier that is being looked at, before its outputs are chosen. */
export type ClassifierOpening =
  | { status: 'opening'; id: string; progress: ClassifierProgress | undefined }
  | { status: 'failed'; id: string; error: AlignErrorData };

export interface ScoresSlice {
  servedClassifiers: ServedState;
  keptClassifiers: readonly KeptClassifier[];
  /** From the visitor's disk; forgotten with the page. */
  pickedClassifiers: readonly { id: string; name: string; pick: number; files: PickedFile[] }[];
  /** Of those that were opened since the page was. */
  classifierInfos: Readonly<Record<string, ClassifierInfo>>;
  classifierOpening: ClassifierOpening | undefined;
  /** Of judges behind an address, by their origin: one's is never sent to another. Forgotten with the page. */
  judgeKeys: Readonly<Record<string, string>>;
  /** Where the visitor agreed to send texts to, as `https://api.example`; forgotten with the page. */
  agreedOrigin: string | undefined;
  scoring: Scoring;
  /** Which classifiers there are: served, and kept in this browser. */
  listClassifiers: () => Promise<void>;
  /** Which are kept in this browser. */
  listKeptClassifiers: () => Promise<void>;
  /** @returns its id */
  pickClassifier: (files: readonly PickedFile[]) => string | undefined;
  /** Loads a classifier to see what its outputs are. */
  openClassifier: (id: string, plan: ScoringPlan) => Promise<ClassifierInfo | undefined>;
  closeOpening: () => void;
  /** Frees its space. @throws AlignError where the browser does not let it go */
  forgetClassifier: (reference: string) => Promise<void>;
  setJudgeKey: (origin: string, key: string) => void;
  agreeTo: (origin: string | undefined) => void;
  /**
   * Scores the edit on the page, and keeps the scores with it. What was scored of the same texts by the same judge is
   * not asked again, unless everything is. What there was stays until its successor is there.
   *
   * @param reviewed  what a person's decisions have left; undefined without any
   */
  scoreRun: (plan: ScoringPlan, reviewed: string | undefined) => Promise<void>;
  /** Scores the edited rows that this plan has not scored yet. */
  scoreBatch: (plan: ScoringPlan) => Promise<void>;
  /** What is scored already stays. Harmless without one. */
  stopScoring: () => void;
}

/** Of a judge behind an address. */
const ENDPOINT_CONCURRENCY = 4;
/** A verdict is a digit; a model in the page that reasons first has this much room for it. */
const MAX_REPLY_TOKENS = 64;

export function createScoresSlice({
  client,
  scores: scoresClient,
  judge: judgeClient,
  batches,
}: AppDependencies): StateCreator<AppState, [], [], ScoresSlice> {
  return (set, get) => {
    let current: AbortController | undefined;
    let opening: AbortController | undefined;
    let picks = 0;

    function locate(id: string, { hubEndpoint, hubToken }: ScoringPlan): ClassifierLocation {
      const kind = id.slice(0, id.indexOf(':'));
      const name = id.slice(id.indexOf(':') + 1);
      if (kind === 'hub') {
        return { kind, reference: name, endpoint: hubEndpoint, token: hubToken === '' ? undefined : hubToken };
      }
      if (kind === 'picked') {
        const picked = get().pickedClassifiers.find((one) => one.id === id);
        if (picked !== undefined) return { kind: 'files', name, pick: picked.pick, files: picked.files };
        throw new AlignError('weights-missing', `The folder “${name}” is not open any more. Pick it again.`);
      }
      const { servedClassifiers: served } = get();
      const found = served.status === 'ready' ? served.classifiers.find((one) => one.id === name) : undefined;
      if (found !== undefined) return { kind: 'url', baseUrl: found.baseUrl };
      throw new AlignError('weights-missing', `This page’s server has no classifier ${name} any more.`);
    }

    async function open(
      id: string,
      plan: ScoringPlan,
      signal: AbortSignal,
      onProgress: (progress: ClassifierProgress) => void,
    ): Promise<ClassifierInfo & { name: string }> {
      if (id.startsWith('served:') && get().servedClassifiers.status !== 'ready') await get().listClassifiers();
      const request = { id, location: locate(id, plan), device: plan.device };
      const info = await scoresClient.open(request, onProgress, signal);
      set({ classifierInfos: { ...get().classifierInfos, [id]: info } });
      return { ...info, name: id.slice(id.indexOf(':') + 1) };
    }

    /** @param stop  ends the scoring with an error that is no matter of one question */
    function judgeOf(plan: ScoringPlan, stop: (error: AlignError) => void): JudgeAtHand | undefined {
      const { judge, judgeUrl, judgeModel, repeats } = plan;
      switch (judge) {
        case 'none':
          return undefined;
        case 'page': {
          const { model } = get();
          if (model.status !== 'ready') {
            throw new AlignError(
              'invalid-request',
              'No model is loaded to judge with. Load one, or choose another scorer.',
            );
          }
          const { name } = model.model;
          if (model.info.device === 'server') throw cannotJudge(name, model.info.host);
          // Its ratings stand under its name: another model may be in use by now.
          const throwIfExchanged = (signal: AbortSignal) => {
            const { model: now } = get();
            if (now.status !== 'ready' || now.model !== model.model) stop(notInUse(name));
            signal.throwIfAborted();
          };
          return {
            scorer: { type: 'judge', name, host: undefined, repeats },
            concurrency: 1,
            async ask({ messages, temperature, repeat }, signal) {
              throwIfExchanged(signal);
              try {
                return await client.ask(
                  { messages: [...messages], temperature, seed: repeat, maxNewTokens: MAX_REPLY_TOKENS },
                  signal,
                );
              } finally {
                throwIfExchanged(signal);
              }
            },
          };
        }
        case 'endpoint': {
          const { host, origin } = new URL(judgeUrl);
          if (get().agreedOrigin !== origin) {
            throw new AlignError('invalid-request', `Nothing was sent: it was not agreed to send texts to ${origin}.`);
          }
          // An empty field is no key.
          const apiKey = get().judgeKeys[origin] || undefined;
          return {
            scorer: { type: 'judge', name: judgeModel, host, repeats },
            concurrency: ENDPOINT_CONCURRENCY,
            ask: (question, signal) => judgeClient.ask({ url: judgeUrl, model: judgeModel, apiKey }, question, signal),
          };
        }
        default:
          return judge satisfies never;
      }
    }

    const show = (changes: Partial<Extract<Scoring, { status: 'running' }>>) =>
      set(({ scoring }) => (scoring.status === 'running' ? { scoring: { ...scoring, ...changes } } : {}));

    /** @param work  is given who scores, and is over when everything is scored */
    async function run(
      of: 'run' | 'batch',
      plan: ScoringPlan,
      all: number,
      work: (scorers: Scorers, signal: AbortSignal, onStep: () => void) => Promise<void>,
    ): Promise<void> {
      current?.abort();
      const controller = new AbortController();
      current = controller;
      const { signal } = controller;
      // What no plan asks for any more gives its memory back.
      scoresClient.keepOnly(plan.outputs.map(({ classifierId }) => classifierId)).catch(() => {});
      set({ scoring: { status: 'running', of, done: 0, all, progress: undefined } });
      let done = 0;
      try {
        const scorers: Scorers = {
          outputs: plan.outputs,
          judge: judgeOf(plan, (error) => controller.abort(error)),
          async open(id, openSignal) {
            const info = await open(id, plan, openSignal, (progress) => current === controller && show({ progress }));
            if (current === controller) show({ progress: undefined });
            return info;
          },
          classify: (id, texts, classifySignal) => scoresClient.classify(id, texts, classifySignal),
        };
        await work(scorers, signal, () => {
          done += 1;
          if (current === controller) show({ done });
        });
        if (current === controller) set({ scoring: { status: 'idle' } });
      } catch (error) {
        if (current !== controller) return;
        set({ scoring: isAbort(error) ? { status: 'idle' } : { status: 'failed', of, error: toErrorData(error) } });
      } finally {
        if (current === controller) current = undefined;
      }
    }

    return {
      servedClassifiers: { status: 'none' },
      keptClassifiers: [],
      pickedClassifiers: [],
      classifierInfos: {},
      classifierOpening: undefined,
      judgeKeys: {},
      agreedOrigin: undefined,
      scoring: { status: 'idle' },

      async listClassifiers() {
        if (get().servedClassifiers.status !== 'ready') set({ servedClassifiers: { status: 'loading' } });
        try {
          set({ servedClassifiers: { status: 'ready', classifiers: await scoresClient.list() } });
        } catch (error) {
          set({ servedClassifiers: { status: 'failed', error: toErrorData(error) } });
        }
        await get().listKeptClassifiers();
      },

      async listKeptClassifiers() {
        // Where the browser keeps nothing there is nothing to list, and getting one says why.
        set({ keptClassifiers: await scoresClient.kept().catch(() => []) });
      },

      pickClassifier(files) {
        const name = files[0]?.path.split('/')[0];
        if (name === undefined) return undefined;
        const id = `picked:${name}`;
        const inside = files.map(({ path, blob }) => ({ path: path.split('/').slice(1).join('/'), blob }));
        const others = get().pickedClassifiers.filter((one) => one.id !== id);
        picks += 1;
        set({ pickedClassifiers: [{ id, name, pick: picks, files: inside }, ...others] });
        return id;
      },

      async openClassifier(id, plan) {
        opening?.abort();
        const controller = new AbortController();
        opening = controller;
        set({ classifierOpening: { status: 'opening', id, progress: undefined } });
        try {
          const info = await open(id, plan, controller.signal, (progress) => {
            if (opening === controller) set({ classifierOpening: { status: 'opening', id, progress } });
          });
          if (opening === controller) set({ classifierOpening: undefined });
          if (id.startsWith('hub:')) await get().listKeptClassifiers();
          return info;
        } catch (error) {
          if (opening !== controller) return undefined;
          set({ classifierOpening: isAbort(error) ? undefined : { status: 'failed', id, error: toErrorData(error) } });
          return undefined;
        }
      },

      closeOpening() {
        opening?.abort();
        opening = undefined;
        set({ classifierOpening: undefined });
      },

      async forgetClassifier(reference) {
        await scoresClient.forget(reference);
        await get().listKeptClassifiers();
      },

      setJudgeKey: (origin, key) => set(({ judgeKeys }) => ({ judgeKeys: { ...judgeKeys, [origin]: key } })),
      agreeTo: (agreedOrigin) => set({ agreedOrigin }),

      async scoreRun(plan, reviewed) {
        const { run: scored } = get();
        if (scored.status !== 'done') return;
        const { id, request, edit } = scored;
        const cost = costOf({ request, reviewed }, plan);
        const before = linesFor(scored.scores, reviewed);
        const isComplete =
          isUpToDate(scored.scores, reviewed) &&
          before.length === cost.lines &&
          before.every((line) => reviewed === undefined || line.reviewed !== undefined);
        const texts: TextsToScore = { request, edit, reviewed, before: isComplete ? undefined : scored.scores };
        const { lines, questions } = cost;
        await run('run', plan, lines + questions, async (scorers, signal, onStep) => {
          const scoredAt = Date.now();
          const keep = async (scores: readonly ObjectiveScore[]) => {
            const report: ScoreReport = { scoredAt, reviewedText: reviewed, scores };
            set(({ run: latest }) =>
              latest.status === 'done' && latest.id === id ? { run: { ...latest, scores: report } } : {},
            );
            await get().keepScores(id, report);
          };
          // Each line replaces the one before it: what a stop leaves undone keeps its number.
          let shown = before;
          const scores: ObjectiveScore[] = [];
          for await (const score of scoreTexts(texts, scorers, signal, onStep)) {
            scores.push(score);
            shown = withLine(shown, score);
            await keep(shown);
          }
          if (scores.length > 0 && scores.length < shown.length) await keep(scores);
        });
      },

      async scoreBatch(plan) {
        const { batch } = get();
        if (batch.status !== 'ready' || batch.activity !== 'resting' || batch.job.plan === undefined) return;
        const { job, rows } = batch;
        const { settings } = batch.job.plan;
        const scoredWith = nameOfPlan(plan);
        const todo = rowsToScore(rows, batch.results, plan);
        await run('batch', plan, todo.length, async (scorers, signal, onStep) => {
          const work = async () => {
            const kept = await batches.load();
            if (kept !== undefined && kept.job.id !== job.id) {
              throw new AlignError(
                'invalid-request',
                'Another file was opened in another tab. Close this one and open it again.',
              );
            }
            for (const row of todo) {
              signal.throwIfAborted();
              const state = batch.results.get(row.index);
              if (state === undefined || !('edit' in state)) continue;
              const request = rowRequest(row, job.columns, settings);
              const texts: TextsToScore = { request, edit: state.edit, reviewed: undefined, before: undefined };
              const scores = [];
              for await (const score of scoreTexts(texts, scorers, signal, () => {})) scores.push(score);
              const report = { scoredAt: Date.now(), reviewedText: undefined, scores };
              await get().keepRowScores(job.id, { ...state, scores: report, scoredWith });
              onStep();
            }
          };
          await get().inBatchTurn(work);
        });
      },

      stopScoring() {
        current?.abort();
      },
    };
  };
}

function notInUse(name: string): AlignError {
  return new AlignError(
    'invalid-request',
    `${name} is not in use any more, so its scoring has stopped; what is scored stays. Choose it again, or score with the model that is in use.`,
    { details: { name } },
  );
}

/** A MetaAligner server writes edits for the page; it has no chat for it. */
function cannotJudge(name: string, host: string): AlignError {
  return new AlignError(
    'invalid-request',
    `${name} runs at ${host}, which writes edits and does not rate texts. Nothing was sent. Load a chat model on this device, or choose “A server” as the judge and give it the address of a chat.`,
    { details: { name, host } },
  );
}

/** Whether the scores are of the text that is shown; scoring again then asks everything anew. */
export function isUpToDate(report: ScoreReport | undefined, reviewed: string | undefined): boolean {
  return report !== undefined && report.reviewedText === reviewed;
}

/** Lines of a report that hold for the texts as they are now: of a reviewed text, only where it is the same. */
function linesFor(report: ScoreReport | undefined, reviewed: string | undefined): readonly ObjectiveScore[] {
  if (report === undefined || isUpToDate(report, reviewed)) return report?.scores ?? [];
  return report.scores.map((line) => ({
    ...line,
    reviewed: undefined,
    comparison: line.comparison && { ...line.comparison, reviewed: undefined },
  }));
}

function withLine(lines: readonly ObjectiveScore[], line: ObjectiveScore): readonly ObjectiveScore[] {
  const key = lineKey(line);
  if (!lines.some((one) => lineKey(one) === key)) return [...lines, line];
  return lines.map((one) => (lineKey(one) === key ? line : one));
}

/** Edited rows that this plan has not scored. */
export function rowsToScore(
  rows: readonly SourceRow[],
  results: ReadonlyMap<number, RowState>,
  plan: ScoringPlan,
): SourceRow[] {
  const name = nameOfPlan(plan);
  return rows.filter(({ index }) => {
    const state = results.get(index);
    return state !== undefined && 'edit' in state && state.edit !== '' && state.scoredWith !== name;
  });
}

/** Scores of another plan are replaced. */
function nameOfPlan({ outputs, judge, judgeUrl, judgeModel, repeats }: ScoringPlan): string {
  return JSON.stringify([outputs, judge, judge === 'endpoint' && [judgeUrl, judgeModel], judge !== 'none' && repeats]);
}
