import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { MODELS_DIRECTORY } from '../playwright.config.ts';
import { accessibilityFaults, expect, test } from './playground.fixture.ts';

function chosen(page: Page) {
  return page.getByRole('list', { name: 'Chosen objectives' }).getByRole('listitem');
}

async function chosenKeys(page: Page): Promise<(string | null)[]> {
  return chosen(page).evaluateAll((rows) => rows.map((row) => row.getAttribute('data-objective')));
}

test.describe('before a run', () => {
  test('starts with an example, the objectives of the family, and what each model needs', async ({ playground }) => {
    const { page } = playground;
    await playground.use('Tiny', { device: 'wasm', variant: 'q8' });
    await expect(page.getByLabel('Answer', { exact: true })).not.toBeEmpty();
    await expect(page.getByLabel('Context', { exact: true })).toHaveValue(/^Human: [^]*Assistant:$/);
    expect(await chosenKeys(page)).toEqual(['harmlessness', 'helpfulness', 'humour']);
    await expect(page.getByTestId('prompt-count')).toHaveText(/^Prompt \d+ of [\d,]+ tokens$/);
    await page.getByRole('button', { name: 'Change' }).click();
    await expect(page.getByRole('button', { name: /^Get MetaAligner\// })).toHaveCount(8);
    await page.getByText('Or with the command line').first().click();
    await expect(page.getByText('npm run -s metaaligner -- pull MetaAligner/MetaAligner-HH-RLHF-1.1B')).toBeVisible();
    expect(playground.consoleErrors).toEqual([]);
  });

  test('orders objectives by keyboard, by dragging, and by choosing them anew', async ({ playground }) => {
    const { page } = playground;
    const before = await chosenKeys(page);
    const [first, ...others] = before;
    const label = await chosen(page).first().locator('strong').textContent();
    await page.getByRole('button', { name: `Move ${label?.replace(':', '')} down` }).press('Enter');
    await expect.poll(() => chosenKeys(page)).toEqual([others[0], first, ...others.slice(1)]);
    // The arrow keeps the focus through the move, so it can be pressed again.
    await expect(page.getByRole('button', { name: `Move ${label?.replace(':', '')} down` })).toBeFocused();

    const grip = await page.locator(`li[data-objective="${first}"] [title^="Drag"]`).boundingBox();
    const target = await chosen(page).first().boundingBox();
    if (!grip || !target) throw new Error('The rows are not on the screen.');
    await page.mouse.move(grip.x + grip.width / 2, grip.y + grip.height / 2);
    await page.mouse.down();
    await page.mouse.move(grip.x + grip.width / 2, target.y + 3, { steps: 8 });
    await page.mouse.up();
    await expect.poll(() => chosenKeys(page)).toEqual(before);

    const chip = page.getByRole('button', { name: 'Fairness', exact: true });
    await chip.click();
    await expect(chip).toHaveAttribute('aria-pressed', 'true');
    await expect.poll(() => chosenKeys(page)).toEqual([...before, 'fairness']);
    for (const key of [...before, 'fairness']) {
      await page.locator(`li[data-objective="${key}"] [data-action="remove"]`).click();
    }
    await expect(page.getByText('Choose at least one objective.').first()).toBeVisible();
    await expect(playground.align).toBeDisabled();
  });

  test('takes an objective in the visitor’s own words, with the note on responsible use', async ({ playground }) => {
    const { page } = playground;
    await page.getByText('Write your own objective').click();
    await expect(page.getByText(/Do not use it to make answers harmful/)).toBeVisible();
    await page.getByRole('button', { name: 'Add objective' }).click();
    await expect(page.getByText('Give it a name.')).toBeVisible();
    await page.getByLabel('Name', { exact: true }).fill('Warmth');
    await page.getByLabel('Description', { exact: true }).fill('The response should be kind');
    await page.getByRole('button', { name: 'Add objective' }).click();
    await expect(chosen(page).last()).toContainText('Warmth: The response should be kind');
  });

  test('keeps texts, objectives and settings through a reload', async ({ playground }) => {
    const { page } = playground;
    await page.getByLabel('Your own text or an example').selectOption('Your own text');
    await playground.write('What is ink?', 'Black water.');
    await page.getByRole('button', { name: 'Length', exact: true }).click();
    await playground.setMaxNewTokens(33);
    await page.getByText('Dark', { exact: true }).click({ force: true });
    await page.reload();
    await expect(page.getByLabel('Answer', { exact: true })).toHaveValue('Black water.');
    await expect.poll(async () => (await chosenKeys(page)).at(-1)).toBe('length');
    await expect(page.getByText('at most 33 new tokens')).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    // Another text on the page, and back.
    await page.getByLabel('Your own text or an example').selectOption('A wrong fact');
    await page.getByLabel('Your own text or an example').selectOption('Your own text');
    await expect(page.getByLabel('Answer', { exact: true })).toHaveValue('Black water.');
  });

  test('refuses a prompt that does not fit, with its numbers', async ({ playground }) => {
    const { page } = playground;
    await playground.use('Tiny', { device: 'wasm', variant: 'q8' });
    await expect(playground.loaded).toBeVisible();
    await playground.write('Human: Hi\n\nAssistant:', 'word '.repeat(5000));
    await expect(page.getByText(/tokens too many: shorten the context or the answer/)).toBeVisible();
    await expect(playground.align).toBeDisabled();
    await playground.write('Human: Hi\n\nAssistant:', 'Short.');
    await expect(playground.align).toBeEnabled();
  });

  test('refuses a folder that is no converted model and says what to do', async ({ playground }) => {
    const { page } = playground;
    await page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
    await page.getByTestId('folder-input').setInputFiles(join(MODELS_DIRECTORY, 'Tiny', 'onnx'));
    await expect(playground.error).toContainText('metaaligner.json');
    await expect(playground.error).toContainText('Convert the checkpoint first');
  });

  test('opens without a list of models, and with one after another try', async ({ playground }) => {
    const { page } = playground;
    await page.route('**/models/index.json', (route) => route.fulfill({ status: 404 }));
    await page.reload();
    await expect(playground.error).toContainText('answered 404');
    await expect(playground.align).toBeDisabled();
    await page.unroute('**/models/index.json');
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(page.getByRole('button', { name: 'Load', exact: true })).toBeVisible();
  });

  test('opens with damaged stored data', async ({ playground }) => {
    const { page } = playground;
    await page.evaluate(() => {
      sessionStorage.clear();
      localStorage.setItem('metaaligner-draft', '{"state":{"texts":3,"objectiveKeys":["x"]},"version":7}');
      localStorage.setItem('metaaligner-settings', 'nonsense');
    });
    await page.reload();
    await expect(page.getByLabel('Answer', { exact: true })).not.toBeEmpty();
    expect(playground.consoleErrors).toEqual([]);
  });
});

test.describe('a run', () => {
  test('starts with Ctrl+Enter, streams beside the original, and stops with Escape', async ({ playground }) => {
    const { page } = playground;
    await playground.use('Slow', { device: 'wasm' });
    await expect(playground.loaded).toBeVisible();
    await playground.write('Human: Hi\n\nAssistant:', 'Hello there, how are you today?');
    await page.getByLabel('Answer', { exact: true }).press('Control+Enter');
    await expect(page.getByText(/Writing…/)).toBeVisible();
    await expect(page.getByTestId('announcer')).toHaveText('Writing the edit.');
    // What is not reached yet is pending and not deleted.
    await expect(page.getByTestId('original').locator('[data-change="pending"]')).toBeVisible();
    await expect(page.getByTestId('edit').locator('ins').first()).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page.getByText('Stopped by you. What was written until then is kept.')).toBeVisible();
    await expect(page.getByText('tokens/s')).toBeVisible();
    await expect(page.getByText('First token')).toBeVisible();
    const original = page.getByTestId('original').locator('div');
    await expect(original.last()).toHaveText('Hello there, how are you today?', { useInnerText: true });
  });

  test('tells a cut-off edit, copies it, makes it the answer, and tells a changed request', async ({
    playground,
    context,
  }) => {
    const { page } = playground;
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await playground.use('Tiny', { device: 'wasm', variant: 'q8' });
    await playground.setMaxNewTokens(5);
    await expect(playground.loaded).toBeVisible();
    await playground.align.click();
    await expect(page.getByText('Cut off: the edit reached its limit before the model ended it.')).toBeVisible();
    await expect(page.getByText(/Raise “Max new tokens”/)).toBeVisible();
    await expect(page.getByText('5 tokens', { exact: true })).toBeVisible();

    const edit = await playground.editText();
    await page.getByRole('button', { name: 'Copy edit' }).click();
    await expect(page.getByText('Copied')).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(edit);
    await page.getByRole('button', { name: 'Use as answer' }).click();
    await expect(page.getByLabel('Answer', { exact: true })).toHaveValue(edit);
    await expect(page.getByText('You have changed the request since this edit.')).toBeVisible();
  });
});

test('breaks no accessibility rule and never scrolls sideways, in both colour schemes and at every width', async ({
  playground,
}) => {
  const { page } = playground;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const check = async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect(await accessibilityFaults(page)).toEqual([]);
    }
  };
  await page.getByText('Write your own objective').click();
  await check();
  await page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
  await page.getByText('Or with the command line').first().click();
  await check();
  await page.keyboard.press('Escape');

  await playground.use('Tiny', { device: 'wasm', variant: 'q8' });
  await expect(playground.loaded).toBeVisible();
  await playground.write('Human: Hi\n\nAssistant:', `${'x'.repeat(300)} y`);
  await playground.setMaxNewTokens(5);
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done');
  await page.getByText('Measures, before and after').click();
  await page.getByText('Turns', { exact: true }).click({ force: true });
  await page.getByRole('heading', { name: 'The exact prompt' }).click();
  await check();
  await page.getByRole('tab', { name: 'Compare objectives' }).click();
  await page.getByRole('button', { name: /^Run \d+ edits$/ }).click();
  await expect(page.getByText('4 of 4 edits done')).toBeVisible();
  await check();
  await page.getByRole('link', { name: 'History' }).click();
  await expect(page.getByRole('button', { name: /^Open / }).first()).toBeVisible();
  await check();
  await page.getByRole('link', { name: 'Batch' }).click();
  await page.getByTestId('batch-input').setInputFiles({
    name: 'rows.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from('query,generated_text\nWhy?,Because.\n'),
  });
  await expect(page.getByTestId('batch-progress')).toBeVisible();
  await check();
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  }
  await page.getByRole('link', { name: 'Playground' }).click();
  for (const width of [320, 390, 768, 1024, 1440, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `at ${width} px`).toBeLessThanOrEqual(
      width,
    );
    const [title, links] = await Promise.all(
      [page.getByRole('heading', { level: 1 }), page.getByRole('navigation')].map((part) => part.boundingBox()),
    );
    const isBeside = title!.x + title!.width <= links!.x || title!.y + title!.height <= links!.y;
    expect(isBeside, `title and links at ${width} px`).toBe(true);
  }
});

