import { openBartCheckpoint } from '../../src/convert/checkpoint/open-bart.ts';
import { parseJsonObject } from '../../src/convert/checkpoint/json-reader.ts';
import { convertBart } from '../../src/convert/bart/convert-bart.ts';
import { openNodeFolder } from '../../src/weights/node-folder.ts';
import { ProgressLine } from '../terminal.ts';
import { startConvertedSession } from './converted-session.ts';
import { meanOf, type TextMetric } from './text-metric.ts';

export interface BartScoreOptions {
  /** A BART's folder as published. */
  folder: string;
  threads: number | undefined;
}

/** BARTScore of references after generated texts, with a BART that is converted for this run. */
export async function startBartScore({ folder, threads }: BartScoreOptions, signal: AbortSignal): Promise<TextMetric> {
  const { BartScorer } = await import('../../src/engines/bart-scorer.ts');
  const checkpoint = await openBartCheckpoint(await openNodeFolder(folder));
  const { tokenizerJson, tokenizerConfigJson } = checkpoint.tokenizer;
  const tokenizer = {
    tokenizerJson: parseJsonObject(tokenizerJson, 'tokenizer.json'),
    tokenizerConfigJson: parseJsonObject(tokenizerConfigJson, 'tokenizer_config.json'),
  };
  const { remove, ...started } = await startConvertedSession(
    (target) => convertBart(checkpoint, target, { signal }),
    threads,
  );
  const scorer = new BartScorer({ config: checkpoint.config, ...tokenizer, ...started });
  const scoreRows = async (texts: readonly string[], references: readonly string[]) => {
    const scores: number[] = [];
    const progress = new ProgressLine();
    for (const [i, text] of texts.entries()) {
      signal.throwIfAborted();
      scores.push(await scorer.score(text, references[i]!));
      progress.show('BARTScore', scores.length / texts.length, `${scores.length} of ${texts.length}`);
    }
    progress.end();
    return scores;
  };
  return {
    score: async (texts, references) => ({ bartScore: meanOf(await scoreRows(texts, references)) }),
    scoreRows,
    dispose: async () => {
      await scorer.dispose();
      await remove();
    },
  };
}
