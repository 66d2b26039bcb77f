import type { AlignerModel } from './align.ts';
import { decodeEdit } from './edit.ts';
import type { GenerateFinishReason, SamplingOptions } from './engine.ts';
import { roomToGenerate } from './request.ts';

export interface GenerateTextOptions {
  maxNewTokens: number;
  sampling: SamplingOptions;
}

export interface GeneratedText {
  text: string;
  finishReason: GenerateFinishReason;
  promptTokens: number;
  newTokens: number;
}

/**
 * What a model writes after a prompt that is nobody's template.
 *
 * @param promptIds  int32 [promptTokens]
 * @throws AlignError `prompt-too-long` where the context has no room, what the engine throws; the signal's reason
 */
export async function generateText(
  promptIds: Int32Array,
  { tokenizer, engine }: Pick<AlignerModel, 'tokenizer' | 'engine'>,
  { maxNewTokens, sampling }: GenerateTextOptions,
  signal: AbortSignal,
): Promise<GeneratedText> {
  const room = roomToGenerate(promptIds.length, engine.contextLength);
  const options = { ...sampling, maxNewTokens: Math.min(maxNewTokens, room) };
  const promptTokens = promptIds.length;
  const steps = engine.generate(promptIds, options, signal);
  for await (const event of decodeEdit(steps, { tokenizer, promptTokens, signal })) {
    if (event.type !== 'edit-end') continue;
    if (event.finishReason === 'cancelled') throw signal.reason;
    const { edit: text, finishReason, usage } = event;
    return { text, finishReason, promptTokens, newTokens: usage.editTokens };
  }
  throw new Error('A run ended without edit-end; this is a bug.');
}
