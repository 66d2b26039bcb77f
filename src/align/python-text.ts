/**
 * A run of what Python takes for white space, as a regular expression's source: not JavaScript's `\s`, which has U+FEFF and
 * lacks U+001C to U+001F and U+0085.
 */
export const PYTHON_WHITESPACE =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';

const ENDS = new RegExp(`^${PYTHON_WHITESPACE}|${PYTHON_WHITESPACE}$`, 'gu');

/** Python's `str.strip()`. */
export function stripPython(text: string): string {
  return text.replace(ENDS, '');
}
