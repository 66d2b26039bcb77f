import { AlignError } from './errors.ts';

// Readers of data from outside: each throws AlignError `invalid-request` that names the field.

/** More is no answer that any aligner reads; a forged file must not fill the memory. */
export const MAX_TEXT_LENGTH = 300_000;

export function refuse(message: string): never {
  throw new AlignError('invalid-request', message);
}

export function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(`${name} is no object.`);
  return value as Record<string, unknown>;
}

export function list(value: unknown, name: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) refuse(`${name} is no list.`);
  if (value.length > most) refuse(`${name} has ${value.length} entries; at most ${most} are read.`);
  return value;
}

export function text(value: unknown, name: string, maxLength = MAX_TEXT_LENGTH): string {
  if (typeof value !== 'string') refuse(`${name} is no text.`);
  if (value.length > maxLength) {
    refuse(`${name} has ${value.length} characters; at most ${maxLength} are read.`);
  }
  return value;
}

/** What JSON has in place of `undefined`, too. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

export function number(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) refuse(`${name} is no number.`);
  return value;
}

export function oneOf<Value extends string>(value: unknown, known: readonly Value[], name: string): Value {
  return (
    known.find((one) => one === value) ?? refuse(`${name} is ${JSON.stringify(value)}; known are ${known.join(', ')}.`)
  );
}
