import { PYTHON_WHITESPACE } from '../align/python-text.ts';
import { countNgrams, sharedNgrams } from './ngrams.ts';

const MAX_ORDER = 4;

/**
 * Corpus BLEU with one reference for each hypothesis: 13a tokens, n-grams up to 4, no smoothing.
 *
 * @param hypotheses  one for each row
 * @param references  as many
 * @returns 0 to 1
 * @throws RangeError for lists of unequal length or without a row
 * @see sacrebleu 2.6, BLEU(smooth_method="none"), whose score is 100 times this
 */
export function corpusBleu(hypotheses: readonly string[], references: readonly string[]): number {
  if (hypotheses.length === 0 || references.length !== hypotheses.length) {
    throw new RangeError(`${hypotheses.length} texts and ${references.length} references cannot be compared.`);
  }
  const matches = new Array<number>(MAX_ORDER).fill(0);
  const totals = new Array<number>(MAX_ORDER).fill(0);
  let hypothesisTokens = 0;
  let referenceTokens = 0;
  for (const [i, hypothesis] of hypotheses.entries()) {
    const tokens = tokenize13a(hypothesis);
    const wanted = tokenize13a(references[i]!);
    hypothesisTokens += tokens.length;
    referenceTokens += wanted.length;
    for (let order = 1; order <= MAX_ORDER; order++) {
      matches[order - 1]! += sharedNgrams(countNgrams(tokens, order), countNgrams(wanted, order));
      totals[order - 1]! += Math.max(0, tokens.length - order + 1);
    }
  }
  if (matches.some((count) => count === 0)) return 0;
  const logPrecision = matches.reduce((sum, count, i) => sum + Math.log(count / totals[i]!), 0) / MAX_ORDER;
  const brevity = hypothesisTokens < referenceTokens ? Math.exp(1 - referenceTokens / hypothesisTokens) : 1;
  return brevity * Math.exp(logPrecision);
}

const WHITESPACE = new RegExp(PYTHON_WHITESPACE, 'u');
const TRAILING_WHITESPACE = new RegExp(`${PYTHON_WHITESPACE}$`, 'u');

/**
 * Tokens of mteval-v13a.
 *
 * @see sacrebleu, tokenizers/tokenizer_13a.py and tokenizer_re.py
 */
export function tokenize13a(text: string): string[] {
  const plain = text
    .replace(TRAILING_WHITESPACE, '')
    .replaceAll('<skipped>', '')
    .replaceAll('-\n', '')
    .replaceAll('\n', ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
  return ` ${plain} `
    .replace(/([{-~[-` -&(-+:-@/])/gu, ' $1 ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/gu, '$1 $2 ')
    .split(WHITESPACE)
    .filter((token) => token !== '');
}
