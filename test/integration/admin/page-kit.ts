/** People at the built page of a running `serve`, in Chromium. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { adminPassword, type TestSite } from './kit.ts';

/** What `vite build` makes of the page. */
export const pageDirectory = join(import.meta.dirname, '..', '..', '..', 'appliance', 'page', 'dist');

/** What a phone is to a page. */
export const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } as const;

/** A tab without any login. What the page throws fails the test. */
export async function openTab(browser: Browser, site: TestSite, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    ...{ ignoreHTTPSErrors: true, viewport: { width: 1_280, height: 900 } },
    ...options,
  });
  const page = await context.newPage();
  const thrown: Error[] = [];
  page.on('pageerror', (error) => thrown.push(error));
  onTestFinished(async () => {
    await context.close();
    if (thrown[0] !== undefined) throw thrown[0];
  });
  await page.goto(`https://localhost:${site.port}`);
  return page;
}

/** A tab of the admin, who chose a password before. */
export async function adminTab(browser: Browser, site: TestSite, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await openTab(browser, site, options);
  await page.fill('input[name=username]', 'admin');
  await page.fill('input[name=password]', adminPassword);
  await page.click('button[type=submit]');
  await page.waitForSelector('.bar');
  return page;
}

/** Pictures of the page for whoever wants to look, dark and light: SCREENSHOTS names a directory. */
export async function look(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`), animations: 'disabled' });
  }
}
