import type { SamplingOptions } from '../align/engine.ts';
import { type ModelEndpoint, type PostOptions, postWithBackOff } from './post-with-back-off.ts';
import type { EditOutcome } from './run-batch.ts';

export interface CompletionRequest {
  prompt: string;
  maxNewTokens: number;
  /** Undefined: the server's own. */
  sampling: SamplingOptions | undefined;
}

/**
 * One completion, tried again as {@link postWithBackOff} does, and where a reply is no completion.
 *
 * @throws AlignError as there
 */
export async function complete(
  endpoint: ModelEndpoint,
  request: CompletionRequest,
  options: PostOptions,
): Promise<EditOutcome> {
  const faultOf = (text: string) => (readCompletion(text) === undefined ? 'no completion' : undefined);
  const content = bodyOf(endpoint.model, request);
  const { body } = await postWithBackOff(endpoint, 'completions', content, { ...options, faultOf });
  return readCompletion(body)!;
}

function bodyOf(model: string, { prompt, maxNewTokens, sampling }: CompletionRequest): Record<string, unknown> {
  return { model, prompt, max_tokens: maxNewTokens, ...samplingFields(sampling) };
}

/** What a request to a completions or chat interface says of sampling; nothing where the server's own counts. */
export function samplingFields(sampling: SamplingOptions | undefined): Record<string, unknown> {
  if (sampling === undefined) return {};
  return {
    temperature: sampling.temperature,
    seed: sampling.seed,
    // Sent only when they say something: not every server knows the last two.
    ...(sampling.topP < 1 && { top_p: sampling.topP }),
    ...(sampling.topK > 0 && { top_k: sampling.topK }),
    ...(sampling.repetitionPenalty !== 1 && { repetition_penalty: sampling.repetitionPenalty }),
  };
}

/** @returns undefined for what is no completion */
function readCompletion(body: string): EditOutcome | undefined {
  interface Completion {
    choices?: { text?: unknown; finish_reason?: unknown }[];
    usage?: { prompt_tokens?: unknown; completion_tokens?: unknown };
  }
  let value: Completion | null;
  try {
    value = JSON.parse(body) as Completion | null;
  } catch {
    return undefined;
  }
  const choice = value?.choices?.[0];
  if (typeof choice?.text !== 'string') return undefined;
  const count = (tokens: unknown) => (Number.isSafeInteger(tokens) ? Math.max(0, tokens as number) : 0);
  return {
    edit: choice.text,
    finishReason: choice.finish_reason === 'length' ? 'length' : 'stop',
    promptTokens: count(value?.usage?.prompt_tokens),
    editTokens: count(value?.usage?.completion_tokens),
  };
}
