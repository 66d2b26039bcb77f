/**
 * Tries the options of onnxruntime-web's WebGPU provider one by one, and prints what each does to a step: calls of
 * WebGPU, bytes up and down, and whether the text stays the same. On a software adapter the times say nothing about a GPU.
 *
 * Usage: npm run measure:webgpu -- [--model .cache/models/smollm2-135m-instruct] [--variant q4] [--prompt-tokens 40]
 *   [--new-tokens 17] [--only NAME,NAME]
 */
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { VARIANTS } from '../src/align/variant.ts';
import { openWebGpuPage } from './measure-webgpu/open-page.ts';
import type { TrialOptions, TrialResult } from './measure-webgpu/trial.worker.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '.cache/models/smollm2-135m-instruct' },
    variant: { type: 'string', default: 'q4' },
    'prompt-tokens': { type: 'string', default: '40' },
    'new-tokens': { type: 'string', default: '17' },
    only: { type: 'string' },
  },
});
const variant = VARIANTS.find((each) => each === values.variant);
const [promptTokens, newTokens] = [Number(values['prompt-tokens']), Number(values['new-tokens'])];
if (variant === undefined || !(promptTokens > 0 && newTokens > 1)) {
  console.error(
    'Usage: npm run measure:webgpu -- [--model FOLDER] [--variant q4] [--prompt-tokens N] [--new-tokens N]',
  );
  process.exit(2);
}

type Trial = Pick<TrialOptions, 'trial' | 'reading'>;

const cacheModes = ['disabled', 'lazyRelease', 'simple', 'bucket'] as const;
const TRIALS: Record<string, Trial> = {
  'as shipped': { trial: {} },
  'scores read whole': { trial: {}, reading: 'all' },
  'nothing ahead': { trial: {}, reading: 'largest' },
  'graph capture': { trial: { session: { enableGraphCapture: true, preferredOutputLocation: 'gpu-buffer' } } },
  ...Object.fromEntries(
    (['disabled', 'wgpuOnly', 'full'] as const).map((mode) => [
      `validationMode ${mode}`,
      { trial: { provider: { validationMode: mode } } },
    ]),
  ),
  'preferredLayout NCHW': { trial: { provider: { preferredLayout: 'NCHW' } } },
  ...Object.fromEntries(
    cacheModes.map((mode) => [
      `storageBufferCacheMode ${mode}`,
      { trial: { provider: { storageBufferCacheMode: mode } } },
    ]),
  ),
  ...Object.fromEntries(
    cacheModes.map((mode) => [
      `uniformBufferCacheMode ${mode}`,
      { trial: { provider: { uniformBufferCacheMode: mode } } },
    ]),
  ),
  ...Object.fromEntries(
    cacheModes.map((mode) => [
      `defaultBufferCacheMode ${mode}`,
      { trial: { provider: { defaultBufferCacheMode: mode } } },
    ]),
  ),
  enableMatmulFp32Accumulation: { trial: { provider: { enableMatmulFp32Accumulation: true } } },
  ...Object.fromEntries(
    (['disabled', 'basic', 'extended', 'layout'] as const).map((level) => [
      `graphOptimizationLevel ${level}`,
      { trial: { session: { graphOptimizationLevel: level } } },
    ]),
  ),
  'enableMemPattern off': { trial: { session: { enableMemPattern: false } } },
};

const directory = resolve(values.model);
const { page, adapter, modelUrl, close } = await openWebGpuPage(directory);
try {
  console.log(
    `${basename(directory)} ${variant}, ${promptTokens} tokens of prompt, ${newTokens} new; adapter: ${adapter}\n`,
  );
  console.log(
    row('', 'ms', 'dispatches', 'submits', 'buffers', 'bytes up', 'reads', 'bytes down', 'pipelines', 'text'),
  );
  let shipped: TrialResult | undefined;
  for (const [name, trial] of Object.entries(TRIALS)) {
    if (values.only !== undefined && !values.only.split(',').includes(name) && shipped !== undefined) continue;
    const promptIds = Array.from({ length: promptTokens }, (_, i) => 100 + ((i * 7919) % 1000));
    const options: TrialOptions = { modelUrl, variant, promptIds, newTokens, ...trial };
    const result = await page
      .evaluate((each) => window.measureWebGpu.calls(each), options)
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (typeof result === 'string') {
      if (shipped === undefined) throw new Error(result);
      console.log(`${name.padEnd(34)} refused: ${result.replaceAll(/\s+/g, ' ').slice(0, 300)}`);
      continue;
    }
    shipped ??= result;
    const same = result.tokenIds.findIndex((id, i) => id !== shipped?.tokenIds[i]);
    const { step } = result;
    console.log(
      row(
        name,
        step.ms.toFixed(0),
        ...[
          step.dispatches,
          step.submits,
          step.buffersCreated,
          step.uploadedBytes,
          step.readBacks,
          step.readBackBytes,
        ].map((value) => String(Math.round(value * 10) / 10)),
        `${result.loading.pipelinesCreated}+${result.prefill.pipelinesCreated}+${(step.pipelinesCreated * (newTokens - 1)).toFixed(0)}`,
        same < 0 ? 'same' : `other at ${same}`,
      ),
    );
  }
} finally {
  await close();
}

function row(...cells: string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(34) : cell.padStart(11))).join(' ');
}
