import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { findObjective } from '../src/align/objectives.ts';
import type { ScoreReport } from '../src/align/scores.ts';
import { CLASSIFIER_CASES, classifierCheckpointFolder } from '../src/convert/classifier/small-classifier.fixture.ts';
import { loadClassifier } from '../src/engines/load-classifier.ts';
import { startNodeSession } from '../src/engines/node-classifier.ts';
import { readLogits } from '../src/evaluation/read-logits.ts';
import { exampleEntry } from '../src/history/history-entry.fixture.ts';
import { writeHistoryFile } from '../src/history/history-entry.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import { MODELS_DIRECTORY } from '../playwright.config.ts';
import { startJudge } from './judge.fixture.ts';
import { startLocalHub } from './local-hub.ts';
import { classifierName } from './make-models.ts';
import { accessibilityFaults, expect, type Playground, test } from './playground.fixture.ts';

const [bert, distilBert, gpt2] = CLASSIFIER_CASES;
const NAMES = {
  bert: `classifiers/${classifierName(bert!)}`,
  distilBert: `classifiers/${classifierName(distilBert!)}`,
  gpt2: `classifiers/${classifierName(gpt2!)}`,
};

// Several models each: a busy machine needs its time.
test.describe.configure({ timeout: 480_000 });

/** An edit by the built-in aligner, with its scores in view. */
async function align(playground: Playground): Promise<void> {
  const { page } = playground;
  await playground.comeBackWith({ device: 'wasm', maxNewTokens: 24 });
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 180_000 });
  await page.getByRole('tab', { name: 'Scores' }).click();
}

async function addOutput(page: Page, classifier: string, choices: Record<string, string>): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Scores' });
  await dialog.getByLabel('Classifier', { exact: true }).selectOption({ label: classifier });
  await expect(dialog.getByText(/outputs?, .* parameters, reads/)).toBeVisible();
  for (const [field, option] of Object.entries(choices)) await dialog.getByLabel(field).selectOption({ label: option });
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
}

async function exported(
  playground: Playground,
): Promise<{ edit: string; scores: ScoreReport; request: { context: string; answer: string } }> {
  const { page } = playground;
  await page.getByRole('tab', { name: 'Edit' }).click();
  await page.locator('summary', { hasText: 'Export' }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: /^JSON/ }).click(),
  ]);
  return JSON.parse(await readFile(await download.path(), 'utf8')) as Awaited<ReturnType<typeof exported>>;
}

/** What onnxruntime-node makes of the same texts. */
async function nodeLogits(name: string, texts: readonly string[]): Promise<number[][]> {
  const directory = join(MODELS_DIRECTORY, ...name.split('/'));
  const classifier = await loadClassifier(
    await openNodeFolder(directory),
    'fp32',
    startNodeSession({ directory, threads: 1 }),
  );
  const logits = await classifier.classify(texts.map((one) => classifier.encodeStart(one)));
  await classifier.dispose();
  return logits.map((row) => [...row]);
}

for (const device of ['wasm', 'webgpu'] as const) {
  test(`scores as Node does, on ${device}`, async ({ playground }) => {
    const { page } = playground;
    await align(playground);
    await playground.comeBackWith({ device });
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('button', { name: /^Open/ }).first().click();
    await page.getByRole('tab', { name: 'Scores' }).click();
    await page.getByRole('button', { name: 'Choose scorers…' }).click();
    await addOutput(page, NAMES.gpt2, { Objective: 'Harmlessness', 'It reads': 'The text alone' });
    await addOutput(page, NAMES.distilBert, {
      Objective: 'Helpfulness',
      'Stands for it': 'HUMOR: probability',
      'It reads': 'The text alone',
      'Better is': 'a lower number',
    });
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Score original and edit' }).click();
    await expect(page.getByRole('button', { name: 'Score again' })).toBeVisible();
    const { edit, request, scores } = await exported(playground);
    const texts = [request.answer, edit];
    const [rewards, humour] = [await nodeLogits(NAMES.gpt2, texts), await nodeLogits(NAMES.distilBert, texts)];
    const lines = scores.scores;
    expect(lines.map(({ objective, scorer }) => [objective.key, scorer.name])).toEqual([
      ['harmlessness', NAMES.gpt2],
      ['helpfulness', NAMES.distilBert],
    ]);
    expect(lines.every(({ scorer }) => scorer.type === 'classifier' && scorer.device === device)).toBe(true);
    for (const [i, text] of (['original', 'edit'] as const).entries()) {
      expect(Math.abs(lines[0]![text].value! - rewards[i]![0]!)).toBeLessThan(1e-4);
      expect(Math.abs(lines[1]![text].value! - readLogits(humour[i]!, 1, 'probability'))).toBeLessThan(1e-4);
    }
    expect(playground.consoleErrors).toEqual([]);
  });
}

