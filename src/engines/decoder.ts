import type { EngineDevice } from '../align/engine.ts';
import type { RowScores, ScoresNeeded } from './scores.ts';

/**
 * A decoder graph with the keys and values of the tokens that it has read: what the decode loop drives, and all that it
 * knows of a backend. One step at a time, and one that follows it.
 */
export interface Decoder {
  readonly device: EngineDevice;
  /** Tokens of a prompt per step: enough for the device's full speed, few enough to cancel between steps. */
  readonly prefillChunkTokens: number;
  /** A shorter step is computed over so many tokens, so that it scores as longer ones do; 1 where it is not there. */
  readonly minStepTokens?: number;

  /**
   * Makes room for a generation of this many tokens, prompt included.
   *
   * @param keepTokens  of what is cached, the first tokens that it begins with
   * @returns how many of them are still there: all or none
   */
  reserve(tokens: number, keepTokens: number): number;

  /**
   * Reads tokens that follow the first `pastTokens` of the cache. What the cache held after those is forgotten, so
   * taking tokens back is a step with fewer `pastTokens`.
   *
   * @param tokenIds   int32 [tokens], at least one
   * @param logitRows  how many of the last positions to score; 0 for a chunk whose scores nobody reads
   * @param needed     of those scores; a backend on the host gives all
   * @returns one for each of the positions; the next step overwrites them
   */
  step(
    tokenIds: Int32Array,
    pastTokens: number,
    logitRows: number,
    needed: ScoresNeeded,
  ): Promise<readonly RowScores[]>;

  /**
   * The step of the token that the last one, of one row and `largest`, found: only the device knows it yet. To be called
   * before that step's scores are there, so that the device has work while they travel.
   *
   * @returns of one row, `largest`
   */
  follow?(pastTokens: number): Promise<readonly RowScores[]>;

  /**
   * {@link step} of one token, scored, over its row alone where `step` has `minStepTokens`: in less time, and with other last
   * bits. Where it is not there, no step has fewer.
   */
  stepAlone?(tokenId: number, pastTokens: number): Promise<readonly RowScores[]>;

  /** Not called while a step runs, unless the device is lost. */
  dispose(): Promise<void>;
}
