/**
 * Milliseconds of a step of so many tokens on WebGPU, with the accuracy level that the graph has and with others, and how far the
 * scores of tokens that are read together are from those that they get alone: what drafting costs, and how far it can be believed.
 *
 * Usage: npm run measure:webgpu-steps -- [--model .cache/models/smollm2-135m-instruct] [--variant q4f16] [--levels 4,0]
 *   [--past 160] [--repetitions 20]
 */
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { VARIANTS } from '../src/align/variant.ts';
import { openWebGpuPage } from './measure-webgpu/open-page.ts';
import type { StepsOptions } from './measure-webgpu/steps.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '.cache/models/smollm2-135m-instruct' },
    variant: { type: 'string', default: 'q4f16' },
    levels: { type: 'string', default: '4,0' },
    past: { type: 'string', default: '160' },
    repetitions: { type: 'string', default: '20' },
  },
});
const variant = VARIANTS.find((each) => each === values.variant);
const [past, repetitions] = [Number(values.past), Number(values.repetitions)];
if (variant === undefined || !(past > 0 && repetitions > 0)) {
  console.error('Usage: npm run measure:webgpu-steps -- [--model FOLDER] [--variant q4f16] [--levels 4,0] [--past N]');
  process.exit(2);
}
const SIZES = [1, 2, 3, 5, 9, 17];

const directory = resolve(values.model);
// English prose that nobody has to write for it.
const text = (await readFile(join(import.meta.dirname, '../README.md'), 'utf8')).repeat(2);
const { page, adapter, modelUrl, close } = await openWebGpuPage(directory);
try {
  console.log(`${basename(directory)} ${variant}, ${past} tokens before; ${adapter}; least of ${repetitions}, in ms\n`);
  for (const level of values.levels.split(',').map(Number)) {
    const options: StepsOptions = {
      modelUrl,
      variant,
      accuracyLevel: level,
      sizes: SIZES,
      pastTokens: past,
      repetitions,
      text,
      trial: {},
    };
    const { ms, prefillMs, compared } = await page.evaluate((each) => window.measureWebGpu.steps(each), options);
    console.log(`accuracy level ${level}: ${past} tokens ${prefillMs.toFixed(1)}`);
    for (const [size, each] of Object.entries(ms)) console.log(`  ${size.padEnd(8)} ${each.toFixed(2)}`);
    for (const [size, { positions, farthest, flips, flipLead, close: shares }] of Object.entries(compared)) {
      console.log(
        `  ${size} together: of ${positions} positions ${flips} another token, at a lead of ${flipLead.toFixed(3)} at most; ` +
          `scores ${farthest.toFixed(3)} apart; lead up to 0.25, 0.5, 1, 2: ${shares.map((share) => share.toFixed(2)).join(', ')}`,
      );
    }
  }
} finally {
  await close();
}
