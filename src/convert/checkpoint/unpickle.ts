import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import { decodeUtf8 } from './read-text.ts';

/** What a pickle may hold here. Dictionaries are Maps; what a global or a persistent id stands for is the caller's. */
export type Pickled<Custom> =
  | null
  | boolean
  | number
  | string
  | PickledTuple<Custom>
  | Pickled<Custom>[]
  | Map<string | number | boolean, Pickled<Custom>>
  | PickledGlobal
  | PickledCustom<Custom>;

export class PickledTuple<Custom> {
  readonly items: readonly Pickled<Custom>[];
  constructor(items: readonly Pickled<Custom>[]) {
    this.items = items;
  }
}

/** A class or function, by name; nothing is ever looked up or run. */
export class PickledGlobal {
  /** Such as `torch.FloatStorage`. */
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export class PickledCustom<Custom> {
  readonly value: Custom;
  constructor(value: Custom) {
    this.value = value;
  }
}

export interface UnpickleOptions<Custom> {
  /** Named in errors. */
  file: string;
  /** The only names that may occur. */
  globals: ReadonlySet<string>;
  /** What `name(...args)` stands for. */
  call(name: string, args: readonly Pickled<Custom>[]): Pickled<Custom>;
  /** What a persistent id stands for. */
  persistent(id: Pickled<Custom>): Pickled<Custom>;
}

/**
 * Tuples, lists and dictionaries: each costs memory far beyond its one byte in the file. PyTorch writes about six per
 * tensor, and a 13B model has 363 tensors.
 */
const MAX_CONTAINERS = 1 << 17;

/**
 * Reads a pickle of plain data: a machine for the few opcodes that `torch.save` needs for a state dict. It has no way to
 * run anything: a global outside the list is refused by its name, and so is every other opcode.
 *
 * @throws AlignError `unsupported-model` with the name of a global or opcode that is not known; `checkpoint-corrupt` for
 *   anything else
 * @see CPython Lib/pickletools.py
 */
export function unpickle<Custom>(bytes: Uint8Array, options: UnpickleOptions<Custom>): Pickled<Custom> {
  return new Unpickler(bytes, options).run();
}

class Unpickler<Custom> {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: UnpickleOptions<Custom>;
  readonly #memo = new Map<number, Pickled<Custom>>();
  /** Stacks below the marks. */
  readonly #marked: Pickled<Custom>[][] = [];
  #stack: Pickled<Custom>[] = [];
  #at = 0;
  #containers = 0;

  constructor(bytes: Uint8Array, options: UnpickleOptions<Custom>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#options = options;
  }

  run(): Pickled<Custom> {
    for (;;) {
      const opcode = this.#view.getUint8(this.#take(1));
      if (opcode === 0x2e /* STOP */) return this.#pop();
      this.#step(opcode);
    }
  }

  #step(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        if (this.#view.getUint8(this.#take(1)) > 5) throw this.#fail('a protocol above 5');
        return;
      case 0x95: // FRAME: only a hint for buffering
        this.#take(8);
        return;
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4b: // BININT1
        return this.#push(this.#view.getUint8(this.#take(1)));
      case 0x4d: // BININT2
        return this.#push(this.#view.getUint16(this.#take(2), true));
      case 0x4a: // BININT
        return this.#push(this.#view.getInt32(this.#take(4), true));
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#view.getUint8(this.#take(1))));
      case 0x47: // BINFLOAT
        return this.#push(this.#view.getFloat64(this.#take(8), false));
      case 0x58: // BINUNICODE
        return this.#push(this.#text(this.#view.getUint32(this.#take(4), true)));
      case 0x8c: // SHORT_BINUNICODE
        return this.#push(this.#text(this.#view.getUint8(this.#take(1))));
      case 0x7d: // EMPTY_DICT
        return this.#pushContainer(new Map());
      case 0x5d: // EMPTY_LIST
        return this.#pushContainer([]);
      case 0x29: // EMPTY_TUPLE
        return this.#pushContainer(new PickledTuple([]));
      case 0x28: // MARK
        this.#countContainer();
        this.#marked.push(this.#stack);
        this.#stack = [];
        return;
      case 0x74: // TUPLE
        return this.#pushContainer(new PickledTuple(this.#popMark()));
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#pushContainer(new PickledTuple(this.#popMany(opcode - 0x84)));
      case 0x61: // APPEND
        return this.#append(this.#popMany(1));
      case 0x65: // APPENDS
        return this.#append(this.#popMark());
      case 0x73: // SETITEM
        return this.#setItems(this.#popMany(2));
      case 0x75: // SETITEMS
        return this.#setItems(this.#popMark());
      case 0x71: // BINPUT
        this.#memo.set(this.#view.getUint8(this.#take(1)), this.#top());
        return;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#view.getUint32(this.#take(4), true), this.#top());
        return;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case 0x68: // BINGET
        return this.#get(this.#view.getUint8(this.#take(1)));
      case 0x6a: // LONG_BINGET
        return this.#get(this.#view.getUint32(this.#take(4), true));
      case 0x63: // GLOBAL
        return this.#global(this.#line(), this.#line());
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        if (typeof module !== 'string' || typeof name !== 'string') throw this.#fail('a global without a name');
        return this.#global(module, name);
      }
      case 0x51: // BINPERSID
        return this.#pushContainer(this.#options.persistent(this.#pop()));
      case 0x52: {
        // REDUCE
        const [callable, args] = this.#popMany(2);
        if (!(callable instanceof PickledGlobal) || !(args instanceof PickledTuple)) {
          throw this.#fail('a call of something else than a global with a tuple');
        }
        return this.#pushContainer(this.#options.call(callable.name, args.items));
      }
      case 0x62: // BUILD: attributes, which for an ordered dictionary are no content (PyTorch's `_metadata`)
        this.#pop();
        if (!(this.#top() instanceof Map)) throw this.#fail('attributes for something else than a dictionary');
        return;
      default:
        throw unsupported(
          this.#options.file,
          `its pickle uses opcode 0x${opcode.toString(16).padStart(2, '0')} at byte ${this.#at - 1}, ` +
            'which a state dict does not need',
          { opcode },
        );
    }
  }

