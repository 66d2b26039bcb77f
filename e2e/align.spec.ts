import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODELS_DIRECTORY } from '../playwright.config.ts';
import { findObjective } from '../src/align/objectives.ts';
import { type AlignRequest, GREEDY } from '../src/align/request.ts';
import { editOfKernels } from './edit-of-kernels.fixture.ts';
import { expect, test } from './playground.fixture.ts';

const CONTEXT = 'Human: Why is the sky blue?\n\nAssistant:';
const ANSWER = 'Because it reflects the sea.';

/** What the command line writes for the same request: other runtime, same bytes. */
function editOfCli(variant: string, maxNewTokens: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'metaaligner-e2e-'));
  writeFileSync(join(folder, 'context'), CONTEXT);
  writeFileSync(join(folder, 'answer'), ANSWER);
  const args = ['align', '--model', join(MODELS_DIRECTORY, 'Tiny'), '--variant', variant, '--json'];
  args.push('--objectives', 'harmlessness,helpfulness,humour', '--max-new-tokens', String(maxNewTokens));
  args.push('--context', join(folder, 'context'), '--answer', join(folder, 'answer'));
  const output = execFileSync('node', ['cli/metaaligner.mjs', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  return (JSON.parse(output.toString()) as { edit: string }).edit;
}

function requestOf(maxNewTokens: number): AlignRequest {
  return {
    objectives: ['harmlessness', 'helpfulness', 'humour'].map((name) => findObjective(name, 'hh-rlhf')),
    context: CONTEXT,
    answer: ANSWER,
    template: 'hh-rlhf',
    promptStyle: 'bare',
    maxNewTokens,
    sampling: GREEDY,
  };
}

for (const [device, variant, engine, tokens] of [
  ['wasm', 'fp32', 'CPU (WebAssembly) · fp32', 40],
  ['wasm', 'q8', 'CPU (WebAssembly) · q8', 40],
  // A software adapter takes its time; a few tokens past the prompt show as much.
  ['webgpu', 'fp32', 'GPU (WebGPU) · fp32', 12],
  ['webgpu', 'q4', 'GPU (WebGPU) · q4', 12],
] as const) {
  test(`aligns on ${device} with ${variant}, violates no Content-Security-Policy and asks no other host`, async ({
    playground,
  }) => {
    // Beside the time that the GPU may take.
    test.setTimeout(360_000);
    await playground.use('Tiny', { device, variant, maxNewTokens: tokens });
    // A software GPU takes its time to start.
    await expect(playground.loaded).toBeVisible({ timeout: 240_000 });
    await expect(playground.page.getByText(engine)).toBeVisible();
    await playground.write(CONTEXT, ANSWER);
    await playground.align.click();
    await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 40_000 });
    await expect(playground.page.getByText(`${tokens} tokens`, { exact: true })).toBeVisible();
    const edit = await playground.editText();
    // q8 and q4 round activations, on each device in its own way.
    if (variant === 'fp32') expect(edit).toBe(editOfCli(variant, tokens));
    // The page's threads and its processor's instructions change nothing.
    if (variant === 'q8') expect(edit).toBe(await editOfKernels(join(MODELS_DIRECTORY, 'Tiny'), requestOf(tokens)));
    // Violations are among them.
    expect(playground.consoleErrors).toEqual([]);
    expect(playground.foreignRequests).toEqual([]);
  });
}

test('chooses a device and a variant by itself and says why', async ({ playground }) => {
  await playground.use('Tiny');
  await expect(playground.loaded).toBeVisible();
  // The software adapter has no shader-f16, which q4f16 needs.
  await expect(playground.page.getByText(/^(GPU \(WebGPU\)|CPU \(WebAssembly\)) · (q4|q8|fp32) · /)).toBeVisible();
});

test('loads and aligns with one press, and again with another request', async ({ playground }) => {
  await playground.use('Tiny', { device: 'wasm', variant: 'q8', maxNewTokens: 8 });
  await expect(playground.loaded).toBeVisible();
  for (const answer of ['One.', 'Two.']) {
    await playground.write(CONTEXT, answer);
    await playground.align.click();
    await expect(playground.result).toHaveAttribute('data-status', 'done');
    await expect(playground.page.getByText('You have changed the request since this edit.')).toBeHidden();
  }
});

test('aligns with a folder from disk', async ({ playground }) => {
  await playground.comeBackWith({ device: 'wasm', maxNewTokens: 4 });
  await playground.page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
  await playground.page.getByTestId('folder-input').setInputFiles(join(MODELS_DIRECTORY, 'Tiny'));
  await expect(playground.loaded).toBeVisible();
  await playground.write(CONTEXT, ANSWER);
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done');
});

test('stops a run within a second and keeps what was written', async ({ playground }) => {
  await playground.use('Slow', { device: 'wasm' });
  await expect(playground.loaded).toBeVisible();
  await playground.write(CONTEXT, ANSWER);
  await playground.align.click();
  await expect(playground.page.getByText(/Writing…/)).toBeVisible();
  await playground.stop.click();
  await expect(playground.page.getByText('Stopped by you. What was written until then is kept.')).toBeVisible({
    timeout: 1000,
  });
  expect(await playground.editText()).not.toBe('');
  // Nothing of it reaches the next run.
  await playground.setMaxNewTokens(3);
  await playground.align.click();
  await expect(playground.page.getByText('3 tokens', { exact: true })).toBeVisible();
});