test('scores stay with the edit, follow its review, and are a table that can be read', async ({ playground }) => {
  const { page } = playground;
  await align(playground);
  await page.getByRole('button', { name: 'Choose scorers…' }).click();
  await addOutput(page, NAMES.gpt2, { Objective: 'Harmlessness', 'It reads': 'The text alone' });
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Score original and edit' }).click();
  const table = page.getByRole('table', { name: 'Scores' });
  await expect(table.getByRole('row', { name: /^Edit .*(better|worse)/ })).toBeVisible();
  await expect(page.getByText('how uncertain it is is not known', { exact: false })).toBeVisible();
  expect(await accessibilityFaults(page)).toEqual([]);

  await page.getByRole('tab', { name: 'Edit' }).click();
  await page.getByRole('group', { name: 'Edit' }).first().press('n');
  await page.keyboard.press('r');
  await page.getByRole('button', { name: 'Scores', exact: true }).click();
  await expect(page.getByText('The reviewed text has changed since.', { exact: false })).toBeVisible();
  await page.getByRole('button', { name: 'Score reviewed text' }).click();
  await expect(table.getByRole('row', { name: /^Reviewed/ })).toBeVisible();
  const shown = await table.innerText();

  await page.reload();
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByRole('button', { name: /^Open/ }).first().click();
  await page.getByRole('tab', { name: 'Scores' }).click();
  await expect(table).toHaveText(shown, { useInnerText: true });
});

test('a folder from disk is converted in the page, and one of the hub is kept', async ({
  playground,
  baseURL,
}, info) => {
  const { page } = playground;
  const folder = classifierCheckpointFolder(distilBert!);
  const hub = await startLocalHub({ repositories: { 'made/humour': { files: Object.fromEntries(folder.files) } } });
  try {
    await align(playground);
    await playground.comeBackWith({ hubEndpoint: hub.endpoint });
    await playground.align.click();
    await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 180_000 });
    await page.getByRole('tab', { name: 'Scores' }).click();
    await page.getByRole('button', { name: 'Choose scorers…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Scores' });
    const directory = info.outputPath('picked');
    const { mkdir, writeFile } = await import('node:fs/promises');
    await mkdir(directory, { recursive: true });
    for (const [path, bytes] of folder.files) await writeFile(join(directory, path), bytes);
    await page.getByTestId('classifier-input').setInputFiles(directory);
    await expect(dialog.getByText(/^2 outputs/)).toBeVisible();
    await dialog.getByLabel('A classifier of the hub').fill('made/humour');
    await dialog.getByRole('button', { name: 'Get it' }).click();
    await expect(dialog.getByText(/^2 outputs/)).toBeVisible();
    await dialog.getByLabel('It reads').selectOption({ label: 'The text alone' });
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await dialog.getByRole('button', { name: 'Done' }).click();

    // Kept: the hub is not asked again after a reload.
    await hub.close();
    await page.reload();
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('button', { name: /^Open/ }).first().click();
    await page.getByRole('tab', { name: 'Scores' }).click();
    await page.getByRole('button', { name: 'Score original and edit' }).click();
    await expect(page.getByRole('button', { name: 'Score again' })).toBeVisible();
    const { edit, request, scores } = await exported(playground);
    const node = await nodeLogits(NAMES.distilBert, [request.answer, edit]);
    const [line] = scores.scores;
    expect(Math.abs(line!.edit.value! - readLogits(node[1]!, 1, 'probability'))).toBeLessThan(1e-4);
    expect(line!.scorer.type === 'classifier' && line!.scorer.source).toMatch(/^made\/humour@[0-9a-f]{40}$/);
    const { origin } = new URL(baseURL!);
    const elsewhere = playground.foreignRequests.splice(0).map((url) => new URL(url).origin);
    expect(elsewhere.every((one) => one === hub.endpoint || one === hub.storageOrigin || one === origin)).toBe(true);

    // It is among what the browser keeps, and goes from there.
    await page.goto('#storage');
    const kept = page.getByRole('region', { name: 'Classifiers kept in this browser' });
    await expect(kept.getByRole('listitem', { name: 'made/humour' })).toContainText(/\d KB|\d MB/);
    expect(await accessibilityFaults(page)).toEqual([]);
    await kept.getByRole('button', { name: 'Delete made/humour' }).click();
    await kept.getByRole('button', { name: 'Delete', exact: true }).click();
    await expect(kept).toHaveCount(0);
    await expect(page.getByRole('main')).toBeFocused();
    await page.reload();
    await expect(page.getByRole('heading', { name: 'Where models come from' })).toBeVisible();
    await expect(kept).toHaveCount(0);
  } finally {
    await hub.close();
  }
});