  #fail(what: string) {
    return corrupt(this.#options.file, `its pickle has ${what} at byte ${this.#at}`, { position: this.#at });
  }

  /** @returns the position of the bytes taken */
  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw this.#fail('no end');
    this.#at += length;
    return start;
  }

  #text(length: number): string {
    const start = this.#take(length);
    return decodeUtf8(this.#bytes.subarray(start, start + length), this.#options.file, 'a string of its pickle');
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#fail('no end');
    const line = this.#text(end - this.#at);
    this.#at += 1;
    return line;
  }

  /** Little-endian two's complement. */
  #long(length: number): number {
    const start = this.#take(length);
    if (length > 8) throw this.#fail(`a whole number of ${length} bytes`);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[start + i] ?? 0);
    const number = Number(BigInt.asIntN(length * 8, value));
    if (!Number.isSafeInteger(number)) throw this.#fail(`the whole number ${value}`);
    return number;
  }

  #global(module: string, name: string): void {
    const fullName = `${module}.${name}`;
    if (!this.#options.globals.has(fullName)) {
      throw unsupported(
        this.#options.file,
        `its pickle names ${quote(fullName)}, which a state dict of plain tensors does not need`,
        { global: fullName },
      );
    }
    this.#push(new PickledGlobal(fullName));
  }

  #push(value: Pickled<Custom>): void {
    this.#stack.push(value);
  }

  #pushContainer(value: Pickled<Custom>): void {
    this.#countContainer();
    this.#stack.push(value);
  }

  #countContainer(): void {
    this.#containers += 1;
    if (this.#containers > MAX_CONTAINERS) throw this.#fail(`more than ${MAX_CONTAINERS} objects`);
  }

  #top(): Pickled<Custom> {
    const value = this.#stack.at(-1);
    if (value === undefined) throw this.#fail('an empty stack');
    return value;
  }

  #pop(): Pickled<Custom> {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): Pickled<Custom>[] {
    if (this.#stack.length < count) throw this.#fail('an empty stack');
    return this.#stack.splice(this.#stack.length - count);
  }

  /** What was pushed since the last mark. */
  #popMark(): Pickled<Custom>[] {
    const below = this.#marked.pop();
    if (below === undefined) throw this.#fail('no mark');
    const items = this.#stack;
    this.#stack = below;
    return items;
  }

  #get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#fail(`nothing remembered as ${index}`);
    this.#push(value);
  }

  #append(items: Pickled<Custom>[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#fail('elements for something else than a list');
    for (const item of items) list.push(item);
  }

  #setItems(items: Pickled<Custom>[]): void {
    const dictionary = this.#top();
    if (!(dictionary instanceof Map) || items.length % 2 !== 0)
      throw this.#fail('items for something else than a dictionary');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'boolean') {
        throw this.#fail('a key that is no string or number');
      }
      if (dictionary.has(key)) throw this.#fail(`the key ${quote(String(key))} a second time`);
      dictionary.set(key, items[i + 1]!);
    }
  }
}
