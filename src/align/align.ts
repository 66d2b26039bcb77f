import { type AlignEvent, decodeEdit } from './edit.ts';
import type { Engine, SamplingOptions } from './engine.ts';
import { buildPrompt, promptAroundAnswer } from './prompt.ts';
import { type AlignRequest, checkRequest, generateOptions, roomToGenerate } from './request.ts';
import type { Tokenizer } from './tokenizer.ts';

/** A model that is ready to run. */
export interface AlignerModel {
  tokenizer: Tokenizer;
  engine: Engine;
  /** Of the checkpoint's generation_config.json; greedy where it says nothing. */
  checkpointSampling: SamplingOptions;
}

/**
 * The whole path, from a request to its edit.
 *
 * @throws AlignError `invalid-request`, `prompt-too-long` before anything ran, or what the engine threw
 */
export async function* align(
  request: AlignRequest,
  model: AlignerModel,
  signal: AbortSignal,
): AsyncGenerator<AlignEvent, void, void> {
  checkRequest(request);
  const promptIds = encodePrompt(request, model);
  const room = roomToGenerate(promptIds.length, model.engine.contextLength);
  let readTokens = 0;
  const options = {
    ...generateOptions(request, room, model.checkpointSampling),
    answerRange: findAnswer(request, model, promptIds),
    onPromptRead: (tokens: number) => void (readTokens = tokens),
  };
  yield {
    type: 'edit-start',
    promptTokens: promptIds.length,
    maxNewTokens: options.maxNewTokens,
    requestedNewTokens: request.maxNewTokens,
  };
  const steps = model.engine.generate(promptIds, options, signal);
  yield* decodeEdit(steps, {
    tokenizer: model.tokenizer,
    promptTokens: promptIds.length,
    readTokens: () => readTokens,
    signal,
  });
}

/** @returns int32 [promptTokens], BOS first where the tokenizer has one */
export function encodePrompt(request: AlignRequest, model: Pick<AlignerModel, 'tokenizer'>): Int32Array {
  return model.tokenizer.encode(buildPrompt(request));
}

/** Where the answer's tokens are in the prompt's; at its edges a token may hold letters of both sides. */
export function findAnswer(
  request: Parameters<typeof promptAroundAnswer>[0],
  { tokenizer }: Pick<AlignerModel, 'tokenizer'>,
  promptIds: Int32Array,
): readonly [start: number, end: number] {
  const [before, after] = promptAroundAnswer(request);
  const start = commonLength(tokenizer.encode(before), promptIds);
  const end = promptIds.length - (tokenizer.encode(after).length - tokenizer.encode('').length);
  return [start, Math.max(start, end)];
}

function commonLength(a: Int32Array, b: Int32Array): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}
