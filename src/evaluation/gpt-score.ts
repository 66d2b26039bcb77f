/** What stands between a text and its reference: GPTScore's words for saying one thing twice. */
const BETWEEN = '\nIn other words,';

export interface ScoredPrompt {
  prompt: string;
  /** Where the text that is scored begins, in characters (code points) of the prompt. */
  targetStart: number;
}

/**
 * The prompt whose end is scored: the reference after the generated text, as BARTScore here.
 *
 * @see Fu et al. 2023, arXiv 2302.04166, with its "In other words" template
 */
export function gptScorePrompt(text: string, reference: string): ScoredPrompt {
  const given = text.trim() + BETWEEN;
  return { prompt: `${given} ${reference.trim()}`, targetStart: [...given].length };
}

/** A token of a prompt as a completions server tells it. */
export interface PromptToken {
  text: string;
  /** Null for the first, which nothing stands before. */
  logProbability: number | null;
}

/**
 * Mean log-probability of the tokens that hold some of the target. What a server wrote behind the prompt is not among them.
 *
 * @returns undefined where no token does
 */
export function gptScore(tokens: readonly PromptToken[], { prompt, targetStart }: ScoredPrompt): number | undefined {
  const promptEnd = [...prompt].length;
  let offset = 0;
  let [sum, count] = [0, 0];
  for (const { text, logProbability } of tokens) {
    const start = offset;
    offset += [...text].length;
    // An empty one is half of a character, which another token shows.
    const isTarget = offset > targetStart || (text === '' && start >= targetStart);
    if (start >= promptEnd || !isTarget || logProbability === null) continue;
    sum += logProbability;
    count += 1;
  }
  return count === 0 ? undefined : sum / count;
}
