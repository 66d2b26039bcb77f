import { asString, pipelineSteps, unsupported, type PipelineStep } from './json.ts';
import { readPattern } from './pattern.ts';

export type Normalizer = (text: string) => string;

/** @see https://huggingface.co/docs/tokenizers/api/normalizers */
export function readNormalizer(value: unknown, path: string): Normalizer {
  const steps = pipelineSteps(value, 'normalizers', path).map(readStep);
  return (text) => steps.reduce((result, step) => step(result), text);
}

function readStep({ type, config, path }: PipelineStep): Normalizer {
  switch (type) {
    case 'Prepend': {
      const prefix = asString(config.prepend, `${path}.prepend`);
      return (text) => (text === '' ? '' : prefix + text);
    }
    case 'Replace': {
      const pattern = readPattern(config.pattern, `${path}.pattern`);
      const content = asString(config.content, `${path}.content`);
      return (text) => text.replace(pattern, () => content);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => text.normalize(type);
    default:
      throw unsupported(path, `the normalizer ${type}`);
  }
}
