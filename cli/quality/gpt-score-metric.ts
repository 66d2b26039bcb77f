import { AlignError } from '../../src/align/errors.ts';
import type { ModelEndpoint } from '../../src/batch/post-with-back-off.ts';
import { promptTokens } from '../../src/batch/prompt-tokens-endpoint.ts';
import { runBatch } from '../../src/batch/run-batch.ts';
import { gptScore, gptScorePrompt, type ScoredPrompt } from '../../src/evaluation/gpt-score.ts';
import { note, ProgressLine } from '../terminal.ts';
import { meanOf, type TextMetric } from './text-metric.ts';

/** GPTScore by a completions server that tells log-probabilities. */
export function createGptScore(endpoint: ModelEndpoint, concurrency: number, signal: AbortSignal): TextMetric {
  const scoreRows = async (texts: readonly string[], references: readonly string[]) => {
    const scores = new Array<number | null>(texts.length).fill(null);
    const progress = new ProgressLine();
    let [done, failed] = [0, 0];
    let reason = '';
    const items = async function* () {
      for (const [row, text] of texts.entries()) {
        yield { row, set: 0, work: gptScorePrompt(text, references[row]!) };
      }
    };
    await runBatch(items(), {
      concurrency,
      signal,
      run: async (work: ScoredPrompt, runSignal) => {
        const score = gptScore(await promptTokens(endpoint, work.prompt, { signal: runSignal }), work);
        if (score !== undefined) return { score };
        throw new AlignError('invalid-request', 'No token of the reference has a log-probability.');
      },
      record: async (result) => {
        done += 1;
        if ('error' in result) {
          failed += 1;
          reason = result.error.message;
        } else {
          scores[result.row] = result.score;
        }
        progress.show('GPTScore', done / texts.length, `${done} of ${texts.length}`);
      },
    });
    progress.end();
    if (failed === texts.length) throw new AlignError('invalid-request', `No row has a GPTScore: ${reason}`);
    if (failed > 0) note(`${failed} rows have no GPTScore and are left out of its mean: ${reason}`);
    return scores;
  };
  return {
    score: async (texts, references) => ({ gptScore: meanOf(await scoreRows(texts, references)) }),
    scoreRows,
    dispose: async () => undefined,
  };
}