test('compares two models on one request, the loaded one first', async ({ playground }) => {
  const { page } = playground;
  await playground.comeBackWith({ device: 'wasm', maxNewTokens: 8 });
  await page.getByRole('tab', { name: 'Compare objectives' }).click();
  await page.getByLabel('Each alone').uncheck();
  await page.getByLabel('And on a second model').selectOption('Tiny');
  await page.getByRole('button', { name: 'Run 2 edits' }).click();
  await expect(page.getByText('2 of 2 edits done')).toBeVisible();
  const cells = page.locator('li[data-status="done"]');
  await expect(cells).toHaveCount(2);
  await expect(cells.first()).toContainText(/Demo aligner/);
  await expect(cells.last()).toContainText('Tiny');
  // The second edit opens with the model that wrote it, and is kept.
  await cells
    .last()
    .getByRole('button', { name: /^Open and review/ })
    .click();
  await expect(page.getByText(/^Written by Tiny \(q8\) on this device/)).toBeVisible();
});

/** The first load, the workers' scripts included that start with the page. */
const MAX_FIRST_SCRIPT_BYTES = 250_000;

test('loads little script before the engine', async ({ page }) => {
  const scripts: Promise<Buffer>[] = [];
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script' && response.frame() === page.mainFrame()) {
      scripts.push(response.body());
    }
  });
  await page.goto('');
  await expect(page.getByRole('button', { name: /^Load and align/ })).toBeVisible();
  const compressed = (await Promise.all(scripts)).map((body) => gzipSync(body).length);
  expect(compressed.length).toBeGreaterThan(0);
  expect(compressed.reduce((sum, bytes) => sum + bytes)).toBeLessThan(MAX_FIRST_SCRIPT_BYTES);
});

