import { AlignError } from '../align/errors.ts';
import { loadLlamaCppPackage } from './llama-cpp-package.ts';

/**
 * Whether node-llama-cpp is not here, so that tests of it are left out. Never in CI, which installs it
 * (scripts/install-llama-cpp.sh): there they fail.
 */
export const isLlamaCppMissing =
  process.env.CI === undefined &&
  (await loadLlamaCppPackage().then(
    () => false,
    (error: unknown) => error instanceof AlignError && error.message.includes('not installed'),
  ));
