import { expect, type Playground, test } from './playground.fixture.ts';

const CONTEXT = 'Human: How do I keep my garden green?\n\nAssistant:';
const FIRST = 'You should water every plant in the morning.';
const SECOND = 'The soil stays wet.';
const REST = 'Then move the old chair.';

/** Opens the page with these objectives chosen, as a visitor comes back to it. */
async function choose(playground: Playground, objectiveKeys: string[]): Promise<void> {
  await playground.page.evaluate((keys) => {
    sessionStorage.clear();
    localStorage.setItem('metaaligner-draft', JSON.stringify({ state: { objectiveKeys: keys }, version: 1 }));
  }, objectiveKeys);
}

async function align(playground: Playground, answer: string): Promise<string> {
  await playground.write(CONTEXT, answer);
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 90_000 });
  return playground.editText();
}

test('a first visit starts with the built-in aligner, says what it is not, and offers the real one', async ({
  playground,
}) => {
  const { page } = playground;
  await expect(
    page.getByText(/^Demo aligner \(built in, [\d,]+ parameters\): .*is not MetaAligner$/).first(),
  ).toBeVisible();
  await expect(page.getByText(/a download of 4\.4 GB, about 6 min/)).toBeVisible();
  await page.getByRole('button', { name: 'Get MetaAligner 1.1B' }).click();
  await expect(page.getByRole('dialog', { name: 'Models' })).toBeVisible();
});

test('a model that was chosen and is gone is not replaced by the built-in one', async ({ playground }) => {
  await playground.comeBackWith({ modelId: 'gone' });
  await expect(playground.page.getByText('gone is not here any more.')).toBeVisible();
  await expect(playground.align).toBeDisabled();
});

for (const [device, variant] of [
  ['wasm', 'q8'],
  ['webgpu', 'q4'],
] as const) {
  test(`the built-in aligner’s edits mean what the objectives say, on ${device}`, async ({ playground }) => {
    // A software adapter compiles its shaders on the CPU.
    test.setTimeout(300_000);
    const settings = { device, variant, maxNewTokens: 60 };

    await choose(playground, ['length']);
    await playground.use('demo-aligner', settings);
    await expect(playground.loaded).toBeVisible({ timeout: 90_000 });
    const long = `${FIRST} ${SECOND} ${REST}`;
    const shorter = await align(playground, long);
    expect(shorter.length).toBeLessThan(long.length);
    expect(shorter).toContain(FIRST);
    // One edit shows that this device writes what the other does; it takes a fifth of a second for each token.
    if (device === 'webgpu') return;

    await choose(playground, ['harmlessness']);
    await playground.use('demo-aligner', settings);
    await expect(playground.loaded).toBeVisible({ timeout: 90_000 });
    const kind = await align(playground, `${FIRST} You are a stupid fool.`);
    expect(kind).not.toMatch(/stupid|fool/);
    expect(kind).toContain(FIRST);
  });
}
