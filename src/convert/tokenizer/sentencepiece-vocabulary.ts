import { AlignError } from '../../align/errors.ts';
import { byteToken } from '../../align/tokenizer/bpe.ts';
import { type RoleIds, type TokenizerFiles, type TokenizerParts, writeTokenizerFiles } from './tokenizer-files.ts';

/** SentencePiece's own numbers, used in GGUF as well. */
export const PIECE_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface SentencePiece {
  piece: string;
  /** Of two possible merges the one whose result has the higher score comes first. */
  score: number;
  /** One of {@link PIECE_TYPE}. */
  type: number;
}

/** A BPE vocabulary of SentencePiece, wherever it was stored. */
export interface SentencePieceVocabulary {
  /** The file, for errors. */
  name: string;
  /** By id. */
  pieces: readonly SentencePiece[];
  hasByteFallback: boolean;
  /** A text is read as if a space stood before it. */
  addsSpacePrefix: boolean;
  roles: RoleIds;
  addsBos: boolean;
  addsEos: boolean;
}

/** No vocabulary comes near (Llama's longest piece has 16); bounds the time that a hostile one can take. */
const MAX_PIECE_LENGTH = 1024;

/**
 * The form of `LlamaTokenizerFast` with `legacy=True`, which gives SentencePiece's own ids.
 *
 * @throws AlignError `checkpoint-corrupt` with the id and the piece that is wrong
 */
export function sentencePieceFiles(vocabulary: SentencePieceVocabulary): TokenizerFiles {
  checkPieces(vocabulary);
  const { pieces, roles, addsSpacePrefix } = vocabulary;
  return writeTokenizerFiles({
    pieces: pieces.map(({ piece }) => piece),
    merges: mergesFromScores(pieces),
    addedTokens: addedTokensOf(
      pieces.map(({ type }) => type),
      roles,
    ),
    roles,
    addsBos: vocabulary.addsBos,
    addsEos: vocabulary.addsEos,
    model: {
      unk_token: roles.unk === undefined ? null : (pieces[roles.unk]?.piece ?? null),
      fuse_unk: true,
      byte_fallback: vocabulary.hasByteFallback,
      ignore_merges: false,
    },
    normalizer: {
      type: 'Sequence',
      normalizers: [
        ...(addsSpacePrefix ? [{ type: 'Prepend', prepend: '▁' }] : []),
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    preTokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(addsSpacePrefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
  });
}

/**
 * Which tokens stand outside the merges: markers, which text never becomes, and the user-defined ones.
 *
 * @param types  of {@link PIECE_TYPE}, by id
 */
export function addedTokensOf(types: readonly number[], roles: RoleIds): TokenizerParts['addedTokens'] {
  const special = new Set<number | undefined>(Object.values(roles));
  types.forEach((type, id) => {
    if (type === PIECE_TYPE.control || type === PIECE_TYPE.unknown) special.add(id);
  });
  const userDefined = types.flatMap((type, id) => (type === PIECE_TYPE.userDefined && !special.has(id) ? [id] : []));
  return [...special, ...userDefined]
    .filter((id) => id !== undefined)
    .sort((a, b) => a - b)
    .map((id) => ({ id, special: special.has(id) }));
}

function checkPieces({ name, pieces, roles, hasByteFallback }: SentencePieceVocabulary): void {
  const fail = (message: string, details: Record<string, unknown>) =>
    new AlignError('checkpoint-corrupt', `${name}: ${message}`, { details });
  const idOf = new Map<string, number>();
  pieces.forEach(({ piece, score, type }, id) => {
    const other = idOf.get(piece);
    const shown = JSON.stringify(piece.slice(0, 80));
    if (other !== undefined) throw fail(`pieces ${other} and ${id} are both ${shown}.`, { id, other });
    if (piece === '') throw fail(`piece ${id} is empty.`, { id });
    if (piece.length > MAX_PIECE_LENGTH) {
      throw fail(`piece ${id} has ${piece.length} characters; at most ${MAX_PIECE_LENGTH} are possible.`, { id });
    }
    if (!Number.isFinite(score)) throw fail(`piece ${id}, ${shown}, has the score ${score}.`, { id, score });
    if (!Object.values<number>(PIECE_TYPE).includes(type)) {
      throw fail(`piece ${id}, ${shown}, has the unknown type ${type}.`, { id, type });
    }
    idOf.set(piece, id);
  });
  for (const [role, id] of Object.entries(roles) as [string, number | undefined][]) {
    if (id !== undefined && pieces[id] === undefined) {
      throw fail(`the ${role} token has id ${id}, and there are ${pieces.length} pieces.`, { role, id });
    }
  }
  if (!hasByteFallback) return;
  for (let byte = 0; byte < 256; byte++) {
    const id = idOf.get(byteToken(byte));
    if (id === undefined) throw fail(`it falls back to bytes and has no piece ${byteToken(byte)}.`, { byte });
  }
}

/**
 * SentencePiece merges the pair whose result scores highest; a merge list says the same with one line per way to put a
 * piece together. Of a piece's ways the one with the longest left part comes first, which agrees with SentencePiece's
 * leftmost-first on runs of one character.
 *
 * Only pieces that text can become take part: control, unknown and byte pieces have names that a user could type.
 *
 * @see transformers 4.57 convert_slow_tokenizer.py, `generate_merges` with scores. Version 5's reader of
 *   tokenizer.model orders by id instead and puts `▁▁`, whose score is -1e9, first.
 */
function mergesFromScores(pieces: readonly SentencePiece[]): (readonly [string, string])[] {
  const mergeable = new Set(
    pieces.flatMap(({ piece, type }) => (type === PIECE_TYPE.normal || type === PIECE_TYPE.unused ? [piece] : [])),
  );
  const merges: { left: string; right: string; score: number; leftLength: number; rightLength: number }[] = [];
  for (const { piece, score } of pieces) {
    if (!mergeable.has(piece)) continue;
    const characters = [...piece];
    let at = 0;
    for (let leftLength = 1; leftLength < characters.length; leftLength++) {
      at += characters[leftLength - 1]?.length ?? 0;
      const left = piece.slice(0, at);
      const right = piece.slice(at);
      if (mergeable.has(left) && mergeable.has(right)) {
        merges.push({ left, right, score, leftLength, rightLength: characters.length - leftLength });
      }
    }
  }
  // Stable, so equals stay in the order of their ids.
  merges.sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength);
  return merges.map(({ left, right }) => [left, right] as const);
}
