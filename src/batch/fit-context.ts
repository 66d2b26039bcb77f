import type { AlignerModel } from '../align/align.ts';
import { encodePrompt } from '../align/align.ts';
import type { AlignRequest } from '../align/request.ts';

export const ON_TOO_LONG = ['error', 'skip', 'truncate-context'] as const;
export type OnTooLong = (typeof ON_TOO_LONG)[number];

/** Whether prompt and at least one new token fit. */
export function fits(request: AlignRequest, model: AlignerModel): boolean {
  return encodePrompt(request, model).length < model.engine.contextLength;
}

/**
 * Takes characters from the front of the context, the oldest turns, until the prompt leaves room for the edit: what was
 * asked for, or a quarter of the model's context where that is less.
 *
 * @returns undefined when the prompt would not fit even without a context
 */
export function truncateContext(
  request: AlignRequest,
  model: AlignerModel,
): { request: AlignRequest; droppedCharacters: number } | undefined {
  const { contextLength } = model.engine;
  const room = Math.min(request.maxNewTokens, Math.floor(contextLength / 4));
  const without = (dropped: number) => ({ ...request, context: request.context.slice(dropped) });
  const isShort = (dropped: number) => encodePrompt(without(dropped), model).length + room <= contextLength;
  if (!isShort(request.context.length)) return undefined;
  let tooFew = 0;
  let enough = request.context.length;
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (isShort(middle)) enough = middle;
    else tooFew = middle;
  }
  // Not between the halves of a surrogate pair.
  const isLowHalf = /^[\uDC00-\uDFFF]/.test(request.context.slice(enough));
  const droppedCharacters = isLowHalf ? enough + 1 : enough;
  return { request: without(droppedCharacters), droppedCharacters };
}
