import { basename, dirname, resolve } from 'node:path';
import { AutoModelForCausalLM, env, type PreTrainedModel, Tensor } from '@huggingface/transformers';
import type { Variant } from '../align/variant.ts';

/** Greedy tokens of transformers.js on a converted folder, as a peer to compare with. */
export async function openTransformersJs(
  directory: string,
  variant: Variant,
): Promise<{
  generate: (promptIds: Int32Array, maxNewTokens: number) => Promise<number[]>;
  dispose: () => Promise<void>;
}> {
  env.allowRemoteModels = false;
  env.localModelPath = dirname(resolve(directory));
  const model: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(basename(resolve(directory)), {
    dtype: variant,
    device: 'cpu',
    local_files_only: true,
  });
  return {
    async generate(promptIds, maxNewTokens) {
      const dims = [1, promptIds.length];
      const inputs = new Tensor('int64', BigInt64Array.from(promptIds, BigInt), dims);
      const attention_mask = new Tensor('int64', new BigInt64Array(promptIds.length).fill(1n), dims);
      const output = await model.generate({ inputs, attention_mask, max_new_tokens: maxNewTokens, do_sample: false });
      const ids = (output as Tensor).data as BigInt64Array;
      return Array.from(ids.subarray(promptIds.length), Number);
    },
    dispose: async () => void (await model.dispose()),
  };
}