test('a judge is asked only after a yes, its wavering is shown, and what is no number is counted', async ({
  playground,
}) => {
  const { page } = playground;
  // The second rating of each text is no number; place 1 is always preferred.
  let ratings = 0;
  const judge = await startJudge(({ content }) => {
    if (!content.includes('Assign a score')) return '1';
    ratings += 1;
    return ratings % 3 === 2 ? 'I cannot say.' : ratings % 3 === 1 ? '6' : 'Score: 8/10';
  });
  try {
    await align(playground);
    await page.getByRole('button', { name: 'Choose scorers…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Scores' });
    await dialog.getByText('A server', { exact: true }).click();
    await dialog.getByLabel('Address').fill(judge.url);
    await dialog.getByLabel('Model', { exact: true }).fill('strict-judge');
    await dialog.getByLabel('Key', { exact: true }).fill('sk-test-123');
    await expect(dialog.getByText(`is sent to ${new URL(judge.url).origin}`, { exact: false })).toBeVisible();
    expect(await accessibilityFaults(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Score original and edit' }).click();
    await expect(page.getByText(`are sent to ${new URL(judge.url).origin}, in`, { exact: false })).toBeVisible();
    expect(judge.asked).toEqual([]);
    expect(playground.foreignRequests).toEqual([]);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(page.getByRole('button', { name: 'Score again' })).toBeVisible();

    const { scores } = await exported(playground);
    for (const { original, edit, scorer, comparison } of scores.scores) {
      expect(scorer).toEqual({ type: 'judge', name: 'strict-judge', host: judge.host, repeats: 3 });
      for (const score of [original, edit]) {
        expect(score).toMatchObject({ value: 7, spread: { low: 6, high: 8 }, replies: 2, invalid: 1 });
      }
      // It prefers the first place: a tie.
      expect(comparison!.edit).toEqual({ outcome: 'tie', isConsistent: false });
    }
    await page.getByRole('tab', { name: 'Scores' }).click();
    await expect(page.getByText('the orders disagree, so it is a tie', { exact: false }).first()).toBeVisible();
    await expect(page.getByText('6 to 8 in 2 replies, 1 without a number').first()).toBeVisible();
    expect(judge.asked.length).toBe(scores.scores.length * 8);
    expect(new Set(judge.asked.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer sk-test-123']));
    // The key is kept nowhere.
    const stored = await page.evaluate(
      () => JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }),
    );
    expect(stored).not.toContain('sk-test-123');
    expect(stored).toContain('strict-judge');
    await page.reload();
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('button', { name: /^Open/ }).first().click();
    await page.getByRole('tab', { name: 'Scores' }).click();
    const before = judge.asked.length;
    await page.getByRole('button', { name: 'Score again' }).click();
    // Asked anew in every tab.
    await expect(page.getByText(`are sent to ${new URL(judge.url).origin}, in`, { exact: false })).toBeVisible();
    expect(judge.asked.length).toBe(before);
  } finally {
    const origins = new Set(playground.foreignRequests.splice(0).map((url) => new URL(url).host));
    expect([...origins]).toEqual([judge.host]);
    await judge.close();
  }
});

test('beside scores of mental health, and only there, stands who helps, and so it does in what is exported', async ({
  playground,
}) => {
  const { page } = playground;
  const judge = await startJudge(({ content }) => (content.includes('Assign a score') ? '7' : '0'));
  const entry = (id: string, template: 'imhi' | 'hh-rlhf', key: string) => {
    const example = exampleEntry({ id, createdAt: 1_780_000_000_000 + id.length });
    return { ...example, request: { ...example.request, template, objectives: [findObjective(key, template)] } };
  };
  try {
    await page.getByRole('link', { name: 'History' }).click();
    const text = writeHistoryFile([entry('other', 'hh-rlhf', 'humour'), entry('health', 'imhi', 'informative')]);
    await page
      .getByTestId('history-import')
      .setInputFiles({ name: 'history.json', mimeType: 'application/json', buffer: Buffer.from(text) });
    const note = page.getByText('It is no diagnosis and no advice', { exact: false });
    const score = async (objective: string) => {
      await page.getByRole('link', { name: 'History' }).click();
      await page.getByRole('button', { name: new RegExp(`^Open ${objective}`) }).click();
      await page.getByRole('tab', { name: 'Scores' }).click();
    };
    await score('Humour');
    await page.getByRole('button', { name: 'Choose scorers…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Scores' });
    await dialog.getByText('A server', { exact: true }).click();
    await dialog.getByLabel('Address').fill(judge.url);
    await dialog.getByLabel('Model', { exact: true }).fill('strict-judge');
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Score original and edit' }).click();
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(page.getByRole('table', { name: 'Scores' })).toBeVisible();
    await expect(note).toHaveCount(0);

    await score('Informative');
    await expect(note).toBeVisible();
    await page.getByRole('button', { name: 'Score original and edit' }).click();
    await expect(page.getByRole('table', { name: 'Scores' })).toBeVisible();
    await expect(note).toBeVisible();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('tab', { name: 'Edit' }).click();
    await page.locator('summary', { hasText: 'Export' }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: /^HTML/ }).click(),
    ]);
    const html = await readFile(await download.path(), 'utf8');
    expect(html).toContain('see a doctor or another professional');
    expect(html).toContain('strict-judge');
  } finally {
    playground.foreignRequests.splice(0);
    await judge.close();
  }
});

