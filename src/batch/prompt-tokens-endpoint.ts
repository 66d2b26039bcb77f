import { AlignError } from '../align/errors.ts';
import { type ModelEndpoint, type PostOptions, postWithBackOff } from './post-with-back-off.ts';

/**
 * How likely a model finds each token of a text, from a completions server that repeats prompts (`echo`) with `logprobs`:
 * vLLM, OpenAI's instruct models.
 *
 * @returns the prompt's tokens, then the one that the server had to write
 * @throws AlignError as {@link postWithBackOff}, and `server-unreachable` for a reply without log-probabilities
 */
export async function promptTokens(
  endpoint: ModelEndpoint,
  prompt: string,
  options: PostOptions,
): Promise<{ text: string; logProbability: number | null }[]> {
  // Not every server takes max_tokens 0.
  const content = { model: endpoint.model, prompt, max_tokens: 1, temperature: 0, logprobs: 1, echo: true };
  const { url, body } = await postWithBackOff(endpoint, 'completions', content, options);
  interface Completion {
    choices?: { logprobs?: { tokens?: unknown; token_logprobs?: unknown } | null }[];
  }
  let value: Completion | null = null;
  try {
    value = JSON.parse(body) as Completion | null;
  } catch {
    // Told below with what came instead.
  }
  const { tokens, token_logprobs: logProbabilities } = value?.choices?.[0]?.logprobs ?? {};
  if (!isList(tokens, isText) || !isList(logProbabilities, isLogProbability)) throw noTokens(url, body);
  // A server without echo tells only of what it wrote itself.
  if (tokens.length !== logProbabilities.length || tokens.length < 2) throw noTokens(url, body);
  return tokens.map((text, i) => ({ text, logProbability: logProbabilities[i]! }));
}

function noTokens(url: string, body: string): AlignError {
  return new AlignError(
    'server-unreachable',
    `${url} answered without the prompt’s log-probabilities (it must know echo and logprobs): ${body.slice(0, 300)}`,
  );
}

function isList<Item>(value: unknown, isItem: (item: unknown) => item is Item): value is Item[] {
  return Array.isArray(value) && value.every(isItem);
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isLogProbability = (value: unknown): value is number | null => value === null || typeof value === 'number';
