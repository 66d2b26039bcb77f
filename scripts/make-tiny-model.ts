/**
 * Writes a converted Llama with random weights, for tests of everything around a model.
 *
 * Usage: tsx scripts/make-tiny-model.ts DIR [VARIANT,…] [SEED]
 */
import { VARIANTS, type Variant } from '../src/align/variant.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { randomCheckpoint, SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { createNodeTarget } from '../src/weights/node-folder.ts';

const [directory, list = VARIANTS.join(','), seed = '1'] = process.argv.slice(2);
if (directory === undefined) {
  console.error('Usage: tsx scripts/make-tiny-model.ts DIR [VARIANT,…] [SEED]');
  process.exit(2);
}
await convertCheckpoint(randomCheckpoint(SMALL_LLAMA, Number(seed)), createNodeTarget(directory), {
  variants: list.split(',') as Variant[],
  name: 'Small random Llama',
  source: `random weights, seed ${seed}`,
  family: 'hh-rlhf',
});
