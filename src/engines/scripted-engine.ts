import type { Device } from '../align/engine.ts';
import { DecodeLoop, type DecoderConfig } from './decode-loop.ts';
import type { Decoder } from './decoder.ts';
import { argmax } from './sampling.ts';
import { allScores, type RowScores } from './scores.ts';

/** The next token after these, a pure function: [] is never asked for. */
export type Script = (tokenIds: readonly number[]) => number;

/** One call of `step`, as the decode loop made it. */
export interface StepCall {
  tokenIds: number[];
  pastTokens: number;
  logitRows: number;
}

export interface ScriptedDecoderOptions {
  vocabularySize: number;
  device?: Device;
  prefillChunkTokens?: number;
  /** It runs a step ahead, as a device does that keeps the scores; `calls` then shows the token that it found. */
  isAhead?: boolean;
  /** Runs at the start of each step: waits, aborts something, or throws what a backend would. */
  onStep?: (call: StepCall) => void | Promise<void>;
}

/**
 * A decoder whose model is a function, for tests and for a page without weights. As strict as a real one may be: a step
 * must continue what the cache holds, within what was reserved, one at a time.
 */
export class ScriptedDecoder implements Decoder {
  readonly device: Device;
  readonly prefillChunkTokens: number;
  readonly calls: StepCall[] = [];
  disposeCount = 0;
  readonly #script: Script;
  readonly #options: ScriptedDecoderOptions;
  #reservedTokens = 0;
  #cachedIds: number[] = [];
  #isStepping = false;

  constructor(script: Script, options: ScriptedDecoderOptions) {
    this.#script = script;
    this.#options = options;
    this.device = options.device ?? 'cpu';
    this.prefillChunkTokens = options.prefillChunkTokens ?? 64;
  }

  reserve(tokens: number, keepTokens: number): number {
    if (keepTokens > this.#cachedIds.length) throw new Error(`${keepTokens} tokens to keep, but fewer are cached`);
    this.#reservedTokens = tokens;
    this.#cachedIds.length = keepTokens;
    return keepTokens;
  }

  async step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    const call = { tokenIds: [...tokenIds], pastTokens, logitRows };
    this.calls.push(call);
    if (this.#isStepping) throw new Error('a step began while another ran');
    if (this.disposeCount > 0) throw new Error('a step began after dispose');
    if (pastTokens > this.#cachedIds.length) throw new Error(`${pastTokens} past tokens, but fewer are cached`);
    if (tokenIds.length === 0) throw new Error('a step without tokens');
    if (pastTokens + tokenIds.length > this.#reservedTokens) throw new Error('a step past what was reserved');
    this.#isStepping = true;
    try {
      await this.#options.onStep?.(call);
    } finally {
      this.#isStepping = false;
    }
    const ids = [...this.#cachedIds.slice(0, pastTokens), ...tokenIds];
    this.#cachedIds = ids;
    const { vocabularySize } = this.#options;
    const logits = new Float32Array(logitRows * vocabularySize);
    for (let row = 0; row < logitRows; row++) {
      const before = ids.slice(0, ids.length - logitRows + row + 1);
      // A little less for each id away from the scripted one, so that sampling has something to choose from.
      const next = this.#script(before);
      for (let id = 0; id < vocabularySize; id++) logits[row * vocabularySize + id] = 4 - Math.abs(id - next);
    }
    return allScores(logits, logitRows);
  }

  async dispose(): Promise<void> {
    if (this.#isStepping) throw new Error('dispose while a step runs');
    this.disposeCount += 1;
  }
}

/** As one on a device, which knows the next token before the host does. */
class ScriptedDeviceDecoder extends ScriptedDecoder {
  #last: Promise<RowScores[]> | undefined;

  override step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    this.#last = super.step(tokenIds, pastTokens, logitRows);
    return this.#last;
  }

  async follow(pastTokens: number): Promise<RowScores[]> {
    const [scores, ...others] = (await this.#last) ?? [];
    if (scores?.type !== 'all' || others.length > 0) throw new Error('a step that follows none of one row');
    return this.step(Int32Array.of(argmax(scores.logits)), pastTokens, 1);
  }
}

/** An engine that is the real loop on a scripted decoder. */
export function createScriptedEngine(
  script: Script,
  { config, ...options }: Omit<ScriptedDecoderOptions, 'vocabularySize'> & { config: DecoderConfig },
): { engine: DecodeLoop; decoder: ScriptedDecoder } {
  const Decoder = options.isAhead === true ? ScriptedDeviceDecoder : ScriptedDecoder;
  const decoder = new Decoder(script, { ...options, vocabularySize: config.vocabularySize });
  return { engine: new DecodeLoop(decoder, config), decoder };
}

/** Writes these tokens after whatever prompt, then the end of sequence. */
export function writes(editIds: readonly number[], promptTokens: number, eosTokenId: number): Script {
  return (tokenIds) => editIds[tokenIds.length - promptTokens] ?? eosTokenId;
}
