import type { Engine, EngineDevice, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { roomToGenerate } from '../align/request.ts';
import { checkGeneration } from './check-generation.ts';
import type { DecoderConfig } from './decode-loop.ts';
import { decidedTokens } from './decided-tokens.ts';
import { DraftLength } from './draft-length.ts';
import { Drafter } from './drafter.ts';
import { toEngineError } from './engine-error.ts';
import type { NodeDecoder } from './node-decoder.ts';
import { Sampler } from './sampling.ts';
import type { RowScores } from './scores.ts';

/** What the loop needs of a decoder whose cache has a slot for each sequence. */
export type SlotDecoder = Pick<
  NodeDecoder,
  | 'device'
  | 'prefillChunkTokens'
  | 'minStepTokens'
  | 'slotCount'
  | 'step'
  | 'stepAlone'
  | 'read'
  | 'stepTogether'
  | 'copySlot'
  | 'dispose'
>;

/**
 * The engine of several generations at a time. All of them share each step, which reads the weights once; a new one
 * joins as soon as there is a slot (continuous batching), reads its prompt in chunks between the others' steps, and
 * takes over the part of it that any slot has read already. One that writes alone makes the steps of `DecodeLoop`, drafts
 * among them: with several, a step's time goes to them instead.
 *
 * The sequences that write are in the first slots; the one that reads its prompt is in the slot after them.
 */
export class BatchLoop implements Engine {
  readonly device: EngineDevice;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly maxConcurrency: number;
  readonly #decoder: SlotDecoder;
  readonly #eosTokenIds: ReadonlySet<number>;
  readonly #waiting: Sequence[] = [];
  readonly #writing: Sequence[] = [];
  #reading: Sequence | undefined;
  /**
   * Of a prompt, the tokens whose keys and values each slot holds, whoever they were of. Not those of an edit: a step that
   * writes may round otherwise than one that reads (`Drafter.isBesideGuesses`), and what was written before must not count.
   */
  readonly #held: number[][];
  readonly #mayDraft: boolean;
  readonly #draftLength: DraftLength;
  /** Whose text the draft length knows. */
  #drafting: Sequence | undefined;
  #running: Promise<void> | undefined;
  #disposed: Promise<void> | undefined;

  constructor(decoder: SlotDecoder, config: DecoderConfig) {
    this.device = decoder.device;
    this.contextLength = config.contextLength;
    this.vocabularySize = config.vocabularySize;
    this.maxConcurrency = decoder.slotCount;
    this.#decoder = decoder;
    this.#eosTokenIds = new Set(config.eosTokenIds);
    this.#held = Array.from({ length: decoder.slotCount }, () => []);
    // A step that is in doubt is not taken back here.
    this.#mayDraft = (config.mayDraft ?? true) && (config.draftMargin ?? 0) === 0;
    this.#draftLength = new DraftLength(decoder.minStepTokens);
  }

  async *generate(
    promptIds: Int32Array,
    options: GenerateOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly number[], GenerateFinishReason, void> {
    signal.throwIfAborted();
    if (this.#disposed !== undefined) throw unloaded();
    checkGeneration(promptIds, options, this.vocabularySize);
    const room = Math.min(options.maxNewTokens, roomToGenerate(promptIds.length, this.contextLength));
    const sequence = new Sequence(promptIds, options, room);
    // Its own: Node warns where many listen to one.
    const own = AbortSignal.any([signal]);
    const wake = () => sequence.wake();
    own.addEventListener('abort', wake);
    const throwIfStopped = () => {
      signal.throwIfAborted();
      if (this.#disposed !== undefined) throw unloaded();
    };
    this.#waiting.push(sequence);
    this.#running ??= this.#run();
    try {
      for (;;) {
        await sequence.changed();
        throwIfStopped();
        for (const step of sequence.take()) {
          yield step;
          // The loop may be ahead of the reader.
          throwIfStopped();
        }
        if (sequence.end === undefined || sequence.hasUntaken) continue;
        if ('error' in sequence.end) throw sequence.end.error;
        return sequence.end.reason;
      }
    } finally {
      own.removeEventListener('abort', wake);
      sequence.isLeft = true;
    }
  }

  dispose(): Promise<void> {
    this.#disposed ??= (this.#running ?? Promise.resolve()).then(() => this.#decoder.dispose());
    return this.#disposed;
  }

  /** Runs as long as there is something to do. Never throws: errors go to the sequences. */
  async #run(): Promise<void> {
    // A caller that starts several generations at once has them in one batch.
    await Promise.resolve();
    for (;;) {
      if (this.#disposed !== undefined) {
        for (const sequence of [...this.#takeAll(), ...this.#waiting.splice(0)]) sequence.fail(unloaded());
      }
      this.#dropEnded();
      this.#admit();
      if (this.#reading === undefined && this.#writing.length === 0) {
        this.#running = undefined;
        return;
      }
      try {
        await this.#readChunk();
        await this.#writeTogether();
      } catch (error) {
        const engineError = toEngineError(error, this.device, 'generating');
        for (const sequence of this.#takeAll()) sequence.fail(engineError);
      }
    }
  }

  #takeAll(): Sequence[] {
    const all = this.#reading === undefined ? [] : [this.#reading];
    this.#reading = undefined;
    return [...all, ...this.#writing.splice(0)];
  }

  /** Frees the slots of sequences that have ended or that nobody waits for. */
  #dropEnded(): void {
    if (this.#reading?.isOver === true) this.#reading = undefined;
    for (let slot = this.#writing.length - 1; slot >= 0; slot--) {
      if (this.#writing[slot]?.isOver !== true) continue;
      const last = this.#writing.length - 1;
      const moved = this.#writing[last] as Sequence;
      this.#move(last, slot, moved.readTokens);
      this.#writing[slot] = moved;
      this.#writing.pop();
      if (this.#reading !== undefined) this.#move(last + 1, last, this.#reading.readTokens);
    }
  }

  /** The next one that waits takes the slot after those that write. */
  #admit(): void {
    const slot = this.#writing.length;
    while (this.#reading === undefined && slot < this.#held.length) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (!next.isOver) this.#reading = next;
    }
    const sequence = this.#reading;
    if (sequence === undefined || sequence.readTokens > 0) return;
    // One token at least is to be read: its scores choose the first new one.
    const most = sequence.tokenIds.length - 1;
    const shared = this.#held.map((held) => Math.min(most, commonLength(held, sequence.tokenIds)));
    const best = Math.max(...shared);
    if (best === 0) return;
    if (shared[slot] !== best) this.#move(shared.indexOf(best), slot, best);
    sequence.readTokens = best;
  }

  async #readChunk(): Promise<void> {
    const sequence = this.#reading;
    if (sequence === undefined) return;
    const slot = this.#writing.length;
    const { tokenIds, readTokens } = sequence;
    const chunk = tokenIds.slice(readTokens, readTokens + this.#decoder.prefillChunkTokens);
    const isLast = readTokens + chunk.length === tokenIds.length;
    const logits = await this.#decoder.read(slot, Int32Array.from(chunk), readTokens, isLast ? 1 : 0);
    this.#held[slot] = tokenIds.slice(0, readTokens + chunk.length);
    sequence.readTokens += chunk.length;
    if (!isLast) return;
    this.#reading = undefined;
    this.#writing.push(sequence);
    this.#choose(sequence, [{ type: 'all', logits }]);
  }

  async #writeTogether(): Promise<void> {
    this.#dropEnded();
    const sequences = [...this.#writing];
    const [first] = sequences;
    if (first === undefined) return;
    if (sequences.length === 1) return this.#writeAlone(first);
    const steps = sequences.map(({ tokenIds, readTokens }) => ({
      tokenId: tokenIds[readTokens] as number,
      pastTokens: readTokens,
    }));
    const logits = await this.#decoder.stepTogether(steps);
    sequences.forEach((sequence, slot) => {
      const row = logits.subarray(slot * this.vocabularySize, (slot + 1) * this.vocabularySize);
      sequence.readTokens += 1;
      this.#choose(sequence, [{ type: 'all', logits: row }]);
    });
  }

  /** A step of the one that writes, which is in the first slot: its next token and as many drafted ones as pay. */
  async #writeAlone(sequence: Sequence): Promise<void> {
    if (this.#drafting !== sequence) this.#draftLength.begin();
    this.#drafting = sequence;
    const { tokenIds, readTokens } = sequence;
    const drafter = sequence.drafter(this.#draftLength);
    const draft = this.#mayDraft ? drafter.draft(this.#draftLength.choose(sequence.room - 1)) : [];
    const isAlone = !drafter.isBesideGuesses;
    const unread = Int32Array.of(tokenIds[readTokens] as number, ...draft);
    const startMs = performance.now();
    const rows = await (isAlone
      ? this.#decoder.stepAlone(unread[0]!, readTokens)
      : this.#decoder.step(unread, readTokens, unread.length));
    const stepMs = performance.now() - startMs;
    this.#choose(sequence, rows, draft);
    const written = tokenIds.length - readTokens - 1;
    // The last one was not read yet. Of drafted tokens the slot holds wrong ones too: the next step overwrites them.
    sequence.readTokens = readTokens + Math.max(1, written);
    // Where the text has stopped, none was written in place of a drafted one.
    this.#draftLength.record(draft.length, sequence.hasStopped ? written : Math.max(0, written - 1), stepMs, isAlone);
  }

  /** @param scores  of draft + 1 positions */
  #choose(sequence: Sequence, scores: readonly RowScores[], draft: readonly number[] = []): void {
    try {
      const { tokenIds, isEnd } = decidedTokens(scores, draft, sequence.sampler, this.#eosTokenIds);
      sequence.add(tokenIds);
      if (isEnd) sequence.finish('stop');
    } catch (error) {
      sequence.fail(toEngineError(error, this.device, 'generating'));
    }
  }

  #move(from: number, to: number, tokens: number): void {
    if (from === to) return;
    this.#decoder.copySlot(from, to, tokens);
    this.#held[to] = (this.#held[from] ?? []).slice(0, tokens);
  }
}

/** One generation: what it has written, and who waits for it. */
class Sequence {
  /** Prompt and edit. */
  readonly tokenIds: number[];
  readonly sampler: Sampler;
  /** Of `tokenIds`, those whose keys and values its slot holds. */
  readTokens = 0;
  end: { reason: GenerateFinishReason } | { error: unknown } | undefined;
  /** Nobody takes its tokens any more. */
  isLeft = false;
  readonly #fullLength: number;
  readonly #drafter: Drafter;
  /** Of `tokenIds`, those that the drafter knows. */
  #draftedFrom: number;
  /** Tokens of each step, not taken yet. */
  #untaken: (readonly number[])[] = [];
  #wakeUp: (() => void) | undefined;
  #isAwake = false;

  constructor(promptIds: Int32Array, options: GenerateOptions, room: number) {
    this.tokenIds = Array.from(promptIds);
    this.sampler = new Sampler(options, promptIds);
    this.#drafter = new Drafter(promptIds, options.answerRange);
    this.#draftedFrom = promptIds.length;
    this.#fullLength = promptIds.length + room;
  }

  get isOver(): boolean {
    return this.isLeft || this.end !== undefined;
  }

  get hasStopped(): boolean {
    return this.end !== undefined && 'reason' in this.end && this.end.reason === 'stop';
  }

  get hasUntaken(): boolean {
    return this.#untaken.length > 0;
  }

  /** Tokens that it may still write. */
  get room(): number {
    return this.#fullLength - this.tokenIds.length;
  }

  /**
   * Knows all that is written.
   *
   * @param length  learns of the guesses since the last call
   */
  drafter(length: DraftLength): Drafter {
    // Only here: with others beside it nothing is drafted.
    for (; this.#draftedFrom < this.tokenIds.length; this.#draftedFrom++) {
      const isRight = this.#drafter.accept(this.tokenIds[this.#draftedFrom] as number);
      if (isRight !== undefined) length.learn(isRight);
    }
    return this.#drafter;
  }

  /** @param tokenIds  of one step, no more than have room */
  add(tokenIds: readonly number[]): void {
    if (tokenIds.length === 0) return;
    this.tokenIds.push(...tokenIds);
    this.#untaken.push(tokenIds);
    if (this.tokenIds.length === this.#fullLength) this.end = { reason: 'length' };
    this.wake();
  }

  finish(reason: GenerateFinishReason): void {
    this.end ??= { reason };
    this.wake();
  }

  fail(error: unknown): void {
    this.end ??= { error };
    this.wake();
  }

  /** The steps since the last call. */
  take(): (readonly number[])[] {
    return this.#untaken.splice(0);
  }

  wake(): void {
    this.#isAwake = true;
    this.#wakeUp?.();
  }

  /** Resolves when there is something new since it last did, or at once where the end is known. */
  async changed(): Promise<void> {
    if (!this.#isAwake && this.end === undefined) await new Promise<void>((resolve) => (this.#wakeUp = resolve));
    this.#wakeUp = undefined;
    this.#isAwake = false;
  }
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return i;
  return most;
}

function unloaded(): AlignError {
  return new AlignError('engine-failed', 'The model was unloaded.');
}
