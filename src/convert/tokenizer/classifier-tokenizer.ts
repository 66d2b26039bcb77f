import { corrupt, missing } from '../checkpoint/checkpoint-errors.ts';
import { type JsonObject, parseJsonObject } from '../checkpoint/json-reader.ts';
import type { ClassifierArchitecture } from '../classifier/classifier-config.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';

/** Texts of the files that a folder has. */
export interface ClassifierTokenizerTexts {
  tokenizerJson: string | undefined;
  tokenizerConfigJson: string | undefined;
  /** vocab.txt of WordPiece: a piece a line. */
  vocabularyText: string | undefined;
  /** vocab.json and merges.txt of GPT-2, RoBERTa and BART. */
  vocabularyJson: string | undefined;
  mergesText: string | undefined;
}

/**
 * The tokenizer of a classifier: tokenizer.json as it is, or made from the vocabulary files of older checkpoints.
 *
 * @throws AlignError `weights-missing` that names what is absent; `checkpoint-corrupt`
 */
export function classifierTokenizerFiles(
  { architecture }: { architecture: ClassifierArchitecture | 'roberta' | 'bart' },
  folderName: string,
  texts: ClassifierTokenizerTexts,
): TokenizerFiles {
  const tokenizerConfigJson = texts.tokenizerConfigJson ?? '{}\n';
  const config = parseJsonObject(tokenizerConfigJson, 'tokenizer_config.json');
  if (texts.tokenizerJson !== undefined) return { tokenizerJson: texts.tokenizerJson, tokenizerConfigJson };
  if (architecture === 'gpt2' || architecture === 'roberta' || architecture === 'bart') {
    const { vocabularyJson, mergesText } = texts;
    if (vocabularyJson === undefined || mergesText === undefined) {
      throw missing(folderName, 'there is neither tokenizer.json nor vocab.json with merges.txt');
    }
    const made = byteLevelTokenizer(vocabularyJson, mergesText);
    const tokenizer = architecture === 'gpt2' ? made : { ...made, ...robertaParts(made.model.vocab, config) };
    return { tokenizerJson: JSON.stringify(tokenizer), tokenizerConfigJson };
  }
  if (texts.vocabularyText === undefined) {
    throw missing(folderName, 'there is neither tokenizer.json nor vocab.txt');
  }
  return { tokenizerJson: JSON.stringify(wordPieceTokenizer(texts.vocabularyText, config)), tokenizerConfigJson };
}

/** @see transformers convert_slow_tokenizer.py, BertConverter */
function wordPieceTokenizer(text: string, config: JsonObject): object {
  const pieces = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (pieces.at(-1) === '') pieces.pop();
  const vocabulary: Record<string, number> = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  const nameOf = (key: string, fallback: string) => {
    const name = nameIn(config, key, fallback);
    if (typeof name === 'string' && Object.hasOwn(vocabulary, name)) return name;
    throw corrupt('vocab.txt', `it has no piece for ${key} (${String(name)})`, { key });
  };
  const unknown = nameOf('unk_token', '[UNK]');
  const [start, end] = [nameOf('cls_token', '[CLS]'), nameOf('sep_token', '[SEP]')];
  const specials = new Set([nameOf('pad_token', '[PAD]'), unknown, start, end, nameOf('mask_token', '[MASK]')]);
  const special = (id: string, typeId: number) => ({ SpecialToken: { id, type_id: typeId } });
  const sequence = (id: string, typeId: number) => ({ Sequence: { id, type_id: typeId } });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [...specials].map((content) => addedToken(vocabulary[content]!, content)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars !== false,
      strip_accents: typeof config.strip_accents === 'boolean' ? config.strip_accents : null,
      lowercase: config.do_lower_case !== false,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [special(start, 0), sequence('A', 0), special(end, 0)],
      pair: [special(start, 0), sequence('A', 0), special(end, 0), sequence('B', 1), special(end, 1)],
      special_tokens: Object.fromEntries([start, end].map((id) => [id, { id, ids: [vocabulary[id]], tokens: [id] }])),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unknown,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: vocabulary,
    },
  };
}

/**
 * What RoBERTa's and BART's tokenizer has that GPT-2's has not: a token on each side of a text, and special tokens.
 *
 * @see transformers convert_slow_tokenizer.py, RobertaConverter
 */
function robertaParts(vocabulary: JsonObject, config: JsonObject): object {
  const found = (key: string, fallback: string): [name: string, id: number][] => {
    const name = nameIn(config, key, fallback);
    const id = typeof name === 'string' && Object.hasOwn(vocabulary, name) ? vocabulary[name] : undefined;
    return typeof name === 'string' && typeof id === 'number' ? [[name, id]] : [];
  };
  const needed = (key: string, fallback: string): [name: string, id: number] => {
    const [one] = found(key, fallback);
    if (one !== undefined) return one;
    throw corrupt('vocab.json', `it has no piece for ${key} (${String(nameIn(config, key, fallback))})`, { key });
  };
  const [start, end] = [needed('cls_token', '<s>'), needed('sep_token', '</s>')];
  const others = [found('pad_token', '<pad>'), found('unk_token', '<unk>'), found('mask_token', '<mask>')];
  const specials = new Map([start, end, ...others.flat()]);
  const isSpaced = config.add_prefix_space === true;
  return {
    added_tokens: [...specials].map(([name, id]) => addedToken(id, name)),
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: isSpaced, trim_offsets: true, use_regex: true },
    post_processor: { type: 'RobertaProcessing', sep: end, cls: start, trim_offsets: true, add_prefix_space: isSpaced },
  };
}

/** @see transformers convert_slow_tokenizer.py, GPT2Converter */
function byteLevelTokenizer(vocabularyJson: string, mergesText: string) {
  const vocabulary = parseJsonObject(vocabularyJson, 'vocab.json');
  const merges = mergesText
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '' && !line.startsWith('#version'))
    .map((line) => line.split(' '));
  if (merges.some((pair) => pair.length !== 2)) {
    throw corrupt('merges.txt', 'a line is not two pieces with one space between them');
  }
  const end = '<|endoftext|>';
  const endId = vocabulary[end];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: typeof endId === 'number' ? [addedToken(endId, end)] : [],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocabulary,
      merges,
    },
  };
}

/** A special token is given by its name, or as an object that has it. */
function nameIn(config: JsonObject, key: string, fallback: string): unknown {
  const value = config[key] ?? fallback;
  return typeof value === 'object' ? (value as { content?: unknown }).content : value;
}

function addedToken(id: number, content: string): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}
