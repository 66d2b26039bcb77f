import type { Command } from 'commander';
import { formatMessages, isMessages } from '../../src/batch/columns.ts';
import type { SourceRow } from '../../src/batch/row-format.ts';
import { type SplitPair, splitPair } from '../../src/datasets/hh-rlhf.ts';
import { openRowSource, requireColumns, type RowSource } from './row-source.ts';

/** Where the user says that the texts are. */
export interface PairColumnOptions {
  promptColumn?: string;
  chosenColumn?: string;
  rejectedColumn?: string;
}

export function addPairColumnOptions(command: Command): Command {
  return command
    .option('--prompt-column <name>', 'prompts; without such a column (prompt) dialogues are split')
    .option('--chosen-column <name>', 'chosen responses, dialogues or messages (chosen_response, chosen)')
    .option('--rejected-column <name>', 'rejected ones (rejected_response, rejected)');
}

/** Preference pairs in a file of any form. */
export interface PairSource {
  source: RowSource;
  /** @returns what is wrong with the row, if it cannot be used */
  readPair: (row: SourceRow) => SplitPair | { problem: string };
}

/**
 * Opens a file of pairs: a split one (prompt, chosen_response, rejected_response), HH-RLHF's own dialogues (chosen,
 * rejected), or another one whose columns are named. A cell may hold chat messages.
 *
 * @throws as `openRowSource` and `requireColumns`
 */
export async function openPairs(path: string, options: PairColumnOptions): Promise<PairSource> {
  const source = await openRowSource(path);
  const pick = (given: string | undefined, ...names: [string, ...string[]]) =>
    given ?? names.find((name) => source.columns.includes(name)) ?? names.at(-1)!;
  const prompt = options.promptColumn ?? (source.columns.includes('prompt') ? 'prompt' : undefined);
  const chosen = pick(options.chosenColumn, 'chosen_response', 'chosen');
  const rejected = pick(options.rejectedColumn, 'rejected_response', 'rejected');
  requireColumns(source, [...(prompt === undefined ? [] : [prompt]), chosen, rejected]);
  return {
    source,
    readPair({ cells, problem }) {
      if (problem !== undefined) return { problem };
      return readPair(prompt === undefined ? undefined : cells[prompt], cells[chosen], cells[rejected]);
    },
  };
}

/** @param prompt  undefined where the file has none: it is a part of the dialogues */
function readPair(prompt: unknown, chosen: unknown, rejected: unknown): SplitPair | { problem: string } {
  const pair =
    isMessages(chosen) && isMessages(rejected)
      ? splitMessages(chosen, rejected)
      : prompt === undefined
        ? splitTexts(chosen, rejected)
        : joinTexts(isMessages(prompt) ? formatMessages(prompt, 'hh-rlhf') : prompt, chosen, rejected);
  if ('problem' in pair) return pair;
  return pair.chosen === '' || pair.rejected === '' ? { problem: 'A response is empty.' } : pair;
}

type Messages = Parameters<typeof formatMessages>[0];

function splitMessages(chosen: Messages, rejected: Messages): SplitPair | { problem: string } {
  const split = (messages: Messages) => ({
    prompt: formatMessages(messages.slice(0, -1), 'hh-rlhf'),
    last: messages.at(-1),
  });
  const [one, other] = [split(chosen), split(rejected)];
  if (one.last?.role !== 'assistant' || other.last?.role !== 'assistant') {
    return { problem: 'chosen or rejected does not end in a message of the assistant.' };
  }
  const hasOtherPrompt = one.prompt !== other.prompt;
  return { prompt: one.prompt, chosen: one.last.content, rejected: other.last.content, hasOtherPrompt };
}

function splitTexts(chosen: unknown, rejected: unknown): SplitPair | { problem: string } {
  const pair = typeof chosen === 'string' && typeof rejected === 'string' ? splitPair(chosen, rejected) : undefined;
  return pair ?? { problem: 'chosen or rejected is no dialogue with an “Assistant:” turn.' };
}

function joinTexts(prompt: unknown, chosen: unknown, rejected: unknown): SplitPair | { problem: string } {
  if (typeof prompt !== 'string' || typeof chosen !== 'string' || typeof rejected !== 'string') {
    return { problem: 'The prompt or a response is no text.' };
  }
  return { prompt, chosen, rejected, hasOtherPrompt: false };
}
