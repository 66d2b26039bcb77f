/** Tokens to draft; few different ones, since some backends prepare each size of a step. */
const LENGTHS = [0, 1, 2, 4, 8, 16] as const;
/** What wrong drafts may cost, of the time that the text takes without drafts. */
const MAX_LOSS = 0.01;
/** Where a wrong guess is no likelier than this, what was lost before does not hold back a draft of so little a loss, in steps. */
const SMALL_RISK = 0.25;
const SMALL_LOSS = 0.05;
/** A step that took longer than this, in times of what it takes else, was held up by something. */
const PAUSE = 1.25;
/** Likewise of the first step of a size, in times of the estimate: a second one has to confirm it. */
const FIRST_PAUSE = 2;
/** As if a text were so much longer, so that drafts are tried at its beginning. */
const HEAD_START_TOKENS = 64;
/** Weight of the newest measurement: the first step of a size may compile something, and other programs only slow down. */
const FASTER_SHARE = 0.6;
const SLOWER_SHARE = 0.2;
/** Sizes that are not used become cheaper in memory with each step, so that one slow step does not rule them out forever. */
const FORGETTING = 0.999;
/**
 * How often a guess is right, by how many right ones in a row came before it: what a text has copied so far says most about
 * whether it goes on copying. The chances are those before any guess of the text.
 */
const RUNS = [
  { from: 0, chance: 0.35 },
  { from: 1, chance: 0.6 },
  { from: 2, chance: 0.75 },
  { from: 4, chance: 0.88 },
  { from: 8, chance: 0.94 },
] as const;
/** What a chance learns from one guess. */
const LEARNING = 0.12;
const MAX_CHANCE = 0.98;
/** Without drafts the chance of a first guess drifts to what makes one worth trying, so that drafting comes back. */
const DRIFT = 0.005;
const TRYING_CHANCE = 0.65;
/** What a further token adds to a step of one, until it was measured: a step reads the same weights for all of them. */
const FIRST_MARGINAL_COST = 0.15;

/**
 * How many tokens to draft, from what steps of each size take on this device and how many drafted tokens turned out
 * right lately. The measured times outlive a generation; what guesses are worth belongs to one text.
 */
export class DraftLength {
  /** Milliseconds by tokens that a step computes. */
  readonly #stepMs = new Map<number, number>();
  /** Sizes whose first step took much longer than was expected. */
  readonly #heldUp = new Set<number>();
  readonly #minStepTokens: number;
  /** Of this text, as are all that follow: of `RUNS`. */
  #chances: number[] = RUNS.map(({ chance }) => chance);
  /** Right guesses in a row. */
  #run = 0;
  #tokens = 0;
  /** Below the time without drafts where negative. */
  #lostMs = 0;

  /** @param minStepTokens  as `Decoder.minStepTokens`: up to so many tokens all steps are one size, whatever a clock says */
  constructor(minStepTokens = 1) {
    this.#minStepTokens = minStepTokens;
  }

  /** A new text begins. */
  begin(): void {
    this.#chances = RUNS.map(({ chance }) => chance);
    this.#run = 0;
    this.#tokens = 0;
    this.#lostMs = 0;
  }

  /** @returns the number that gives the most tokens for the time, at most `most` */
  choose(most: number): number {
    // What one token takes is the measure of all else.
    const one = this.#stepMs.get(this.#minStepTokens);
    if (one === undefined) return 0;
    const leftMs = MAX_LOSS * one * (HEAD_START_TOKENS + this.#tokens) - this.#lostMs;
    const risk = 1 - this.#chanceAfter(this.#run);
    const spareMs = risk < SMALL_RISK ? Math.max(leftMs, SMALL_LOSS * one) : leftMs;
    let best = 0;
    let bestSpeed = 0;
    for (const length of LENGTHS) {
      const count = Math.min(length, most);
      // Where all of it is wrong, as often as that is to be expected.
      if (count > 0 && risk * (this.#msOf(count + 1) - one) > spareMs) continue;
      const speed = this.#expectedTokens(count) / this.#msOf(count + 1);
      if (speed > bestSpeed) [best, bestSpeed] = [count, speed];
    }
    return best;
  }

  /** A token was guessed, drafted or not. */
  learn(isRight: boolean): void {
    const kind = kindOfRun(this.#run);
    const chance = this.#chances[kind]!;
    this.#chances[kind] = Math.min(MAX_CHANCE, chance + LEARNING * ((isRight ? 1 : 0) - chance));
    this.#run = isRight ? this.#run + 1 : 0;
  }

  /**
   * A step was made.
   *
   * @param accepted  of the drafted tokens, those that were right
   * @param isAlone   by `Decoder.stepAlone`, where nothing is guessed: no measure of what a draft adds to a longer step
   */
  record(drafted: number, accepted: number, ms: number, isAlone = false): void {
    if (isAlone && this.#minStepTokens > 1) {
      this.#tokens += 1;
      return;
    }
    const tokens = Math.max(drafted + 1, this.#minStepTokens);
    const known = this.#stepMs.get(tokens);
    for (const [size, old] of this.#stepMs) {
      if (size !== this.#minStepTokens) this.#stepMs.set(size, old * FORGETTING);
    }
    const mostMs = known === undefined ? FIRST_PAUSE * this.#msOf(tokens) : PAUSE * known;
    // Of the very first step there is no estimate.
    const tookMs = mostMs > 0 ? Math.min(ms, mostMs) : ms;
    if (known !== undefined) {
      this.#stepMs.set(tokens, known + (ms < known ? FASTER_SHARE : SLOWER_SHARE) * (tookMs - known));
    } else if (tookMs === ms || this.#heldUp.has(tokens)) this.#stepMs.set(tokens, ms);
    else this.#heldUp.add(tokens);
    this.#tokens += accepted + 1;
    if (drafted > 0) this.#lostMs += tookMs - (accepted + 1) * this.#msOf(1);
    else this.#chances[0]! += DRIFT * Math.max(0, TRYING_CHANCE - this.#chances[0]!);
  }

  #chanceAfter(run: number): number {
    return this.#chances[kindOfRun(run)]!;
  }

  /** Each drafted token counts if all before it did; the token after the last right one comes in any case. */
  #expectedTokens(drafted: number): number {
    let expected = 1;
    let reached = 1;
    for (let i = 0; i < drafted; i++) {
      reached *= this.#chanceAfter(this.#run + i);
      expected += reached;
    }
    return expected;
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

/** @returns its place in `RUNS` */
function kindOfRun(run: number): number {
  return RUNS.findLastIndex(({ from }) => from <= run);
}
