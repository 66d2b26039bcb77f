/** Why an edit ended. */
export type FinishReason = 'stop' | 'length' | 'cancelled';

export interface Usage {
  /** With BOS. */
  promptTokens: number;
  /** Without the end-of-sequence token. */
  editTokens: number;
  /** Steps of the decoder after prefill; `editTokens / steps` is above 1 when several tokens came per step. */
  steps: number;
}

export interface Timings {
  /** From the call to the first token, prefill included. Undefined when there was none. */
  timeToFirstTokenMs: number | undefined;
  totalMs: number;
  /** Tokens after the first over the time after the first. Undefined below two tokens. */
  tokensPerSecond: number | undefined;
}

/** What a run reports, in order: one `edit-start`, any number of `edit-delta`, one `edit-end`. Plain data. */
export type AlignEvent =
  | {
      type: 'edit-start';
      promptTokens: number;
      /** What the run may generate: the request's, or less when the context has less room. */
      maxNewTokens: number;
      /** What was asked for. */
      requestedNewTokens: number;
    }
  | { type: 'edit-delta'; text: string; editTokens: number; elapsedMs: number }
  | { type: 'edit-end'; edit: string; tokenIds: number[]; finishReason: FinishReason; usage: Usage; timings: Timings };
