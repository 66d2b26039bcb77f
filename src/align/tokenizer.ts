import { AddedTokenSplitter, readAddedTokens } from './tokenizer/added-tokens.ts';
import { readBpe, readVocabulary } from './tokenizer/bpe.ts';
import { readDecoder } from './tokenizer/decoder.ts';
import { asBoolean, asObject, asString, corrupt, unsupported, type JsonObject } from './tokenizer/json.ts';
import { readNormalizer } from './tokenizer/normalizer.ts';
import { readPostProcessor, type Surround } from './tokenizer/post-processor.ts';
import { readPreTokenizer } from './tokenizer/pre-tokenizer.ts';

/** Text to token ids and back, as the checkpoint was trained. */
export interface Tokenizer {
  /** One more than the largest id. */
  readonly vocabularySize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number;

  /**
   * The tokenizer's own start (BOS for Llama), then the text. A `</s>` or `<s>` inside the text is text: user input
   * never becomes a special token. Half a surrogate pair is U+FFFD.
   *
   * @returns int32 [promptTokens]
   */
  encode(text: string): Int32Array;

  /**
   * Text of the ids, special tokens skipped. The result for a prefix may end in U+FFFD where a character is not
   * complete yet; without those it is a prefix of the whole. A SentencePiece tokenizer drops the one space that
   * stands before every text.
   */
  decode(tokenIds: readonly number[]): string;
}

/** A tokenizer that also makes prompts in which markers stand, as chats are. */
export interface ChatTokenizer extends Tokenizer {
  /** Markers such as BOS or a chat's turns, by their spelling. */
  readonly specialTokens: ReadonlyMap<string, number>;

  /**
   * Texts and tokens one after the other; nothing stands before or after them but what is given.
   *
   * @param sections  text, or a token's id
   * @returns int32 [promptTokens]
   */
  encodeSections(sections: readonly (string | number)[]): Int32Array;
}

/**
 * Reads Hugging Face's tokenizer files: byte-pair encoding, byte-level or with byte fallback. Gives the ids that
 * `tokenizer(text, split_special_tokens=True)` gives.
 *
 * @param tokenizerJson        parsed tokenizer.json
 * @param tokenizerConfigJson  parsed tokenizer_config.json
 * @throws AlignError `weights-corrupt` with the path of what is missing or of the wrong kind; `unsupported-model` that
 *   names a part that we do not run, such as a Unigram model
 */
export function loadTokenizer(tokenizerJson: unknown, tokenizerConfigJson: unknown): ChatTokenizer {
  const json = asObject(tokenizerJson, 'tokenizer.json');
  const config = asObject(tokenizerConfigJson, 'tokenizer_config.json');
  const model = asObject(json.model, 'tokenizer.json: model');
  // Files before tokenizers 0.9 name no type; merges tell.
  const modelType = asString(
    model.type ?? (model.merges === undefined ? undefined : 'BPE'),
    'tokenizer.json: model.type',
  );
  if (modelType !== 'BPE') throw unsupported('tokenizer.json: model', `of type ${modelType}`);

  const vocabulary = readVocabulary(model, 'tokenizer.json: model');
  const addedTokens = readAddedTokens(json, config);
  const idOfPiece = new Map([...vocabulary, ...addedTokens.map((token) => [token.content, token.id] as const)]);
  const pieceOfId = new Map([...idOfPiece].map(([piece, id]) => [id, piece]));
  if (pieceOfId.size === 0) throw corrupt('tokenizer.json: model.vocab', 'a list of pieces', {});

  const names = readSpecialNames(config);
  const eosTokenId = names.eos === undefined ? undefined : idOfPiece.get(names.eos);
  if (eosTokenId === undefined) {
    throw corrupt('tokenizer_config.json: eos_token', 'a token of the vocabulary', names.eos);
  }
  const bosTokenId = names.bos === undefined ? undefined : idOfPiece.get(names.bos);
  const specialIds = new Set(addedTokens.filter((token) => token.isSpecial).map((token) => token.id));
  for (const name of Object.values(names)) {
    const id = name === undefined ? undefined : idOfPiece.get(name);
    if (id !== undefined) specialIds.add(id);
  }

  const splitter = new AddedTokenSplitter(
    addedTokens.map((token) => ({ ...token, isSpecial: specialIds.has(token.id) })),
    readNormalizer(json.normalizer, 'tokenizer.json: normalizer'),
  );
  const splitWords = readPreTokenizer(json.pre_tokenizer, 'tokenizer.json: pre_tokenizer');
  const bpe = readBpe(model, 'tokenizer.json: model', vocabulary, specialIds);
  const surround =
    readPostProcessor(json.post_processor, 'tokenizer.json: post_processor') ??
    surroundOf(config, { bosTokenId, eosTokenId });
  const decodePieces = readDecoder(json.decoder, 'tokenizer.json: decoder');

  const encodeText = (text: string, isStart: boolean, ids: number[]) => {
    splitter.split(text.toWellFormed()).forEach((section, i) => {
      if (typeof section === 'number') ids.push(section);
      else for (const word of splitWords(section, isStart && i === 0)) bpe.encodeWord(word, ids);
    });
  };
  return {
    vocabularySize: [...pieceOfId.keys()].reduce((largest, id) => Math.max(largest, id), 0) + 1,
    bosTokenId,
    eosTokenId,
    encode(text) {
      const ids: number[] = [...surround.before];
      encodeText(text, true, ids);
      ids.push(...surround.after);
      return Int32Array.from(ids);
    },
    specialTokens: new Map([...specialIds].map((id) => [pieceOfId.get(id)!, id])),
    encodeSections(sections) {
      const ids: number[] = [];
      sections.forEach((section, i) => {
        if (typeof section === 'number') ids.push(section);
        else encodeText(section, i === 0, ids);
      });
      return Int32Array.from(ids);
    },
    decode(tokenIds) {
      const pieces: string[] = [];
      for (const id of tokenIds) {
        const piece = specialIds.has(id) ? undefined : pieceOfId.get(id);
        if (piece !== undefined) pieces.push(piece);
      }
      return decodePieces(pieces);
    },
  };
}

type SpecialNames = Record<'bos' | 'eos' | 'unk' | 'pad', string | undefined>;

/** Where the config names no token at all, the Llama classes have defaults. */
function readSpecialNames(config: JsonObject): SpecialNames {
  const isLlama = isLlamaClass(config);
  const read = (name: string, llamaDefault: string | undefined) => {
    const key = `${name}_token`;
    const value = config[key];
    if (value === undefined) return isLlama ? llamaDefault : undefined;
    if (value === null) return undefined;
    const path = `tokenizer_config.json: ${key}`;
    return typeof value === 'string' ? value : asString(asObject(value, path).content, `${path}.content`);
  };
  return { bos: read('bos', '<s>'), eos: read('eos', '</s>'), unk: read('unk', '<unk>'), pad: read('pad', undefined) };
}

function isLlamaClass(config: JsonObject): boolean {
  return typeof config.tokenizer_class === 'string' && /^(?:Code)?Llama/.test(config.tokenizer_class);
}

/** Without a post-processor the flags decide; the Llama classes add BOS unless told not to. */
function surroundOf(config: JsonObject, ids: { bosTokenId: number | undefined; eosTokenId: number }): Surround {
  const flag = (name: string, fallback: boolean) => asBoolean(config[name], `tokenizer_config.json: ${name}`, fallback);
  return {
    before: flag('add_bos_token', isLlamaClass(config)) && ids.bosTokenId !== undefined ? [ids.bosTokenId] : [],
    after: flag('add_eos_token', false) ? [ids.eosTokenId] : [],
  };
}
