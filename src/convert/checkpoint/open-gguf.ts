import type { ByteSource } from '../byte-source.ts';
import type { LlamaConfig } from '../llama-config.ts';
import { tokenizerFromGguf } from '../tokenizer/gguf-tokenizer.ts';
import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { ggufTensors } from './gguf-tensors.ts';
import { type GgufHeader, readGgufHeader } from './gguf.ts';
import { selectLlamaTensors } from './llama-tensors.ts';
import { generationConfigText, parseGgufConfig } from './parse-config.ts';
import type { StoredTensor } from './stored-tensor.ts';

/**
 * Opens a GGUF model: configuration, tokenizer and weights are all in the file. Where it has no output projection, the
 * embedding is it.
 *
 * @param source  the file, or all parts of a split one in order
 * @throws AlignError `checkpoint-corrupt`, `unsupported-model`
 */
export async function openGguf(source: ByteSource | readonly [ByteSource, ...ByteSource[]]): Promise<Checkpoint> {
  const sources = 'read' in source ? ([source] as const) : source;
  const headers = await Promise.all(sources.map(readGgufHeader));
  const [first] = headers as [GgufHeader, ...GgufHeader[]];
  const file = sources[0].name;
  for (const [i, { metadata }] of headers.entries()) checkPart(metadata, i, sources.length, sources[i]?.name ?? file);

  const listed = headers.flatMap((header) => header.tensors);
  const embedding = listed.find(({ name }) => name === 'token_embd.weight');
  if (embedding === undefined) throw corrupt(file, 'the tensor token_embd.weight is missing');
  const config = parseGgufConfig(first.metadata, file, {
    vocabularySize: embedding.shape[0] ?? 0,
    isEmbeddingTied: !listed.some(({ name }) => name === 'output.weight'),
  });

  const tokens = first.metadata.get('tokenizer.ggml.tokens');
  if (Array.isArray(tokens) && tokens.length > config.vocabularySize) {
    throw corrupt(file, `its ${tokens.length} tokens are more than the ${config.vocabularySize} rows of the embedding`);
  }

  const stored = new Map<string, StoredTensor>();
  for (const [i, part] of sources.entries()) {
    for (const [name, tensor] of ggufTensors(headers[i]?.tensors ?? [], part, config)) {
      const other = stored.get(name);
      if (other !== undefined) throw corrupt(part.name, `the tensor ${quote(name)} is also in ${other.source.name}`);
      stored.set(name, tensor);
    }
  }
  return {
    format: 'gguf',
    config,
    ...selectLlamaTensors(config, stored, file),
    sidecars: sidecarsOf(first.metadata, config),
  };
}

/** What of a GGUF is not its weights. */
export type GgufDescription = Pick<Checkpoint, 'config' | 'sidecars'>;

/**
 * What is needed of a GGUF that another program runs: its tensors may be of types that we do not read.
 *
 * @param source  the file, or the first part of a split one
 * @throws AlignError `checkpoint-corrupt`, `unsupported-model`
 */
export async function describeGguf(source: ByteSource): Promise<GgufDescription> {
  const { metadata, tensors } = await readGgufHeader(source);
  const tokens = metadata.get('tokenizer.ggml.tokens');
  if (!Array.isArray(tokens)) throw corrupt(source.name, 'the list of tokens (tokenizer.ggml.tokens) is missing');
  const config = parseGgufConfig(metadata, source.name, {
    vocabularySize: tokens.length,
    isEmbeddingTied: !tensors.some(({ name }) => name === 'output.weight'),
  });
  return { config, sidecars: sidecarsOf(metadata, config) };
}

function sidecarsOf(metadata: GgufHeader['metadata'], config: LlamaConfig): Map<string, string> {
  const { tokenizerJson, tokenizerConfigJson } = tokenizerFromGguf(metadata);
  return new Map([
    ['tokenizer.json', tokenizerJson],
    ['tokenizer_config.json', tokenizerConfigJson],
    ['generation_config.json', generationConfigText(config)],
  ]);
}

/** llama.cpp's gguf-split numbers the parts in their metadata. */
function checkPart(metadata: GgufHeader['metadata'], index: number, parts: number, file: string): void {
  const count = metadata.get('split.count') ?? 1;
  const number = metadata.get('split.no') ?? 0;
  if (typeof count !== 'number' || typeof number !== 'number')
    throw corrupt(file, 'split.no and split.count are no numbers');
  // A single file may say 0 or 1.
  const expected = Math.max(count, 1);
  if (parts === 1 && expected > 1) {
    throw unsupported(file, `it is part ${number + 1} of ${count} of a split GGUF; give the folder with all parts`);
  }
  if (expected !== parts || number !== index) {
    throw corrupt(file, `it says part ${number + 1} of ${count} and was opened as part ${index + 1} of ${parts}`);
  }
}
