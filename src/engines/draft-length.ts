/** Tokens to draft; few different ones, since some backends prepare each size of a step. */
const LENGTHS = [0, 1, 2, 4, 8, 16] as const;
/** What wrong drafts may cost, of the time that the text takes without drafts. */
const MAX_LOSS = 0.01;
/** A step that took longer than this, in times of what it takes else, was held up by something. */
const PAUSE = 1.25;
/** As if a text were so much longer, so that drafts are tried at its beginning. */
const HEAD_START_TOKENS = 64;
/** Weight of the newest measurement: the first step of a size may compile something, and other programs only slow down. */
const FASTER_SHARE = 0.6;
const SLOWER_SHARE = 0.2;
/** Sizes that are not used become cheaper in memory with each step, so that one slow step does not rule them out forever. */
const FORGETTING = 0.999;
/** Of drafted tokens, before any was tried. */
const FIRST_ACCEPTANCE = 0.6;
/** Without drafts the estimate drifts to what makes a short one worth trying, so that drafting comes back. */
const DRIFT = 0.005;
const TRYING_ACCEPTANCE = 0.65;
/** What the estimate learns from one token that was right or wrong. A wrong one ends its draft, and weighs more. */
const RIGHT_SHARE = 0.12;
const WRONG_SHARE = 0.3;
/** What a further token adds to a step of one, until it was measured: a step reads the same weights for all of them. */
const FIRST_MARGINAL_COST = 0.15;

/**
 * How many tokens to draft, from what steps of each size take on this device and how many drafted tokens turned out
 * right lately. The measured times outlive a generation; acceptance belongs to one text.
 */
export class DraftLength {
  /** Milliseconds by tokens that a step computes. */
  readonly #stepMs = new Map<number, number>();
  readonly #minStepTokens: number;
  #acceptance = FIRST_ACCEPTANCE;
  /** Of this text. */
  #tokens = 0;
  /** Below the time without drafts where negative. */
  #lostMs = 0;

  /** @param minStepTokens  as `Decoder.minStepTokens`: up to so many tokens all steps are one size, whatever a clock says */
  constructor(minStepTokens = 1) {
    this.#minStepTokens = minStepTokens;
  }

  /** A new text begins. */
  begin(): void {
    this.#acceptance = FIRST_ACCEPTANCE;
    this.#tokens = 0;
    this.#lostMs = 0;
  }

  /** @returns the number that gives the most tokens for the time, at most `most` */
  choose(most: number): number {
    // What one token takes is the measure of all else.
    const one = this.#stepMs.get(this.#minStepTokens);
    if (one === undefined) return 0;
    const spareMs = MAX_LOSS * one * (HEAD_START_TOKENS + this.#tokens) - this.#lostMs;
    let best = 0;
    let bestSpeed = 0;
    for (const length of LENGTHS) {
      const count = Math.min(length, most);
      // Where all of it is wrong.
      if (count > 0 && this.#msOf(count + 1) - one > spareMs) continue;
      // Each drafted token counts if all before it did; the token after the last right one comes in any case.
      const expected = (1 - this.#acceptance ** (count + 1)) / (1 - this.#acceptance);
      const speed = expected / this.#msOf(count + 1);
      if (speed > bestSpeed) [best, bestSpeed] = [count, speed];
    }
    return best;
  }

  /** @param accepted  of the drafted tokens, those that were right */
  record(drafted: number, accepted: number, ms: number): void {
    const tokens = Math.max(drafted + 1, this.#minStepTokens);
    const known = this.#stepMs.get(tokens);
    for (const [size, old] of this.#stepMs) {
      if (size !== this.#minStepTokens) this.#stepMs.set(size, old * FORGETTING);
    }
    const tookMs = known === undefined ? ms : Math.min(ms, PAUSE * known);
    const share = known !== undefined && ms < known ? FASTER_SHARE : SLOWER_SHARE;
    this.#stepMs.set(tokens, known === undefined ? ms : known + share * (tookMs - known));
    this.#tokens += accepted + 1;
    if (drafted > 0) this.#lostMs += tookMs - (accepted + 1) * this.#msOf(1);
    if (drafted === 0) {
      this.#acceptance += DRIFT * Math.max(0, TRYING_ACCEPTANCE - this.#acceptance);
      return;
    }
    for (let i = 0; i < accepted; i++) this.#acceptance += RIGHT_SHARE * (1 - this.#acceptance);
    if (accepted < drafted) this.#acceptance -= WRONG_SHARE * this.#acceptance;
    this.#acceptance = Math.min(this.#acceptance, 0.98);
  }

  /** Measured, between two measured ones, or beyond them at the cost per token that is known. */
  #msOf(stepTokens: number): number {
    const tokens = Math.max(stepTokens, this.#minStepTokens);
    const exact = this.#stepMs.get(tokens);
    if (exact !== undefined) return exact;
    const fewest = this.#minStepTokens;
    const one = this.#stepMs.get(fewest) ?? 0;
    let below: [tokens: number, ms: number] = [fewest, one];
    let above: [tokens: number, ms: number] | undefined;
    for (const entry of this.#stepMs) {
      if (entry[0] < tokens && entry[0] > below[0]) below = entry;
      if (entry[0] > tokens && (above === undefined || entry[0] < above[0])) above = entry;
    }
    if (above !== undefined) return below[1] + ((above[1] - below[1]) * (tokens - below[0])) / (above[0] - below[0]);
    const marginal = below[0] > fewest ? (below[1] - one) / (below[0] - fewest) : FIRST_MARGINAL_COST * one;
    return below[1] + Math.max(0, marginal) * (tokens - below[0]);
  }
}
