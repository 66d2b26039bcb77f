import type { StateCreator } from 'zustand/vanilla';

import type { AlignErrorData } from '../align/errors.ts';
import type { EvaluationReport } from '../evaluation/report/evaluation-report.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { isAbort, toErrorData } from './error-data.ts';

/** What came of the files so far. The report before stays in sight until there is a new one. */
export type Evaluation =
  | { status: 'idle'; report: EvaluationReport | undefined }
  | { status: 'running'; report: EvaluationReport | undefined; finished: number }
  | { status: 'failed'; report: EvaluationReport | undefined; error: AlignErrorData };

export interface EvaluatedFile {
  file: File;
  problem: AlignErrorData | undefined;
}

/** Files to evaluate, and their report. They outlive the view, not the page. */
export interface EvaluationSlice {
  evaluation: Evaluation;
  evaluationFiles: readonly EvaluatedFile[];
  /** Puts a file beside those before; all are evaluated anew. */
  addEvaluationFile: (file: File) => Promise<void>;
  /** @param index  its place in the list */
  removeEvaluationFile: (index: number) => Promise<void>;
  closeEvaluation: () => void;
}

export function createEvaluationSlice({
  evaluations,
}: AppDependencies): StateCreator<AppState, [], [], EvaluationSlice> {
  return (set, get) => {
    let current = new AbortController();

    /** Of all files as they are now; one that runs for the files before is given up. */
    const evaluate = async () => {
      current.abort(new DOMException('Other files', 'AbortError'));
      const own = (current = new AbortController());
      const { report } = get().evaluation;
      set({ evaluation: { status: 'running', report, finished: 0 } });
      // Several files are dropped at once, and told of one by one.
      await Promise.resolve();
      if (own.signal.aborted) return;
      const files = get().evaluationFiles.map(({ file }) => file);
      try {
        const found = await evaluations.evaluate(
          files.map((file) => ({ name: file.name, content: file })),
          (finished) => own === current && set({ evaluation: { status: 'running', report, finished } }),
          own.signal,
        );
        if (own !== current) return;
        const evaluationFiles = files.map((file, i) => ({ file, problem: found.problems.get(i) }));
        const isEmpty = found.problems.size === files.length;
        set({ evaluation: { status: 'idle', report: isEmpty ? undefined : found.report }, evaluationFiles });
      } catch (error) {
        if (isAbort(error) || own !== current) return;
        set({ evaluation: { status: 'failed', report, error: toErrorData(error) } });
      }
    };

    const closeEvaluation = () => {
      current.abort(new DOMException('Closed', 'AbortError'));
      set({ evaluation: { status: 'idle', report: undefined }, evaluationFiles: [] });
    };

    return {
      evaluation: { status: 'idle', report: undefined },
      evaluationFiles: [],

      async addEvaluationFile(file) {
        set(({ evaluationFiles }) => ({ evaluationFiles: [...evaluationFiles, { file, problem: undefined }] }));
        await evaluate();
      },

      async removeEvaluationFile(index) {
        const evaluationFiles = get().evaluationFiles.filter((_, i) => i !== index);
        if (evaluationFiles.length === 0) return closeEvaluation();
        set({ evaluationFiles });
        await evaluate();
      },

      closeEvaluation,
    };
  };
}
