import { asArray, asBoolean, asId, asObject, asString, type JsonObject } from './json.ts';
import type { Normalizer } from './normalizer.ts';
import { escapeRegExp } from './pattern.ts';

/** A token that was added to the vocabulary, and that text is searched for unless it is special. */
export interface AddedToken {
  id: number;
  content: string;
  /** Markers such as BOS. */
  isSpecial: boolean;
  /** Only where no letter, digit or underscore touches it. */
  isSingleWord: boolean;
  /** Takes the white space before it. */
  stripsLeft: boolean;
  stripsRight: boolean;
  /** Looked for in the normalized text, in its own normalized form. */
  isNormalized: boolean;
}

/** The list in tokenizer.json, and what tokenizer_config.json adds to it. */
export function readAddedTokens(tokenizerJson: JsonObject, tokenizerConfig: JsonObject): AddedToken[] {
  const listPath = 'tokenizer.json: added_tokens';
  const tokens = asArray(tokenizerJson.added_tokens ?? [], listPath).map((entry, i) => {
    const config = asObject(entry, `${listPath}[${i}]`);
    return readAddedToken(config, asId(config.id, `${listPath}[${i}].id`), `${listPath}[${i}]`);
  });
  const known = new Set(tokens.map((token) => token.id));
  const mapPath = 'tokenizer_config.json: added_tokens_decoder';
  for (const [key, entry] of Object.entries(asObject(tokenizerConfig.added_tokens_decoder ?? {}, mapPath))) {
    const id = asId(Number(key), `${mapPath} (key ${JSON.stringify(key)})`);
    const path = `${mapPath}[${key}]`;
    if (!known.has(id)) tokens.push(readAddedToken(asObject(entry, path), id, path));
  }
  return tokens;
}

function readAddedToken(config: JsonObject, id: number, path: string): AddedToken {
  const isSpecial = asBoolean(config.special, `${path}.special`, false);
  return {
    id,
    content: asString(config.content, `${path}.content`),
    isSpecial,
    isSingleWord: asBoolean(config.single_word, `${path}.single_word`, false),
    stripsLeft: asBoolean(config.lstrip, `${path}.lstrip`, false),
    stripsRight: asBoolean(config.rstrip, `${path}.rstrip`, false),
    isNormalized: asBoolean(config.normalized, `${path}.normalized`, !isSpecial),
  };
}

/** A stretch of text, or the added token that stood there. */
export type Section = string | number;

/**
 * Finds the added tokens in a text: leftmost, the longest of several. Special ones are found and left as text, so
 * user input never becomes one (Hugging Face's `split_special_tokens=True`).
 */
export class AddedTokenSplitter {
  readonly #verbatim: TokenSearch;
  readonly #normalized: TokenSearch;
  readonly #normalize: Normalizer;

  constructor(tokens: readonly AddedToken[], normalize: Normalizer) {
    const isNormalized = (token: AddedToken) => token.isNormalized;
    this.#verbatim = new TokenSearch(tokens.filter((token) => !isNormalized(token)).map((t) => [t.content, t]));
    this.#normalized = new TokenSearch(tokens.filter(isNormalized).map((t) => [normalize(t.content), t]));
    this.#normalize = normalize;
  }

  /** @returns normalized text and token ids, in order */
  split(text: string): Section[] {
    return this.#verbatim
      .split(text)
      .flatMap((section) => (typeof section === 'number' ? section : this.#normalized.split(this.#normalize(section))));
  }
}

class TokenSearch {
  readonly #tokens: ReadonlyMap<string, AddedToken>;
  /** Undefined when there is nothing to find. */
  readonly #pattern: RegExp | undefined;

  constructor(tokens: readonly (readonly [spelling: string, token: AddedToken])[]) {
    this.#tokens = new Map(tokens.filter(([spelling]) => spelling !== ''));
    const spellings = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
    const isAllSpecial = [...this.#tokens.values()].every((token) => token.isSpecial);
    this.#pattern = isAllSpecial ? undefined : new RegExp(spellings.map(escapeRegExp).join('|'), 'gu');
  }

  split(text: string): Section[] {
    const sections: Section[] = [];
    let end = 0;
    for (const match of this.#pattern === undefined ? [] : text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(match[0]);
      let from = match.index;
      let to = from + match[0].length;
      if (token === undefined || token.isSpecial || from < end) continue;
      if (
        token.isSingleWord &&
        (/[\p{L}\p{N}_]$/u.test(text.slice(Math.max(0, from - 2), from)) ||
          /^[\p{L}\p{N}_]/u.test(text.slice(to, to + 2)))
      )
        continue;
      if (token.stripsLeft) while (from > end && isSpace(text[from - 1])) from--;
      if (token.stripsRight) while (to < text.length && isSpace(text[to])) to++;
      if (from > end) sections.push(text.slice(end, from));
      sections.push(token.id);
      end = to;
    }
    if (end < text.length) sections.push(text.slice(end));
    return sections;
  }
}

const isSpace = (character = '') => /^\p{White_Space}$/u.test(character);
