import { parseJsonObject } from '../checkpoint/json-reader.ts';

/** What a converted folder holds of a tokenizer: the texts of tokenizer.json and tokenizer_config.json. */
export interface TokenizerFiles {
  tokenizerJson: string;
  tokenizerConfigJson: string;
}

/** The template of a chat model where tokenizer_config.json has it; it may come in a file of its own. */
export function withChatTemplate(files: TokenizerFiles, template: string | undefined): TokenizerFiles {
  if (template === undefined) return files;
  const config = parseJsonObject(files.tokenizerConfigJson, 'tokenizer_config.json');
  if (config.chat_template !== undefined) return files;
  return { ...files, tokenizerConfigJson: JSON.stringify({ ...config, chat_template: template }, null, 2) };
}

/** Ids of the tokens with a role; undefined where the model has none. */
export interface RoleIds {
  bos: number | undefined;
  eos: number;
  unk: number | undefined;
  pad: number | undefined;
}

export interface TokenizerParts {
  /** By id. */
  pieces: readonly string[];
  /** The most urgent first. */
  merges: readonly (readonly [left: string, right: string])[];
  /** Found in text as they are (`special` false) or never (`special` true). */
  addedTokens: readonly { id: number; special: boolean }[];
  roles: RoleIds;
  addsBos: boolean;
  addsEos: boolean;
  /** Members of `model` that differ between the kinds. */
  model: { unk_token: string | null; fuse_unk: boolean; byte_fallback: boolean; ignore_merges: boolean };
  /** As tokenizer.json has them; null for none. */
  normalizer: object | null;
  preTokenizer: object | null;
  decoder: object;
}

/** Writes the two files, in the form that Hugging Face's `PreTrainedTokenizerFast` reads as well. */
export function writeTokenizerFiles(parts: TokenizerParts): TokenizerFiles {
  const { pieces, roles } = parts;
  const pieceOf = (id: number) => pieces[id] ?? '';
  const nameOf = (id: number | undefined) => (id === undefined ? null : pieceOf(id));
  const starts = parts.addsBos && roles.bos !== undefined ? [roles.bos] : [];
  const ends = parts.addsEos ? [roles.eos] : [];
  const template = (sequence: 'A' | 'B', typeId: 0 | 1) => {
    const mark = (id: number) => ({ SpecialToken: { id: pieceOf(id), type_id: typeId } });
    return [...starts.map(mark), { Sequence: { id: sequence, type_id: typeId } }, ...ends.map(mark)];
  };
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: parts.addedTokens.map(({ id, special }) => ({
      id,
      content: pieces[id],
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special,
    })),
    normalizer: parts.normalizer,
    pre_tokenizer: parts.preTokenizer,
    post_processor: {
      type: 'TemplateProcessing',
      single: template('A', 0),
      pair: [...template('A', 0), ...template('B', 1)],
      special_tokens: Object.fromEntries(
        [...starts, ...ends].map((id) => [pieceOf(id), { id: pieceOf(id), ids: [id], tokens: [pieceOf(id)] }]),
      ),
    },
    decoder: parts.decoder,
    model: {
      type: 'BPE',
      dropout: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      ...parts.model,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: parts.merges,
    },
  };
  const config = {
    // The Llama class of transformers 5 makes a tokenizer of its own out of the vocabulary, and puts no space before a
    // text that begins with one. This class runs tokenizer.json as written.
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_bos_token: starts.length > 0,
    add_eos_token: ends.length > 0,
    bos_token: nameOf(roles.bos),
    eos_token: nameOf(roles.eos),
    unk_token: nameOf(roles.unk),
    pad_token: nameOf(roles.pad),
    clean_up_tokenization_spaces: false,
  };
  return { tokenizerJson: JSON.stringify(tokenizer), tokenizerConfigJson: JSON.stringify(config, null, 2) };
}
