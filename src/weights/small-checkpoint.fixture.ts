import type { Checkpoint } from '../convert/checkpoint/checkpoint.ts';
import { huggingFaceConfig } from '../convert/convert.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { randomCheckpoint, SMALL_LLAMA } from '../convert/small-llama.fixture.ts';

/** Thirteen megabytes, nearly all of it in six tensors of two: seven blocks of a stream. */
export const BROAD_LLAMA: LlamaConfig = { ...SMALL_LLAMA, hiddenSize: 128, headDim: 32, intermediateSize: 4096 };

/** The files of a Hugging Face repository with random weights, as `save_pretrained` writes them. */
export async function safetensorsRepository(
  config: LlamaConfig = SMALL_LLAMA,
  seed = 1,
): Promise<Record<string, Uint8Array>> {
  const checkpoint = randomCheckpoint(config, seed);
  const text = (value: string) => new TextEncoder().encode(value);
  return {
    'config.json': text(huggingFaceConfig(config, {})),
    'generation_config.json': text(checkpoint.sidecars.get('generation_config.json') ?? '{}'),
    'tokenizer.json': text(checkpoint.sidecars.get('tokenizer.json') ?? ''),
    'tokenizer_config.json': text(checkpoint.sidecars.get('tokenizer_config.json') ?? ''),
    'model.safetensors': await safetensorsOf(checkpoint),
  };
}

async function safetensorsOf({ tensors }: Checkpoint): Promise<Uint8Array> {
  // safetensors sorts by name: layers 0, 1, 10, 11, 2; down, gate, up; k, o, q, v.
  const ordered = [...tensors.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of ordered) {
    const { name, shape } = tensor;
    const bytes = await tensor.readRawRows(0, shape.length < 2 ? 1 : (shape[0] ?? 0));
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    parts.push(bytes);
    offset += bytes.length;
  }
  let json = JSON.stringify(header);
  while (json.length % 8 !== 0) json += ' ';
  const file = new Uint8Array(8 + json.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(new TextEncoder().encode(json), 8);
  let at = 8 + json.length;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
