import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as playwright } from '@playwright/test';
import type { LoadRequest } from '../workers/protocol.ts';
import { startLocalHub } from './local-hub.ts';
import { expect, Playground, test } from './playground.fixture.ts';

/** As the server lists it: the folder's name. */
const MODEL_ID = 'smollm2-135m-instruct';
const FOLDER = `.cache/models/${MODEL_ID}`;

/** MetaAligner's own README example: the question about tarnishing a reputation. */
const example = JSON.parse(readFileSync(new URL('../scripts/published-example.json', import.meta.url), 'utf8')) as {
  context: string;
  answer: string;
};

interface Request {
  context: string;
  answer: string;
  variant: Exclude<LoadRequest['variant'], 'auto'>;
  maxNewTokens: number;
}

/** The same request through onnxruntime-node. */
function editOfCli(request: Request): string {
  const folder = mkdtempSync(join(tmpdir(), 'metaaligner-weights-'));
  writeFileSync(join(folder, 'context'), request.context);
  writeFileSync(join(folder, 'answer'), request.answer);
  const args = ['align', '--model', FOLDER, '--variant', request.variant, '--family', 'hh-rlhf', '--json'];
  args.push('--objectives', 'harmlessness,helpfulness,humour', '--max-new-tokens', String(request.maxNewTokens));
  args.push('--context', join(folder, 'context'), '--answer', join(folder, 'answer'));
  const output = execFileSync('node', ['cli/metaaligner.mjs', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  return (JSON.parse(output.toString()) as { edit: string }).edit;
}

const cases: [name: string, device: LoadRequest['device'], request: Request][] = [
  // float32: q8 rounds activations anew at every step, so that last bits of the two runtimes decide where two tokens are
  // near each other, as after the first three here.
  ['the README’s example on wasm', 'wasm', { ...example, variant: 'fp32', maxNewTokens: 32 }],
  ['the start of it in q8 on wasm', 'wasm', { ...example, variant: 'q8', maxNewTokens: 3 }],
  // Software WebGPU takes seconds per token: a short prompt and few tokens show that the path is right.
  [
    'a short one on software WebGPU',
    'webgpu',
    { context: 'Human: Hi! Assistant:', answer: 'Go away.', variant: 'q4', maxNewTokens: 4 },
  ],
];

for (const [name, device, request] of cases) {
  test(`writes what Node writes for ${name}, with real weights`, async ({ playground }) => {
    await playground.use(MODEL_ID, { device, variant: request.variant });
    await expect(playground.loaded).toBeVisible({ timeout: 300_000 });
    await playground.write(request.context, request.answer);
    await playground.setMaxNewTokens(request.maxNewTokens);
    await playground.align.click();
    await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 400_000 });
    const edit = await playground.editText();
    expect(edit.trim()).not.toBe('');
    expect(edit).toBe(editOfCli(request));
    expect(playground.consoleErrors).toEqual([]);
    expect(playground.foreignRequests).toEqual([]);
  });
}

playwright(
  'gets the GGUF from a hub, converts it while it arrives, and writes what Node writes',
  async ({ page, baseURL }) => {
    const gguf = process.env.SMOLLM2_GGUF ?? '.cache/smollm2/smollm2-135m-instruct.gguf';
    const id = 'HuggingFaceTB/SmolLM2-135M-Instruct-GGUF';
    const hub = await startLocalHub({ repositories: { [id]: { files: { 'smollm2-135m-instruct.gguf': gguf } } } });
    try {
      const playground = new Playground(page, baseURL ?? '');
      await playground.open();
      await playground.comeBackWith({ hubEndpoint: hub.endpoint, device: 'wasm', variant: 'q8' });
      await page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
      await page.getByLabel(/^Another model/).fill(id);
      await page.getByRole('button', { name: 'Look' }).click();
      await page.getByRole('button', { name: 'Start download' }).click();
      await expect(playground.loaded).toBeVisible({ timeout: 300_000 });
      const request: Request = { ...example, variant: 'q8', maxNewTokens: 3 };
      await playground.write(request.context, request.answer);
      await playground.setMaxNewTokens(request.maxNewTokens);
      await playground.align.click();
      await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 400_000 });
      expect(await playground.editText()).toBe(editOfCli(request));
      expect(playground.consoleErrors).toEqual([]);
    } finally {
      await hub.close();
    }
  },
);
