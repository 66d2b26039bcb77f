import { spellBytes } from './byte-alphabet.ts';
import { asBoolean, asString, corrupt, pipelineSteps, unsupported, type PipelineStep } from './json.ts';
import { literalPattern, readPattern } from './pattern.ts';

/**
 * Splits a normalized text into the words that merges stay within.
 *
 * @param isStart  the text is the beginning of what was given to `encode`, not what follows an added token
 */
export type PreTokenizer = (text: string, isStart: boolean) => readonly string[];

type SplitWord = (word: string, isStart: boolean) => readonly string[];

/** @see https://huggingface.co/docs/tokenizers/api/pre-tokenizers */
export function readPreTokenizer(value: unknown, path: string): PreTokenizer {
  const steps = pipelineSteps(value, 'pretokenizers', path).map(readStep);
  return (text, isStart) => {
    let words: readonly string[] = [text];
    for (const step of steps) words = words.flatMap((word, i) => step(word, isStart && i === 0));
    return words;
  };
}

/**
 * GPT-2's words: contractions, then letters, numbers or other signs with at most one space before, then runs of
 * spaces. `\s` is spelled out: JavaScript's counts U+FEFF as a space and U+0085 as none, Oniguruma the reverse.
 */
const GPT2_WORDS =
  /'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

function readStep({ type, config, path }: PipelineStep): SplitWord {
  switch (type) {
    case 'ByteLevel': {
      const addsSpace = asBoolean(config.add_prefix_space, `${path}.add_prefix_space`, true);
      const splits = asBoolean(config.use_regex, `${path}.use_regex`, true);
      return (word) => {
        const text = addsSpace && !word.startsWith(' ') ? ` ${word}` : word;
        return (splits ? (text.match(GPT2_WORDS) ?? []) : [text]).map(spellBytes);
      };
    }
    case 'Digits': {
      const isIndividual = asBoolean(config.individual_digits, `${path}.individual_digits`, false);
      const pattern = isIndividual ? /\p{N}|\P{N}+/gu : /\p{N}+|\P{N}+/gu;
      return (word) => word.match(pattern) ?? [];
    }
    case 'Metaspace':
      return readMetaspace(config, path);
    case 'Split':
      return readSplit(config, path);
    default:
      throw unsupported(path, `the pre-tokenizer ${type}`);
  }
}

function readMetaspace(config: PipelineStep['config'], path: string): SplitWord {
  const mark = asString(config.replacement ?? '▁', `${path}.replacement`);
  // Files before tokenizers 0.15 say `add_prefix_space` and have no `prepend_scheme`.
  const addsSpace = asBoolean(config.add_prefix_space, `${path}.add_prefix_space`, true);
  const scheme = asString(config.prepend_scheme ?? (addsSpace ? 'always' : 'never'), `${path}.prepend_scheme`);
  if (!['always', 'first', 'never'].includes(scheme)) {
    throw corrupt(`${path}.prepend_scheme`, '"always", "first" or "never"', scheme);
  }
  const splits = asBoolean(config.split, `${path}.split`, true);
  return (word, isStart) => {
    const marked = word.replaceAll(' ', mark);
    const isPrefixed = scheme === 'always' || (scheme === 'first' && isStart);
    const text = isPrefixed && !marked.startsWith(mark) ? mark + marked : marked;
    return splits ? splitBefore(text, mark) : [text];
  };
}

/** 'a▁▁b' gives 'a', '▁', '▁b'. */
function splitBefore(text: string, mark: string): string[] {
  const parts = text.split(mark);
  return parts.map((part, i) => (i === 0 ? part : mark + part)).filter((part) => part !== '');
}

function readSplit(config: PipelineStep['config'], path: string): SplitWord {
  const pattern =
    typeof config.pattern === 'string'
      ? literalPattern(config.pattern)
      : readPattern(config.pattern, `${path}.pattern`);
  const behavior = asString(config.behavior, `${path}.behavior`).toLowerCase();
  const isInverted = asBoolean(config.invert, `${path}.invert`, false);
  if (behavior !== 'isolated' && behavior !== 'removed') throw unsupported(path, `a Split that is ${behavior}`);
  return (word) => {
    const parts: string[] = [];
    const add = (part: string, isMatch: boolean) => {
      if (part !== '' && (behavior === 'isolated' || isMatch === isInverted)) parts.push(part);
    };
    let end = 0;
    for (const match of word.matchAll(pattern)) {
      add(word.slice(end, match.index), false);
      add(match[0], true);
      end = match.index + match[0].length;
    }
    add(word.slice(end), false);
    return parts;
  };
}
