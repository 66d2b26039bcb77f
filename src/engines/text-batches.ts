import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { TokenizedText } from './text-tokenizer.ts';

/** A batch holds at most so many tokens, padding included: enough to keep the cores busy, few enough for a small machine. */
const BATCH_TOKENS = 4096;
const BATCH_INPUTS = 64;

/** @param order  by length, the shortest first */
export function* batchesOf(order: readonly number[], lengthOf: (index: number) => number): Generator<number[]> {
  let batch: number[] = [];
  for (const index of order) {
    const isFull = batch.length === BATCH_INPUTS || (batch.length + 1) * lengthOf(index) > BATCH_TOKENS;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) yield batch;
}

/** Rows of one batch, filled up on the right to the longest. */
export function padInputs(
  inputs: readonly TokenizedText[],
  { padTokenId, typeCount }: { padTokenId: number | undefined; typeCount: number },
  Tensor: TensorConstructor,
): { feeds: Record<string, Tensor>; tokens: number } {
  const [rows, tokens] = [inputs.length, Math.max(...inputs.map(({ ids }) => ids.length))];
  const tensor = (fill: number, values: (input: TokenizedText) => readonly number[]) => {
    const data = new BigInt64Array(rows * tokens).fill(BigInt(fill));
    inputs.forEach((input, row) => values(input).forEach((value, i) => (data[row * tokens + i] = BigInt(value))));
    return new Tensor('int64', data, [rows, tokens]);
  };
  const feeds: Record<string, Tensor> = {
    input_ids: tensor(padTokenId ?? 0, ({ ids }) => ids),
    attention_mask: tensor(0, ({ ids }) => ids.map(() => 1)),
  };
  if (typeCount > 0) feeds.token_type_ids = tensor(0, ({ typeIds }) => typeIds);
  return { feeds, tokens };
}
