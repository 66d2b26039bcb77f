import { AlignError } from '../../align/errors.ts';

/** A file that is damaged, cut short, or not what it says. */
export function corrupt(file: string, problem: string, details: Record<string, unknown> = {}): AlignError {
  return new AlignError('checkpoint-corrupt', `${file}: ${problem}.`, { details: { file, ...details } });
}

/** A sound file that asks for something we do not do; `problem` names it. */
export function unsupported(file: string, problem: string, details: Record<string, unknown> = {}): AlignError {
  return new AlignError('unsupported-model', `${file}: ${problem}.`, { details: { file, ...details } });
}

/** A file that the checkpoint needs and the folder does not hold. */
export function missing(folder: string, problem: string, details: Record<string, unknown> = {}): AlignError {
  return new AlignError('weights-missing', `${folder}: ${problem}.`, { details: { folder, ...details } });
}

/** Text from a file as it may stand in a message: one line, at most 100 characters, invisible ones escaped. */
export function quote(text: string): string {
  const shown = text.length > 100 ? `${text.slice(0, 99)}…` : text;
  return `“${shown.replace(/[\p{C}\p{Z}]/gu, (character) =>
    character === ' ' ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )}”`;
}
