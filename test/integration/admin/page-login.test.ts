/** A person's first login: the one-time password is typed once, and the new one is kept by whoever keeps passwords. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBrowser } from '../../kit/browser.ts';
import { startSite } from './kit.ts';
import { look, openTab, pageDirectory } from './page-kit.ts';

const patient = { timeout: 120_000 };

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());

test('a one-time password is typed once, and is not kept once another one was chosen', patient, async () => {
  const site = await startSite({ pageDirectory });
  const { password = '' } = site.firstAdmin ?? {};
  const page = await openTab(browser, site);
  const logIn = async (secret: string) => {
    await page.fill('input[name=username]', 'admin');
    await page.fill('input[name=password]', secret);
    await page.click('button[type=submit]');
  };
  const choose = async (secret: string) => {
    await page.fill('input[name=new-password]', secret);
    await page.fill('input[name=new-password-again]', secret);
    await page.click('button[type=submit]');
  };

  await logIn(password);
  await page.waitForSelector('h1:has-text("Choose a password")');
  expect(await page.locator('input[name=current-password]').count()).toBe(0);
  expect(await page.inputValue('input[autocomplete=username]')).toBe('admin');
  await look(page, 'choose-password');

  // A page that was loaded anew has forgotten it.
  await page.reload();
  await page.fill('input[name=current-password]', password);
  await choose('short');
  await page.waitForSelector('.fault');
  await choose('correct horse battery');
  await page.waitForSelector('.bar');
  expect(await page.evaluate('JSON.stringify([localStorage, sessionStorage, history.state, location])')).not.toContain(
    password,
  );

  // Whoever changes a password later knows the current one.
  await page.click('.bar a[href="#/account"]');
  await page.fill('input[name=current-password]', 'correct horse battery');
  await choose('another horse battery');
  await page.waitForSelector('.tile, h1:has-text("No cameras yet")');
  await page.click('button:has-text("Log out")');
  await logIn('another horse battery');
  await page.waitForSelector('.bar');
});
