import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { asObject, asString, corrupt } from './json.ts';

/**
 * A `{ "String": … }` or `{ "Regex": … }` of tokenizer.json as a global, Unicode-aware RegExp. The file's regular
 * expressions are Oniguruma's, where `(?i:…)`, `\s` and `\d` mean other than in JavaScript; the library rewrites them.
 */
export function readPattern(value: unknown, path: string): RegExp {
  const pattern = asObject(value, path);
  if (pattern.String !== undefined) return literalPattern(asString(pattern.String, `${path}.String`));
  const source = asString(pattern.Regex, `${path}.Regex`);
  try {
    const { pattern: compiled } = new SplitPreTokenizer({
      type: 'Split',
      pattern: { Regex: source },
      behavior: 'Isolated',
      invert: false,
    });
    if (compiled !== null) return compiled;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw corrupt(`${path}.Regex`, 'a regular expression', source);
}

/** Matches exactly `text`. */
export function literalPattern(text: string): RegExp {
  return new RegExp(escapeRegExp(text), 'gu');
}

export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
}
