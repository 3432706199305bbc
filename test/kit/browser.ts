/** Debian's Chromium, driven by playwright-core, as a person at the page. */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

/**
 * @param args  more of Chromium's switches
 * @throws when Chromium is not installed: `npm test` installs it where it may
 */
export function startBrowser(args: readonly string[] = []): Promise<Browser> {
  if (executablePath === undefined) throw new Error('chromium is not installed (Debian: apt-get install chromium)');
  const quiet = [
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
  const media = ['--autoplay-policy=no-user-gesture-required', '--mute-audio'];
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet, ...media, ...args] });
}
