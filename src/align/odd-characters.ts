/** Characters that a reader does not see, by what they do. */
const ODD_CHARACTERS = {
  /** Reverse or isolate the direction of what follows: text may read otherwise than it is. */
  direction: /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g,
  /** C0 and C1 controls but tab and line ends, and the invisible joiners and marks. */
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  control: /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u00AD\u200B\u2060\uFEFF]/g,
  /** Halves of characters: tokenizers read U+FFFD in their place. */
  broken: /\p{Surrogate}/gu,
} as const;

export type OddCharacters = Record<keyof typeof ODD_CHARACTERS, number>;

/** How many of each kind stand in a text; undefined for none. */
export function countOddCharacters(text: string): OddCharacters | undefined {
  const count = (kind: keyof typeof ODD_CHARACTERS) => text.match(ODD_CHARACTERS[kind])?.length ?? 0;
  const counts: OddCharacters = { direction: count('direction'), control: count('control'), broken: count('broken') };
  return counts.direction + counts.control + counts.broken === 0 ? undefined : counts;
}

export function removeOddCharacters(text: string): string {
  return Object.values(ODD_CHARACTERS).reduce((rest, pattern) => rest.replace(pattern, ''), text);
}
