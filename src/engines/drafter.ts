import type { EngineDevice } from '../align/engine.ts';
import type { Variant } from '../align/variant.ts';

/** Tokens that must agree before a place in the text is taken up again. */
const MIN_MATCH = 2;
const MAX_MATCH = 8;
/** How far ahead of a broken draft the text may go on: what an edit took out. */
const SKIP_TOKENS = 12;

/**
 * Logits, as `DecoderConfig.draftMargin`: of the 4-bit variants on WebGPU. On an H200 six of 128 positions of prose at most had another
 * largest score in a step of several tokens, which led by no more than 0.25 (SmolLM2): docs/decisions/2026-11-28-drafts-on-webgpu.md.
 */
const WEBGPU_MARGIN = 0.5;

/**
 * Guesses what comes next by copying: an edit often keeps most of the answer. The place in the answer moves on with the
 * edit. Where the edit departs from it, the place is found again a little further on (something was taken out), one
 * token further (something was replaced), or where the last tokens of the text stand elsewhere: in the answer first,
 * then in the rest of the prompt and in the edit itself (prompt lookup).
 *
 * Guesses cost time when they are wrong, and never change what is written.
 */
export class Drafter {
  /** Prompt and edit. */
  readonly #tokenIds: number[];
  readonly #answerStart: number;
  readonly #answerEnd: number;
  readonly #promptTokens: number;
  /** Of the token that is guessed to come next. */
  #place: number | undefined;
  /** The last token was guessed. */
  #wasGuessed = false;

  /** @param answerRange  positions in the prompt, end excluded; undefined where no part of it is known to be copied */
  constructor(promptIds: Int32Array, answerRange: readonly [start: number, end: number] | undefined) {
    this.#tokenIds = Array.from(promptIds);
    this.#promptTokens = promptIds.length;
    [this.#answerStart, this.#answerEnd] = answerRange ?? [promptIds.length, promptIds.length];
    this.#place = this.#answerStart < this.#answerEnd ? this.#answerStart : undefined;
  }

  /**
   * Whether a step may read the last token among drafted ones: something is guessed after it, or it was guessed itself and
   * rightly. It depends on the text alone, so that one who drafts much, little or nothing, as a clock says, reads the same
   * tokens alone.
   *
   * A step that begins with token p and k drafted ones, k > 0, has a guess after p. It keeps token p + j if drafted tokens
   * 1 to j are the text's; each of them is what is guessed in its turn as well, since a right token moves the place on by one.
   * Wrong ones are read anew, by the step that begins with the token in their place.
   */
  get isBesideGuesses(): boolean {
    return this.hasGuess || this.#wasGuessed;
  }

  /** Whether something is known of what comes next. */
  get hasGuess(): boolean {
    return this.#place !== undefined;
  }

  /** @returns at most `most` tokens, one at least if there may be; none where nothing is known */
  draft(most: number): number[] {
    if (this.#place === undefined) return [];
    const ids = this.#tokenIds;
    const place = this.#place;
    // After the answer the prompt goes on with what no edit holds.
    const count = place < this.#answerEnd ? Math.min(most, this.#answerEnd - place) : most;
    const draft = ids.slice(place, place + count);
    // What the text does not hold yet goes on as what it repeats.
    for (let at = draft.length; at < count; at++) draft.push(draft[at + place - ids.length] as number);
    return draft;
  }

  /**
   * Takes the next token of the edit.
   *
   * @returns whether it was guessed; undefined where nothing was
   */
  accept(tokenId: number): boolean | undefined {
    const place = this.#place;
    this.#tokenIds.push(tokenId);
    const isRight = place === undefined ? undefined : this.#tokenIds[place] === tokenId;
    this.#wasGuessed = isRight === true;
    if (isRight === true) {
      const next = place! + 1;
      this.#place = next === this.#answerEnd || next >= this.#tokenIds.length ? undefined : next;
    } else this.#place = this.#afterSkip(place, tokenId) ?? this.#afterMatch() ?? this.#afterReplacement(place);
    return isRight;
  }

  /** The edit left out some tokens of the answer. */
  #afterSkip(place: number | undefined, tokenId: number): number | undefined {
    if (place === undefined || !this.#isInAnswer(place)) return undefined;
    const end = Math.min(this.#answerEnd, place + SKIP_TOKENS);
    for (let at = place + 1; at < end; at++) {
      if (this.#tokenIds[at] === tokenId) return at + 1 < this.#answerEnd ? at + 1 : undefined;
    }
    return undefined;
  }

  /** The edit put one token in the place of another. */
  #afterReplacement(place: number | undefined): number | undefined {
    return place !== undefined && this.#isInAnswer(place + 1) ? place + 1 : undefined;
  }

  #isInAnswer(place: number): boolean {
    return place >= this.#answerStart && place < this.#answerEnd;
  }

  /** After the longest match of the last tokens: in the answer if it is as long there, else the latest. */
  #afterMatch(): number | undefined {
    const ids = this.#tokenIds;
    const last = ids.length - 1;
    let best: number | undefined;
    let bestLength = MIN_MATCH - 1;
    for (let at = last - 1; at >= MIN_MATCH - 1; at--) {
      let length = 0;
      while (length < MAX_MATCH && length <= at && ids[at - length] === ids[last - length]) length += 1;
      const isBetterPlace = this.#isInAnswer(at + 1) && !(best !== undefined && this.#isInAnswer(best));
      if (length > bestLength || (length === bestLength && length >= MIN_MATCH && isBetterPlace)) {
        // What follows the prompt's answer is no edit's text.
        if (at + 1 < this.#promptTokens && at + 1 >= this.#answerEnd && this.#answerEnd > this.#answerStart) continue;
        best = at + 1;
        bestLength = length;
      }
    }
    return best;
  }
}

/**
 * Whether drafts are checked, and how far a score of several tokens at once can be from that of one (`DecoderConfig`). In fp32 and
 * fp16 it moves by up to 5e-5. Where activations are rounded to 8 bits (q8, and the 4-bit variants at accuracy level 4) a last
 * bit decides how, and it must be the very same: on the CPU it is, where steps of one token are computed like longer ones
 * (`NodeEngineOptions.minStepTokens`) unless no draft is ever beside them (`Drafter.isBesideGuesses`), and on wasm
 * (`WasmDecoder`). On WebGPU a step of one token has kernels of its own.
 */
export function draftTrust(variant: Variant, device: EngineDevice): { mayDraft: boolean; draftMargin?: number } {
  const isFloat = variant === 'fp32' || variant === 'fp16';
  if (isFloat || device === 'cpu' || (device === 'wasm' && variant === 'q8')) return { mayDraft: true };
  // The 4-bit products of wasm and CUDA are not among those that were looked at.
  return device === 'webgpu' ? { mayDraft: true, draftMargin: WEBGPU_MARGIN } : { mayDraft: false };
}
