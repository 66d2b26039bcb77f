import type { SamplingOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { checkSampling, GREEDY } from '../align/request.ts';

/** Where generation_config.json says `do_sample` and no more. @see transformers/generation/configuration_utils.py */
const HUGGING_FACE_DEFAULTS = { temperature: 1, topK: 50, topP: 1 };

/**
 * The sampling that `model.generate()` takes from a checkpoint's generation_config.json: greedy unless `do_sample`,
 * with the library's own values for what is not said.
 *
 * @param json  parsed file
 * @param name  of the file, for errors
 * @throws AlignError `weights-corrupt` if a setting is not a number in its range
 */
export function parseCheckpointSampling(json: unknown, name: string): SamplingOptions {
  const corrupt = (what: string) =>
    new AlignError('weights-corrupt', `${name} is damaged: ${what}.`, { details: { file: name } });
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw corrupt('it is not an object');
  const settings = json as Readonly<Record<string, unknown>>;
  const read = (key: string, fallback: number) => {
    const value = settings[key] ?? fallback;
    if (typeof value !== 'number') throw corrupt(`${key} is not a number`);
    return value;
  };
  const sampling: SamplingOptions = {
    ...GREEDY,
    ...(settings.do_sample === true && {
      temperature: read('temperature', HUGGING_FACE_DEFAULTS.temperature),
      topK: read('top_k', HUGGING_FACE_DEFAULTS.topK),
      topP: read('top_p', HUGGING_FACE_DEFAULTS.topP),
    }),
    repetitionPenalty: read('repetition_penalty', GREEDY.repetitionPenalty),
  };
  try {
    checkSampling(sampling);
  } catch (error) {
    throw corrupt(error instanceof Error ? error.message.replace(/\.$/, '') : String(error));
  }
  return sampling;
}
