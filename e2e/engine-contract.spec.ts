import { expect, type Page, test } from '@playwright/test';
import { createServer, type ViteDevServer } from 'vite';
import { VARIANT_FILE_NAMES } from '../src/convert/write-graphs.ts';
import { convertedSmallLlama } from '../src/convert/small-llama.fixture.ts';
import { draftTrust } from '../src/engines/drafter.ts';
import { ENGINE_CONTRACT } from '../src/engines/engine.contract.ts';
import { CONTRACT_CONFIG } from '../src/engines/small-model.fixture.ts';
import type { SamplingOptions } from '../src/align/engine.ts';
import { SeededRandom } from '../src/align/random.ts';
import { argmax } from '../src/engines/sampling.ts';
import type { ScoresNeeded } from '../src/engines/scores.ts';
import type { ContractModelJson } from './engine-contract.page.ts';

/**
 * The contract of src/engines/ where the web engine is at home: in a worker of a cross-origin isolated page. WebGPU is a
 * software adapter here, without shader-f16.
 */
const SUBJECTS = [
  { device: 'wasm', threads: 2, variant: 'q8' },
  { device: 'wasm', threads: 2, variant: 'fp32' },
  { device: 'webgpu', threads: 1, variant: 'fp32' },
  { device: 'webgpu', threads: 1, variant: 'q4' },
  // Only where the adapter has shader-f16 (CHROMIUM_PATH), and without the cases that compare steps of several sizes.
  { device: 'webgpu', threads: 1, variant: 'q4f16' },
] as const;

let server: ViteDevServer;
test.beforeAll(async () => {
  // A server of its own: this page is no part of the product.
  server = await createServer({ logLevel: 'error', server: { port: 0, hmr: false, watch: null } });
  await server.listen();
});
test.afterAll(() => server.close());