test('reviews an edit: one change is taken back by keyboard, and what is copied is the reviewed text', async ({
  playground,
}) => {
  const { page } = playground;
  await playground.comeBackWith({ device: 'wasm', editView: 'inline' });
  await playground.write(
    'Human: How do I keep plants?\n\nAssistant:',
    'What a lazy question. Water them twice a week.',
  );
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done');
  const changes = page.locator('[data-change="accepted"]');
  const count = await changes.count();
  expect(count).toBeGreaterThan(0);
  const edit = await playground.editText();

  await page.getByText('Changes', { exact: true }).first().click();
  await page.getByRole('group', { name: 'Edit', exact: true }).focus();
  await page.keyboard.press('n');
  await expect(page.getByText(`Change 1 of ${count}`)).toBeVisible();
  await page.keyboard.press('r');
  await expect(page.locator('[data-change="rejected"]')).toHaveCount(1);
  await expect(page.getByText('1 rejected')).toBeVisible();
  const reviewed = await playground.editText();
  expect(reviewed).not.toBe(edit);
  await page.getByRole('button', { name: 'Use as answer' }).click();
  await expect(page.getByLabel('Answer', { exact: true })).toHaveValue(reviewed);

  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  expect(await playground.editText()).toBe(edit);
  await page.getByRole('button', { name: 'Reject all' }).click();
  expect(await playground.editText()).toBe('What a lazy question. Water them twice a week.');
  await page.getByRole('button', { name: 'Accept all' }).click();
  expect(await playground.editText()).toBe(edit);

  // Presses that come faster than the page is drawn all count.
  const text = page.getByRole('group', { name: 'Edit', exact: true });
  await text.focus();
  await page.keyboard.press('n');
  await expect(page.getByText(`Change 1 of ${count}`)).toBeVisible();
  await Promise.all(Array.from({ length: count }, () => page.keyboard.press('r')));
  await expect(page.getByText(`${count} rejected`)).toBeVisible();
});
