import { corrupt, quote } from './checkpoint-errors.ts';

/** No real size comes near; below it every product of two sizes is exact. */
const MAX_SIZE = 1 << 26;

/** A value as it may stand in a message. */
export function show(value: unknown): string {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return quote(String(value));
}

/** Reads settings by key. An absent or null one takes the default; without a default it is an error. */
export class SettingReader {
  readonly #file: string;
  readonly #get: (key: string) => unknown;
  readonly #prefix: string;

  constructor(file: string, get: (key: string) => unknown, prefix = '') {
    this.#file = file;
    this.#get = get;
    this.#prefix = prefix;
  }

  size(key: string, fallback?: number): number {
    const value = this.#get(key) ?? fallback;
    if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > MAX_SIZE) {
      throw this.#wrong(key, value, `a whole number from 1 to ${MAX_SIZE}`);
    }
    return value as number;
  }

  positive(key: string, fallback?: number): number {
    const value = this.#get(key) ?? fallback;
    if (typeof value !== 'number' || !(value > 0 && value < Infinity)) {
      throw this.#wrong(key, value, 'a number above 0');
    }
    return value;
  }

  flag(key: string): boolean {
    const value = this.#get(key) ?? false;
    if (typeof value !== 'boolean') throw this.#wrong(key, value, 'true or false');
    return value;
  }

  #wrong(key: string, value: unknown, wanted: string) {
    const found = value === undefined ? 'missing' : show(value);
    return corrupt(this.#file, `${this.#prefix}${key} is ${found}; it must be ${wanted}`, { key });
  }
}
