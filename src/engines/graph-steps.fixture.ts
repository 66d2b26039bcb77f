import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { LlamaConfig } from '../convert/llama-config.ts';

/** float32 [tokens, vocabulary], and the cache by the names of its inputs. */
export interface Step {
  logits: Float32Array;
  cache: Record<string, Tensor>;
}

/**
 * @param files  the converted folder, which holds the graph's external data
 * @returns steps as the decode loop makes them, each after the one that is given
 */
export async function openGraph(
  bytes: Uint8Array,
  files: ReadonlyMap<string, Uint8Array>,
  config: Pick<LlamaConfig, 'layerCount' | 'kvHeadCount' | 'headDim'>,
) {
  const { layerCount, kvHeadCount, headDim } = config;
  const session = await InferenceSession.create(bytes, {
    externalData: [...files]
      .filter(([path]) => path.endsWith('_data'))
      .map(([path, data]) => ({ path: path.slice('onnx/'.length), data })),
    logSeverityLevel: 3,
  });
  return async (tokenIds: readonly number[], past?: Step): Promise<Step> => {
    const pastTokens = past?.cache['past_key_values.0.key']?.dims[2] ?? 0;
    const totalTokens = pastTokens + tokenIds.length;
    const feeds: Record<string, Tensor> = {
      input_ids: new Tensor('int64', BigInt64Array.from(tokenIds, BigInt), [1, tokenIds.length]),
      attention_mask: new Tensor('int64', new BigInt64Array(totalTokens).fill(1n), [1, totalTokens]),
      num_logits_to_keep: new Tensor('int64', BigInt64Array.of(BigInt(tokenIds.length)), []),
      ...past?.cache,
    };
    const names = Array.from({ length: layerCount }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
    for (const name of names) {
      feeds[`past_key_values.${name}`] ??= new Tensor('float32', new Float32Array(), [1, kvHeadCount, 0, headDim]);
    }
    const outputs = await session.run(feeds);
    return {
      logits: outputs.logits!.data as Float32Array,
      cache: Object.fromEntries(names.map((name) => [`past_key_values.${name}`, outputs[`present.${name}`]!])),
    };
  };
}

/** The largest difference of two tensors' values. */
export function farthest(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}
