import { expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import { EMPTY_REPORT } from '../evaluation/report/evaluation-report.ts';
import type { EvaluationClient } from '../worker-client/evaluation-client.ts';
import { createAppStore } from './app-store.ts';
import { fakeDependencies } from './fake-client.fixture.ts';

const REPORT = { ...EMPTY_REPORT, versions: { metaaligner: '1' } };

function setUp(evaluate: EvaluationClient['evaluate']) {
  return createAppStore(fakeDependencies({ evaluations: { evaluate } }));
}

const namesOf = (files: Parameters<EvaluationClient['evaluate']>[0]) => files.map(({ name }) => name).join();

it('evaluates files that are dropped together once, all of them again with each that comes, and forgets them', async () => {
  const asked: string[] = [];
  const store = setUp(async (files) => {
    asked.push(namesOf(files));
    return { report: REPORT, problems: new Map() };
  });
  const { addEvaluationFile, removeEvaluationFile } = store.getState();
  await Promise.all([addEvaluationFile(new File([], 'a.csv')), addEvaluationFile(new File([], 'b.csv'))]);
  await addEvaluationFile(new File([], 'c.csv'));
  await removeEvaluationFile(0);
  expect(asked).toEqual(['a.csv,b.csv', 'a.csv,b.csv,c.csv', 'b.csv,c.csv']);
  expect(store.getState().evaluation).toEqual({ status: 'idle', report: REPORT });
  store.getState().closeEvaluation();
  expect(store.getState()).toMatchObject({ evaluation: { report: undefined }, evaluationFiles: [] });
});

it('keeps the problem of a file beside it, and has no report where no file can be used', async () => {
  const problem = new AlignError('invalid-request', 'a.csv has no rows.').toJSON();
  const store = setUp(async () => ({ report: REPORT, problems: new Map([[0, problem]]) }));
  await store.getState().addEvaluationFile(new File([], 'a.csv'));
  expect(store.getState().evaluation).toEqual({ status: 'idle', report: undefined });
  expect(store.getState().evaluationFiles[0]!.problem).toEqual(problem);
  await store.getState().addEvaluationFile(new File([], 'b.csv'));
  expect(store.getState().evaluation.report).toBe(REPORT);
});

it('gives up an evaluation whose files are no longer wanted, and shows nothing of it', async () => {
  let seen: AbortSignal | undefined;
  const store = setUp((_files, _onFile, signal) => {
    seen = signal;
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  });
  const running = store.getState().addEvaluationFile(new File([], 'a.csv'));
  await Promise.resolve();
  expect(store.getState().evaluation.status).toBe('running');
  await Promise.resolve();
  store.getState().closeEvaluation();
  await running;
  expect(seen?.aborted).toBe(true);
  expect(store.getState().evaluation).toEqual({ status: 'idle', report: undefined });
});

it('keeps the report of before when the worker fails', async () => {
  let isBroken = false;
  const store = setUp(async () => {
    if (isBroken) throw new AlignError('worker-crashed', 'It stopped.');
    return { report: REPORT, problems: new Map() };
  });
  await store.getState().addEvaluationFile(new File([], 'a.csv'));
  isBroken = true;
  await store.getState().addEvaluationFile(new File([], 'b.csv'));
  expect(store.getState().evaluation).toMatchObject({ status: 'failed', report: REPORT });
});
