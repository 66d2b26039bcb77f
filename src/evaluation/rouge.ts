import { countNgrams, sharedNgrams } from './ngrams.ts';

/** F-measures, 0 to 1. */
export interface Rouge {
  rouge1: number;
  rouge2: number;
  rougeL: number;
}

/**
 * ROUGE of one text against one reference, without stemming.
 *
 * @see rouge_score 0.1.2, RougeScorer(["rouge1", "rouge2", "rougeL"])
 */
export function rouge(text: string, reference: string): Rouge {
  const tokens = tokenize(text);
  const wanted = tokenize(reference);
  return {
    rouge1: ngramF1(tokens, wanted, 1),
    rouge2: ngramF1(tokens, wanted, 2),
    rougeL: f1(longestCommonSubsequence(tokens, wanted), tokens.length, wanted.length),
  };
}

/** @throws RangeError for lists of unequal length or without a row */
export function meanRouge(texts: readonly string[], references: readonly string[]): Rouge {
  if (texts.length === 0 || references.length !== texts.length) {
    throw new RangeError(`${texts.length} texts and ${references.length} references cannot be compared.`);
  }
  const rows = texts.map((text, i) => rouge(text, references[i]!));
  const mean = (key: keyof Rouge) => rows.reduce((sum, row) => sum + row[key], 0) / rows.length;
  return { rouge1: mean('rouge1'), rouge2: mean('rouge2'), rougeL: mean('rougeL') };
}

/** Runs of ASCII letters and digits in lower case; everything else separates. */
function tokenize(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((token) => token !== '');
}

function ngramF1(tokens: readonly string[], wanted: readonly string[], order: number): number {
  const matches = sharedNgrams(countNgrams(tokens, order), countNgrams(wanted, order));
  return f1(matches, tokens.length - order + 1, wanted.length - order + 1);
}

function f1(matches: number, found: number, wanted: number): number {
  const precision = matches / Math.max(found, 1);
  const recall = matches / Math.max(wanted, 1);
  return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
}

/** In one row of the table: memory is the shorter text's. */
function longestCommonSubsequence(one: readonly string[], other: readonly string[]): number {
  const [long, short] = one.length >= other.length ? [one, other] : [other, one];
  const lengths = new Uint32Array(short.length + 1);
  for (const token of long) {
    let diagonal = 0;
    for (let i = 1; i <= short.length; i++) {
      const above = lengths[i]!;
      lengths[i] = token === short[i - 1] ? diagonal + 1 : Math.max(above, lengths[i - 1]!);
      diagonal = above;
    }
  }
  return lengths[short.length]!;
}
