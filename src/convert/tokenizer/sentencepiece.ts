import { AlignError } from '../../align/errors.ts';
import { type ProtobufField, readProtobuf } from './protobuf.ts';
import { PIECE_TYPE, type SentencePiece, sentencePieceFiles } from './sentencepiece-vocabulary.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';

/** `TrainerSpec.ModelType` */
const MODEL_TYPES = ['', 'Unigram', 'BPE', 'Word', 'Char'];

/**
 * Converts SentencePiece's `tokenizer.model` (a `ModelProto`), which Llama and Llama-2 checkpoints carry, to the files
 * that {@link loadTokenizer} reads. Text gets a BOS and no EOS, as Llama's tokenizer class does.
 *
 * @param name  for errors
 * @throws AlignError `checkpoint-corrupt` with the byte or piece that is wrong; `unsupported-model` for Unigram and
 *   other models than BPE, and for a normalizer that changes more than spaces
 * @see google/sentencepiece src/sentencepiece_model.proto, whose field numbers and defaults these are
 */
export function tokenizerFromSentencePiece(bytes: Uint8Array, name = 'tokenizer.model'): TokenizerFiles {
  const pieces: SentencePiece[] = [];
  const trainer = { modelType: 1, byteFallback: false, whitespaceAsSuffix: false, unk: 0, bos: 1, eos: 2, pad: -1 };
  const normalizer = { name: '', charsmapBytes: 0, addsPrefix: true, removesSpaces: true, escapesSpaces: true };
  for (const field of readProtobuf(bytes, name)) {
    switch (field.number) {
      case 1:
        pieces.push(readPiece(messageOf(field, name), name, pieces.length));
        break;
      case 2:
        for (const member of readProtobuf(messageOf(field, name), name)) {
          if (member.number === 3) trainer.modelType = int32Of(member, name);
          else if (member.number === 24) trainer.whitespaceAsSuffix = int32Of(member, name) !== 0;
          else if (member.number === 35) trainer.byteFallback = int32Of(member, name) !== 0;
          else if (member.number === 40) trainer.unk = int32Of(member, name);
          else if (member.number === 41) trainer.bos = int32Of(member, name);
          else if (member.number === 42) trainer.eos = int32Of(member, name);
          else if (member.number === 43) trainer.pad = int32Of(member, name);
        }
        break;
      case 3:
        for (const member of readProtobuf(messageOf(field, name), name)) {
          if (member.number === 1) normalizer.name = textOf(member, name);
          else if (member.number === 2) normalizer.charsmapBytes = messageOf(member, name).length;
          else if (member.number === 3) normalizer.addsPrefix = int32Of(member, name) !== 0;
          else if (member.number === 4) normalizer.removesSpaces = int32Of(member, name) !== 0;
          else if (member.number === 5) normalizer.escapesSpaces = int32Of(member, name) !== 0;
        }
        break;
    }
  }
  if (pieces.length === 0) throw new AlignError('checkpoint-corrupt', `${name} holds no pieces.`);

  const refuse = (what: string) =>
    new AlignError('unsupported-model', `${name} ${what}; only BPE models that keep the text as it is are read.`);
  if (trainer.modelType !== 2) {
    throw refuse(`is a ${MODEL_TYPES[trainer.modelType] || `type ${trainer.modelType}`} model`);
  }
  if (normalizer.charsmapBytes > 0) throw refuse(`normalizes text with the table ${JSON.stringify(normalizer.name)}`);
  if (normalizer.removesSpaces) throw refuse('removes repeated spaces');
  if (!normalizer.escapesSpaces || trainer.whitespaceAsSuffix) throw refuse('marks spaces in another way than Llama');
  if (trainer.eos < 0) throw refuse('has no end-of-sequence token');

  // The pieces say which is unknown; the trainer's number may be the default.
  const unk = pieces.findIndex(({ type }) => type === PIECE_TYPE.unknown);
  const idOf = (id: number) => (id < 0 ? undefined : id);
  return sentencePieceFiles({
    name,
    pieces,
    hasByteFallback: trainer.byteFallback,
    addsSpacePrefix: normalizer.addsPrefix,
    roles: { bos: idOf(trainer.bos), eos: trainer.eos, unk: idOf(unk), pad: idOf(trainer.pad) },
    addsBos: trainer.bos >= 0,
    addsEos: false,
  });
}

function readPiece(message: Uint8Array, name: string, id: number): SentencePiece {
  const piece: SentencePiece = { piece: '', score: 0, type: PIECE_TYPE.normal };
  for (const field of readProtobuf(message, `${name}, piece ${id}`)) {
    if (field.number === 1) piece.piece = textOf(field, `${name}, piece ${id}`);
    else if (field.number === 2) piece.score = floatOf(field, `${name}, piece ${id}`);
    else if (field.number === 3) piece.type = int32Of(field, `${name}, piece ${id}`);
  }
  return piece;
}

function messageOf(field: ProtobufField, name: string): Uint8Array {
  expectWireType(field, 2, name);
  return field.bytes;
}

/** A byte order mark is a piece like any other. */
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(field: ProtobufField, name: string): string {
  try {
    return utf8Decoder.decode(messageOf(field, name));
  } catch (error) {
    if (error instanceof AlignError) throw error;
    throw new AlignError('checkpoint-corrupt', `${name}: field ${field.number} is not UTF-8.`, { cause: error });
  }
}

/** Enums and booleans too. */
function int32Of(field: ProtobufField, name: string): number {
  expectWireType(field, 0, name);
  return Number(BigInt.asIntN(32, field.value));
}

function floatOf(field: ProtobufField, name: string): number {
  expectWireType(field, 5, name);
  return new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
}

function expectWireType(field: ProtobufField, wireType: number, name: string): void {
  if (field.wireType === wireType) return;
  throw new AlignError(
    'checkpoint-corrupt',
    `${name}: field ${field.number} has wire type ${field.wireType}; it must be ${wireType}. It is no SentencePiece model.`,
    { details: { field: field.number, wireType: field.wireType } },
  );
}
