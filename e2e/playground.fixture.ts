import { expect, type Page, test as base } from '@playwright/test';

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

  /** Chooses a model of the list, which loads it. */
  async use(name: string, settings: { device?: string; variant?: string } = {}): Promise<void> {
    if (settings.device !== undefined || settings.variant !== undefined) await this.set(settings);
    await this.page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
    await this.page.getByRole('button', { name: `Use ${name}`, exact: true }).click();
  }

  /** Device and variant of the next load, as a visitor's settings are kept. */
  async set({ device, variant }: { device?: string; variant?: string }): Promise<void> {
    await this.page.getByText('Device and variant').click();
    if (device !== undefined) await this.page.getByLabel('Device', { exact: true }).selectOption(device);
    if (variant !== undefined) await this.page.getByLabel('Variant', { exact: true }).selectOption(variant);
    await this.page.getByText('Device and variant').click();
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
    return this.page.getByRole('button', { name: /^(Align|Load and align)/ });
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
