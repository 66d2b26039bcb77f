/** Languages that the page speaks; the first is the one that all others are translated from. */
export const LANGUAGES = ['en', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];

const STORAGE_KEY = 'metaaligner-language';

/** Of this page until it is opened anew: the one chosen before, else the first of the browser's that there is. */
export const language: Language = chosen() ?? preferred();

/** Takes effect when the page is opened anew. Does nothing where the browser keeps nothing. */
export function keepLanguage(next: Language): void {
  try {
    window.localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // Denied: the browser's own preference stays.
  }
}

function chosen(): Language | undefined {
  try {
    const stored = globalThis.localStorage?.getItem(STORAGE_KEY);
    return LANGUAGES.find((one) => one === stored);
  } catch {
    return undefined;
  }
}

/** Outside a browser, in tests, there is no preference. */
function preferred(): Language {
  const wanted = globalThis.navigator?.languages ?? [];
  const found = wanted.map((tag) => LANGUAGES.find((one) => tag.toLowerCase().startsWith(one)));
  return found.find((one) => one !== undefined) ?? LANGUAGES[0];
}
