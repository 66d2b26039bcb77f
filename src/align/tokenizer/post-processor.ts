import { asArray, asId, asObject, asString, corrupt, pipelineSteps, unsupported } from './json.ts';

/** The ids that go around an encoded text. */
export interface Surround {
  before: readonly number[];
  after: readonly number[];
}

/**
 * Reads what the post-processor adds to a single text.
 *
 * @returns undefined when the file leaves it to tokenizer_config.json
 * @see https://huggingface.co/docs/tokenizers/api/post-processors
 */
export function readPostProcessor(value: unknown, path: string): Surround | undefined {
  const steps = pipelineSteps(value, 'processors', path);
  if (steps.length === 0) return undefined;
  let surround: Surround = { before: [], after: [] };
  for (const step of steps) {
    // Only moves offsets, which we do not keep.
    if (step.type === 'ByteLevel') continue;
    if (step.type !== 'TemplateProcessing') throw unsupported(step.path, `the post-processor ${step.type}`);
    const { before, after } = readTemplate(step.config, step.path);
    surround = { before: [...before, ...surround.before], after: [...surround.after, ...after] };
  }
  return surround;
}

function readTemplate(config: Readonly<Record<string, unknown>>, path: string): Surround {
  const tokens = asObject(config.special_tokens, `${path}.special_tokens`);
  const before: number[] = [];
  const after: number[] = [];
  let side = before;
  asArray(config.single, `${path}.single`).forEach((entry, i) => {
    const piece = asObject(entry, `${path}.single[${i}]`);
    if (piece.Sequence !== undefined) {
      side = after;
      return;
    }
    const name = asString(
      asObject(piece.SpecialToken, `${path}.single[${i}].SpecialToken`).id,
      `${path}.single[${i}].id`,
    );
    const token = asObject(tokens[name], `${path}.special_tokens[${JSON.stringify(name)}]`);
    const ids = asArray(token.ids, `${path}.special_tokens[${JSON.stringify(name)}].ids`);
    side.push(...ids.map((id, j) => asId(id, `${path}.special_tokens[${JSON.stringify(name)}].ids[${j}]`)));
  });
  if (side !== after) throw corrupt(`${path}.single`, 'a template with the text in it', config.single);
  return { before, after };
}