test('a judge that refuses is named, and nothing on the page is lost', async ({ playground }) => {
  const { page } = playground;
  const judge = await startJudge(() => 401);
  try {
    await align(playground);
    await page.getByRole('button', { name: 'Choose scorers…' }).click();
    await page.getByRole('dialog').getByText('A server', { exact: true }).click();
    await page.getByRole('dialog').getByLabel('Address').fill(judge.url);
    await page.getByRole('dialog').getByLabel('Model', { exact: true }).fill('m');
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Score original and edit' }).click();
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(playground.error).toContainText('answered 401');
    await page.getByRole('tab', { name: 'Edit' }).click();
    await expect(playground.result).toHaveAttribute('data-status', 'done');
  } finally {
    playground.foreignRequests.splice(0);
    await judge.close();
  }
});

test('rows of a batch are scored, kept over a reload, summed up and exported', async ({ playground }) => {
  const { page } = playground;
  await playground.comeBackWith({ device: 'wasm', maxNewTokens: 12 });
  await page.getByRole('link', { name: 'Batch' }).click();
  const csv = ['query,generated_text', ...[1, 2, 3, 4].map((i) => `"How, ${i}?","Water the plants ${i} times."`)].join(
    '\n',
  );
  await page
    .getByTestId('batch-input')
    .setInputFiles({ name: 'rows.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await page.getByRole('button', { name: 'Run all rows' }).click();
  await expect(page.getByTestId('batch-progress')).toContainText('4 of 4 rows');
  await page.getByRole('button', { name: 'Choose scorers…' }).click();
  await addOutput(page, NAMES.gpt2, { Objective: 'Harmlessness', 'It reads': 'The text alone' });
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Score 4 rows' }).click();
  await expect(page.getByText('Every edited row is scored.')).toBeVisible();
  const summary = page.getByRole('table', { name: 'Means of the scored rows' });
  await expect(summary.getByRole('row', { name: /^Harmlessness/ })).toContainText(/\(.* to .*\).*4$/s);
  const text = await summary.innerText();
  expect(await accessibilityFaults(page)).toEqual([]);

  await page.reload();
  await expect(summary).toHaveText(text, { useInnerText: true });
  await expect(page.getByText('Every edited row is scored.')).toBeVisible();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'CSV', exact: true }).click(),
  ]);
  const [header, first] = (await readFile(await download.path(), 'utf8')).split('\n');
  expect(header).toBe(
    'query,goldens,origin_responses,aligned_responses,score_harmlessness_original,score_harmlessness_edit,score_harmlessness_scorer',
  );
  const [node] = await nodeLogits(NAMES.gpt2, ['Water the plants 1 times.']);
  expect(Math.abs(Number(first!.split(',').find((cell) => /^-?\d+\.\d{4,}$/.test(cell))) - node![0]!)).toBeLessThan(
    1e-4,
  );
  await page.getByRole('button', { name: 'Review row 1', exact: true }).click();
  await page.getByRole('tab', { name: 'Scores' }).click();
  await expect(page.getByRole('table', { name: 'Scores' })).toBeVisible();
});

test('the model in use judges, and what it says that is no number is counted', async ({ playground }) => {
  const { page } = playground;
  await align(playground);
  await page.getByRole('button', { name: 'Choose scorers…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Scores' });
  await dialog.getByText('Model in use', { exact: true }).click();
  await dialog.getByLabel('Ratings of each text').fill('1');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Score original and edit' }).click();
  await expect(page.getByRole('button', { name: 'Score again' })).toBeVisible({ timeout: 180_000 });
  const { scores } = await exported(playground);
  for (const { original, scorer } of scores.scores) {
    expect(scorer).toMatchObject({ type: 'judge', repeats: 1 });
    expect(original.replies + original.invalid).toBe(1);
  }
});