for (const { device, threads, variant } of SUBJECTS) {
  test.describe(`the web engine on ${device}, ${variant}`, () => {
    let page: Page;
    test.beforeAll(async ({ browser }) => {
      test.setTimeout(300_000);
      page = await browser.newPage();
      await page.goto(`${server.resolvedUrls?.local[0] ?? ''}e2e/engine-contract.html`);
      const { files } = await convertedSmallLlama([variant], CONTRACT_CONFIG);
      const file = (suffix: string) => {
        const name = `${VARIANT_FILE_NAMES[variant]}.${suffix}`;
        return { name, base64: Buffer.from(files.get(`onnx/${name}`) ?? []).toString('base64') };
      };
      const model: ContractModelJson = {
        device,
        threads,
        // As it is shipped.
        config: { ...CONTRACT_CONFIG, ...draftTrust(variant, device) },
        graph: file('onnx'),
        externalData: [file('onnx_data')],
      };
      await page.waitForFunction(() => 'contract' in window);
      const hasF16 = () =>
        navigator.gpu.requestAdapter().then((adapter) => adapter?.features.has('shader-f16') === true);
      test.skip(variant === 'q4f16' && !(await page.evaluate(hasF16)), 'The adapter has no shader-f16.');
      expect(await page.evaluate(() => window.contract.isolated)).toBe(true);
      await page.evaluate((each) => window.contract.use(each), model);
    });
    test.afterAll(() => page.close());

    if (device === 'webgpu') {
      // The first, on the engine that the others share from then on.
      test('has compiled every shader when it is loaded: of a prompt, of one token and of drafts', async () => {
        test.setTimeout(180_000);
        const drafted = Array.from({ length: 17 }, (_, i) => [9, i + 1, i + 1] as const);
        const read = [1, 2, 4, 16, 31, 33, 64, 65, 120].map((tokens) => [0, tokens, 1] as const);
        const steps = [...read, ...drafted, [120, 30, 0] as const, [150, 1, 1] as const];
        const compiled = await page.evaluate((each) => window.contract.compiledIn(each), steps);
        expect(compiled).toEqual(Array.from({ length: steps.length + 1 }, () => 0));
      });
    }

    if (device === 'webgpu' && variant === 'fp32') {
      test('says that the device was lost instead of waiting for it, and starts again on another', async () => {
        test.setTimeout(180_000);
        const { lost, next } = await page.evaluate(() => window.contract.loseDevice());
        expect(lost).toEqual(['device-lost', 'device-lost']);
        expect(next).toHaveLength(3);
      });
    }

    if (device === 'webgpu') {
      test('writes the same with scores that stay on the device as with all of them read', async () => {
        test.setTimeout(180_000);
        const drawn = { temperature: 1.5, seed: 7 };
        const each: Partial<SamplingOptions>[] = [{}, { ...drawn, topK: 5, topP: 0.7, repetitionPenalty: 1.2 }];
        // What is found does not depend on the weights' form, whose steps take three times as long here.
        if (variant !== 'q4') {
          each.push({ repetitionPenalty: 1.3 }, { repetitionPenalty: 0.7 });
          each.push({ ...drawn, topK: 5 }, { ...drawn, topP: 0.9 }, drawn);
        }
        for (const sampling of each) {
          const [reduced, whole] = await page.evaluate((one) => window.contract.writeBothWays(20, one), sampling);
          expect(reduced, JSON.stringify(sampling)).toEqual(whole);
          expect(reduced).toHaveLength(20);
        }
      });
    }

    if (device === 'webgpu') {
      test('scores tokens one by one as it does together, within the margin of docs/weights.md', async () => {
        test.setTimeout(180_000);
        const difference = await page.evaluate(() => window.contract.differenceBySize(40));
        expect(difference).toBeLessThan(variant === 'fp32' ? 1e-4 : 0.1);
      });
    }

    if (device === 'webgpu' && variant !== 'fp32') {
      test('reads back eight bytes for a token, and makes nothing anew', async () => {
        const counts = await page.evaluate(() => window.contract.countSteps(21, {}));
        expect(counts.readBackBytes).toBe(20 * 8);
        expect(counts.readBacks).toBe(20);
        expect(counts.pipelinesCreated).toBe(0);
      });

      test('finds on the device what the host would', async () => {
        test.setTimeout(180_000);
        const vocabularySize = 5000;
        const find = (bits: number[], rows: number, needed: ScoresNeeded) =>
          page.evaluate(([...given]) => window.contract.findScores(...given), [bits, rows, needed] as const);
        // Three rows in steps of 1/8: many equal each other.
        const random = new SeededRandom(3);
        const rows = Array.from({ length: 3 }, () =>
          Float32Array.from({ length: vocabularySize }, () => Math.round((random.nextFraction() - 0.5) * 800) / 8),
        );
        rows[1]!.fill(-3).set([-0, 0, 0], 40);
        rows[2]!.set([-Infinity, 60, 60, 60], 4000);
        const bits = rows.flatMap((row) => [...new Uint32Array(row.buffer)]);
        expect(await find(bits, 3, { type: 'largest' })).toEqual(
          rows.map((row) => ({ tokenIds: [argmax(row)], logits: [] })),
        );
        for (const count of [1, 3, 50]) {
          const each = [rows[0]!, rows[2]!];
          const found = await find(
            each.flatMap((row) => [...new Uint32Array(row.buffer)]),
            2,
            { type: 'top', count },
          );
          expect(found).toEqual(
            each.map((row) => {
              const least = row.toSorted().at(-count)!;
              const tokenIds = [...row.keys()].filter((id) => row[id]! >= least);
              return { tokenIds, logits: tokenIds.map((id) => row[id]) };
            }),
          );
        }
        // Nearly all equal the last: too many to list.
        const whole = await find([...new Uint32Array(rows[1]!.buffer)], 1, { type: 'top', count: 10 });
        expect(whole).toEqual([{ tokenIds: [], logits: [...rows[1]!] }]);
        for (const bad of [NaN, -NaN, Infinity]) {
          const row = rows[0]!.slice();
          row[4321] = bad;
          const badBits = [...new Uint32Array(row.buffer)];
          expect(await find(badBits, 1, { type: 'largest' })).toBe('engine-failed');
          expect(await find(badBits, 1, { type: 'top', count: 2 })).toBe('engine-failed');
        }
        const nothing = [...new Uint32Array(new Float32Array(vocabularySize).fill(-Infinity).buffer)];
        expect(await find(nothing, 1, { type: 'largest' })).toBe('engine-failed');
      });
    }

    // On a software adapter each new engine compiles its shaders for seconds: once is enough.
    const cases = ENGINE_CONTRACT.filter(
      ({ disposes }) => variant !== 'q4f16' && (disposes !== true || variant === 'fp32' || device === 'wasm'),
    );
    for (const { name } of cases) {
      test(name, async () => {
        test.setTimeout(300_000);
        await page.evaluate((each) => window.contract.run(each), name);
      });
    }
  });
}
