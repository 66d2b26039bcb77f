import type { InferenceSession } from 'onnxruntime-web';
import { AlignError } from '../align/errors.ts';

/** What the loop needs of a graph, read from the graph itself. */
export interface DecoderShape {
  vocabularySize: number;
  kvHeadCount: number;
  headDim: number;
  cacheType: 'float32' | 'float16';
  /** Key and value of every layer. */
  cacheParts: readonly { pastName: string; presentName: string }[];
}

const PAST = /^past_key_values\.(\d+\.(?:key|value))$/;
const OTHER_INPUTS = ['input_ids', 'attention_mask', 'num_logits_to_keep'];

/**
 * @throws AlignError `weights-corrupt` if the graph is not a decoder as our converter writes it; ORT would say so at the
 *   first step, in its own words
 */
export function readDecoderShape(session: Pick<InferenceSession, 'inputMetadata' | 'outputMetadata'>): DecoderShape {
  const refuse = (what: string): never => {
    throw new AlignError('weights-corrupt', `The graph is not a decoder of ours: ${what}.`);
  };
  const cacheParts: DecoderShape['cacheParts'][number][] = [];
  let cache: { type: string; kvHeadCount: unknown; headDim: unknown } | undefined;
  const missing = new Set(OTHER_INPUTS);
  for (const input of session.inputMetadata) {
    const part = PAST.exec(input.name)?.[1];
    if (part === undefined || !input.isTensor) {
      if (!missing.delete(input.name)) refuse(`it has an input ${input.name}`);
      continue;
    }
    cacheParts.push({ pastName: input.name, presentName: `present.${part}` });
    cache ??= { type: input.type, kvHeadCount: input.shape[1], headDim: input.shape[3] };
  }
  const outputs = new Map(session.outputMetadata.map((output) => [output.name, output]));
  for (const { presentName } of cacheParts) if (!outputs.has(presentName)) refuse(`it has no output ${presentName}`);
  if (missing.size > 0) refuse(`it has no input ${[...missing].join(', ')}`);
  const logits = outputs.get('logits');
  const vocabularySize = logits?.isTensor === true ? logits.shape.at(-1) : undefined;
  if (logits?.isTensor !== true || logits.type !== 'float32' || typeof vocabularySize !== 'number') {
    return refuse('it has no float32 logits of a fixed vocabulary');
  }
  const { type, kvHeadCount, headDim } = cache ?? {};
  if (type !== 'float32' && type !== 'float16') return refuse('its cache is neither float32 nor float16');
  if (typeof kvHeadCount !== 'number' || typeof headDim !== 'number') return refuse('its cache has no fixed shape');
  return { vocabularySize, kvHeadCount, headDim, cacheType: type, cacheParts };
}
