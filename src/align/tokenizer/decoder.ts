import { unspellBytes } from './byte-alphabet.ts';
import { asId, asString, pipelineSteps, unsupported, type PipelineStep } from './json.ts';
import { readPattern } from './pattern.ts';

/** Pieces of a vocabulary to text. */
export type Decoder = (pieces: readonly string[]) => string;

type DecodeStep = (pieces: readonly string[]) => readonly string[];

/** @see https://huggingface.co/docs/tokenizers/api/decoders */
export function readDecoder(value: unknown, path: string): Decoder {
  const steps = pipelineSteps(value, 'decoders', path).map(readStep);
  if (steps.length === 0) return (pieces) => pieces.join(' ');
  return (pieces) => steps.reduce((result, step) => step(result), pieces).join('');
}

function readStep({ type, config, path }: PipelineStep): DecodeStep {
  switch (type) {
    case 'ByteLevel':
      return (pieces) => [utf8Decoder.decode(Uint8Array.from(pieces.flatMap((piece) => [...unspellBytes(piece)])))];
    case 'ByteFallback':
      return decodeByteTokens;
    case 'Fuse':
      return (pieces) => [pieces.join('')];
    case 'Metaspace': {
      const mark = asString(config.replacement ?? '▁', `${path}.replacement`);
      const strips = config.prepend_scheme !== 'never' && config.add_prefix_space !== false;
      // Hugging Face drops every mark of the first piece, not one.
      return (pieces) => pieces.map((piece, i) => piece.replaceAll(mark, i === 0 && strips ? '' : ' '));
    }
    case 'Replace': {
      const pattern = readPattern(config.pattern, `${path}.pattern`);
      const content = asString(config.content, `${path}.content`);
      return (pieces) => pieces.map((piece) => piece.replace(pattern, () => content));
    }
    case 'Strip': {
      const content = asString(config.content, `${path}.content`);
      const start = asId(config.start, `${path}.start`);
      const stop = asId(config.stop, `${path}.stop`);
      return (pieces) => pieces.map((piece) => strip(piece, content, start, stop));
    }
    default:
      throw unsupported(path, `the decoder ${type}`);
  }
}

function strip(piece: string, content: string, start: number, stop: number): string {
  if (content === '') return piece;
  let from = 0;
  let to = piece.length;
  for (let i = 0; i < start && piece.startsWith(content, from); i++) from += content.length;
  for (let i = 0; i < stop && to - content.length >= from && piece.endsWith(content, to); i++) to -= content.length;
  return piece.slice(from, Math.max(from, to));
}

/** A byte order mark is text like any other. */
const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * Runs of `<0x..>` as UTF-8; a byte that is part of no character becomes U+FFFD, one for one. That is SentencePiece's
 * rule (and the slow Hugging Face tokenizer's). The fast one turns a whole run into U+FFFD when any byte of it is
 * wrong, good characters included: text that was streamed already would change.
 */
function decodeByteTokens(pieces: readonly string[]): string[] {
  const result: string[] = [];
  let run: number[] = [];
  const endRun = () => {
    if (run.length > 0) result.push(decodeUtf8PerByte(run));
    run = [];
  };
  for (const piece of pieces) {
    const hex = BYTE_TOKEN.exec(piece)?.[1];
    if (hex !== undefined) {
      run.push(Number.parseInt(hex, 16));
    } else {
      endRun();
      result.push(piece);
    }
  }
  endRun();
  return result;
}

function decodeUtf8PerByte(bytes: readonly number[]): string {
  let text = '';
  for (let i = 0; i < bytes.length;) {
    const length = characterLength(bytes, i);
    text += length === 0 ? '\uFFFD' : utf8Decoder.decode(Uint8Array.from(bytes.slice(i, i + length)));
    i += Math.max(1, length);
  }
  return text;
}

/**
 * Bytes that the lead byte at `start` asks for, 0 if they do not follow. Of overlong forms, surrogates and the like the
 * decoder makes one U+FFFD per byte itself.
 */
function characterLength(bytes: readonly number[], start: number): number {
  const lead = bytes[start] ?? 0;
  const length = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
  for (let i = start + 1; i < start + length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x80 || byte > 0xbf) return 0;
  }
  return length;
}
