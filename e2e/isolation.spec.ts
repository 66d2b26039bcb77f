import { expect, test } from './playground.fixture.ts';

test('is cross-origin isolated in the page and in the worker, and runs with threads', async ({ playground }) => {
  expect(await playground.page.evaluate(() => crossOriginIsolated)).toBe(true);
  await playground.use('Tiny', { device: 'wasm', variant: 'q8' });
  await expect(playground.loaded).toBeVisible();
  const [worker] = playground.page.workers();
  expect(await worker?.evaluate(() => self.crossOriginIsolated)).toBe(true);
});

test('the policy is in force: inline code does not run', async ({ playground }) => {
  const ran = await playground.page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'globalThis.inlineRan = true';
    document.body.append(script);
    // A text to evaluate later: what the debugger's own call evaluates is let through.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- what must not work
    setTimeout('globalThis.evalRan = true');
    await new Promise((resolve) => setTimeout(resolve));
    const foreign = await fetch('https://example.com/').then(
      () => true,
      () => false,
    );
    return { inline: 'inlineRan' in globalThis, eval: 'evalRan' in globalThis, foreign };
  });
  expect(ran).toEqual({ inline: false, eval: false, foreign: false });
  playground.foreignRequests.length = 0;
});
