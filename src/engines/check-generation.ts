import type { GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { checkSampling } from '../align/request.ts';

/**
 * What every engine refuses before it runs.
 *
 * @throws AlignError `invalid-request` that names the token or the setting
 */
export function checkGeneration(promptIds: Int32Array, options: GenerateOptions, vocabularySize: number): void {
  if (promptIds.length === 0) throw new AlignError('invalid-request', 'The prompt has no tokens.');
  const strange = promptIds.findIndex((id) => id < 0 || id >= vocabularySize);
  if (strange >= 0) {
    const details = { position: strange, tokenId: promptIds[strange], vocabularySize };
    throw new AlignError(
      'invalid-request',
      `Token ${details.tokenId} at position ${strange} of the prompt is not one of the model’s ` +
        `${vocabularySize.toLocaleString('en-US')}; its tokenizer may be another model’s.`,
      { details },
    );
  }
  if (!Number.isInteger(options.maxNewTokens) || options.maxNewTokens < 1) {
    throw new AlignError(
      'invalid-request',
      `The largest number of new tokens is ${options.maxNewTokens}; it must be a whole number of at least 1.`,
      { details: { maxNewTokens: options.maxNewTokens } },
    );
  }
  checkSampling(options);
}
