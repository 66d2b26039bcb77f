import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { expect, type Page, test as base } from '@playwright/test';
import type { Settings } from '../src/state/settings-store.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Rules that the page breaks, with the elements that do. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // Evaluated, not added as a script: the page's Content-Security-Policy allows none from outside.
  await page.evaluate(AXE);
  const results = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}

/** The page, with everything watched that must never happen: see `afterwards`. */
export class Playground {
  readonly page: Page;
  readonly foreignRequests: string[] = [];
  readonly consoleErrors: string[] = [];

  constructor(page: Page, baseURL: string) {
    this.page = page;
    const { origin } = new URL(baseURL);
    page.on('request', (request) => {
      if (!request.url().startsWith(`${origin}/`)) this.foreignRequests.push(request.url());
    });
    // A violation of the Content-Security-Policy is one too, in the page and in its workers.
    page.on('console', (message) => {
      if (message.type() === 'error') this.consoleErrors.push(message.text());
    });
    page.on('pageerror', (error) => this.consoleErrors.push(String(error)));
  }

  async open(): Promise<void> {
    await this.page.goto('');
    await expect(this.page.getByRole('heading', { name: 'MetaAligner', level: 1 })).toBeVisible();
  }

  /**
   * Loads a model: by choosing its name in the list, or, with settings, by its id as a visitor comes back to the page
   * who chose it and them before.
   */
  async use(model: string, settings?: Partial<Settings>): Promise<void> {
    if (settings === undefined) {
      await this.page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
      await this.page.getByRole('button', { name: `Use ${model}`, exact: true }).click();
      return;
    }
    await this.comeBackWith({ ...settings, modelId: model });
    await this.page.getByRole('button', { name: 'Load', exact: true }).click();
  }

  /** Opens the page anew with these settings, the others as they were. */
  async comeBackWith(changes: Partial<Settings>): Promise<void> {
    await this.page.evaluate((changes) => {
      const key = 'metaaligner-settings';
      const stored = JSON.parse(localStorage.getItem(key) ?? '{"state":{},"version":1}') as { state: object };
      localStorage.setItem(key, JSON.stringify({ ...stored, state: { ...stored.state, ...changes } }));
    }, changes);
    await this.page.reload();
  }

  async setMaxNewTokens(count: number): Promise<void> {
    const field = this.page.getByLabel('Max new tokens');
    if (!(await field.isVisible())) await this.page.getByRole('heading', { name: 'Generation settings' }).click();
    await field.fill(String(count));
    await field.blur();
  }

  async write(context: string, answer: string): Promise<void> {
    await this.page.getByLabel(/^(Context|Query|Question)$/).fill(context);
    await this.page.getByLabel('Answer', { exact: true }).fill(answer);
  }

  get loaded() {
    return this.page.getByText('Loaded', { exact: true });
  }

  get align() {
    return this.page.getByRole('button', { name: /^(Align|(Load|Connect) and align)/ });
  }

  get stop() {
    return this.page.getByRole('button', { name: /^Stop/ });
  }

  get result() {
    return this.page.locator('section[data-status]');
  }

  get error() {
    return this.page.getByRole('alert');
  }

  /** The edit as text, whatever the view. */
  async editText(): Promise<string> {
    await this.page.getByText('Edit only').click();
    return (await this.page.getByTestId('edit-clean').textContent()) ?? '';
  }
}

export const test = base.extend<{ playground: Playground }>({
  playground: async ({ page, baseURL }, use) => {
    const playground = new Playground(page, baseURL ?? '');
    await playground.open();
    await use(playground);
    expect(playground.foreignRequests, 'requests to other hosts').toEqual([]);
  },
});

export { expect };
