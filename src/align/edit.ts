import type { Engine } from './engine.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Why an edit ended. */
export type FinishReason = 'stop' | 'length' | 'cancelled';

export interface Usage {
  /** With BOS; 0 where a server did not tell. */
  promptTokens: number;
  /** Without the end-of-sequence token. */
  editTokens: number;
  /** Steps that yielded tokens; `editTokens / steps` is above 1 when several tokens came per step. */
  steps: number;
}

export interface Timings {
  /** From the call to the first token, prefill included. Undefined when there was none. */
  timeToFirstTokenMs: number | undefined;
  totalMs: number;
  /** Tokens after the first step over the time after it. Undefined when there was one step or none. */
  tokensPerSecond: number | undefined;
}

/** What a run reports, in order: one `edit-start`, any number of `edit-delta`, one `edit-end`. Plain data. */
export type AlignEvent =
  | {
      type: 'edit-start';
      /** Undefined where a server counts them and tells at the end only. */
      promptTokens: number | undefined;
      /** What the run may generate: the request's, or less when the context has less room. */
      maxNewTokens: number;
      /** What was asked for. */
      requestedNewTokens: number;
    }
  /** `editTokens` and `elapsedMs` count from the start of the run. `tokenIds` are there where they were asked for. */
  | { type: 'edit-delta'; text: string; editTokens: number; elapsedMs: number; tokenIds?: readonly number[] }
  | { type: 'edit-end'; edit: string; tokenIds: number[]; finishReason: FinishReason; usage: Usage; timings: Timings };

export interface DecodeEditOptions {
  tokenizer: Pick<Tokenizer, 'decode'>;
  /** Goes into the usage. */
  promptTokens: number;
  /** Tells a cancelled run from a failed one. */
  signal: AbortSignal;
  /** Each step is a delta with its tokens, even one that makes no text yet. */
  withTokenIds?: boolean;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
}

/**
 * Turns the engine's steps into text as it becomes final. A delta never ends in half a character: bytes that do not
 * make one yet are held back until they do, or until the end.
 *
 * @returns the deltas, then `edit-end`; a cancelled run ends in one too, with what there was
 */
export async function* decodeEdit(
  steps: ReturnType<Engine['generate']>,
  { tokenizer, promptTokens, signal, withTokenIds = false, now = () => performance.now() }: DecodeEditOptions,
): AsyncGenerator<AlignEvent, void, void> {
  const startMs = now();
  const text = new TextStream(tokenizer);
  let stepCount = 0;
  let firstStep: { atMs: number; tokens: number } | undefined;
  let finishReason: FinishReason;
  for (;;) {
    let step: Awaited<ReturnType<typeof steps.next>>;
    try {
      step = await steps.next();
    } catch (error) {
      if (!signal.aborted) throw error;
      finishReason = 'cancelled';
      break;
    }
    if (step.done === true) {
      finishReason = step.value;
      break;
    }
    stepCount += 1;
    const delta = text.push(step.value);
    const elapsedMs = now() - startMs;
    firstStep ??= { atMs: elapsedMs, tokens: step.value.length };
    const event = { type: 'edit-delta', text: delta, editTokens: text.tokenIds.length, elapsedMs } as const;
    if (withTokenIds) yield { ...event, tokenIds: step.value };
    else if (delta !== '') yield event;
  }
  const totalMs = now() - startMs;
  const rest = text.end();
  const editTokens = text.tokenIds.length;
  if (rest !== '') yield { type: 'edit-delta', text: rest, editTokens, elapsedMs: totalMs };
  yield {
    type: 'edit-end',
    edit: text.text,
    tokenIds: text.tokenIds,
    finishReason,
    usage: { promptTokens, editTokens, steps: stepCount },
    timings: {
      timeToFirstTokenMs: firstStep?.atMs,
      totalMs,
      tokensPerSecond:
        firstStep !== undefined && stepCount > 1
          ? ((editTokens - firstStep.tokens) * 1000) / (totalMs - firstStep.atMs)
          : undefined,
    },
  };
}

/**
 * Decodes a growing list of tokens in time linear in its length. Only a short window is decoded per step, but always
 * with the tokens before it: on its own a SentencePiece token at the start of a text loses its leading space.
 * The window is text-generation-inference's (`decode_token`).
 */
class TextStream {
  readonly tokenIds: number[] = [];
  text = '';
  readonly #tokenizer: Pick<Tokenizer, 'decode'>;
  /** The window: tokens from `#start` to `#read` are final text already and only give context to what follows. */
  #start = 0;
  #read = 0;

  constructor(tokenizer: Pick<Tokenizer, 'decode'>) {
    this.#tokenizer = tokenizer;
  }

  /** @returns text that became final; '' while a character is incomplete */
  push(tokenIds: readonly number[]): string {
    this.tokenIds.push(...tokenIds);
    return this.#advance(false);
  }

  /** @returns what was held back: U+FFFD for bytes that never became a character */
  end(): string {
    return this.#advance(true);
  }

  #advance(isEnd: boolean): string {
    const before = this.#tokenizer.decode(this.tokenIds.slice(this.#start, this.#read));
    const all = this.#tokenizer.decode(this.tokenIds.slice(this.#start));
    if (all.length <= before.length || (all.endsWith('\uFFFD') && !isEnd)) return '';
    const delta = all.slice(before.length);
    this.#start = this.#read;
    this.#read = this.tokenIds.length;
    this.text += delta;
    return delta;
  }
}
