/** Parts of the launcher that can be judged without a bare machine. */

import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const setup = join(import.meta.dirname, '../../../appliance/setup');

/** Plain JavaScript without types: its functions are what the tests say. */
function load(name: string): Promise<Record<string, (...args: unknown[]) => unknown>> {
  return import(join(setup, name));
}

async function installation(packages: object, present: object | undefined): Promise<string> {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'node_modules'));
  await writeFile(join(directory, 'package-lock.json'), JSON.stringify({ packages }));
  if (present !== undefined) {
    await writeFile(join(directory, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: present }));
  }
  return directory;
}

describe('packages count as installed', () => {
  const wanted = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '2.0.0', optional: true },
  };
  const cases: [string, object | undefined, boolean][] = [
    [
      'when npm has recorded every one',
      { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0' } },
      true,
    ],
    ["without another platform's", { 'node_modules/a': { version: '1.0.0' } }, true],
    ['not in another version', { 'node_modules/a': { version: '1.0.1' } }, false],
    ['not when one is missing', { 'node_modules/b': { version: '2.0.0' } }, false],
    ['not when npm broke off before its record', undefined, false],
  ];

  it.each(cases)('%s', async (_what, present, expected) => {
    const { isInstalled } = await load('npm.mjs');

    expect(isInstalled?.(await installation(wanted, present))).toBe(expected);
  });
});

describe('the page counts as stale', () => {
  async function page(options: { builtSeconds?: number }): Promise<string> {
    const root = await temporaryDirectory();
    const directory = join(root, 'appliance', 'page');
    await mkdir(join(directory, 'src'), { recursive: true });
    for (const name of ['vite.config.ts', 'src/main.tsx']) {
      await writeFile(join(directory, name), '');
      await utimes(join(directory, name), 1_000, 1_000);
    }
    if (options.builtSeconds !== undefined) {
      await mkdir(join(directory, 'dist'));
      await writeFile(join(directory, 'dist', 'index.html'), '');
      await utimes(join(directory, 'dist', 'index.html'), options.builtSeconds, options.builtSeconds);
    }
    return root;
  }

  it('when it was never built or a source is newer, and not otherwise', async () => {
    const { isPageStale } = await load('page.mjs');

    expect(isPageStale?.(await page({}))).toBe(true);
    expect(isPageStale?.(await page({ builtSeconds: 999 }))).toBe(true);
    expect(isPageStale?.(await page({ builtSeconds: 1_001 }))).toBe(false);
    expect(isPageStale?.(await temporaryDirectory())).toBe(false);
  });
});

describe('a new build of the page', () => {
  async function folder(files: Readonly<Record<string, string>>): Promise<string> {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'assets'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    return directory;
  }
  const beganMs = 1_700_000_000_000;
  const longAgoSeconds = beganMs / 1000 - 3 * 86_400;

  it('takes the place of the last one and leaves what an open page may still ask for, for a day', async () => {
    const { putPageInPlace } = await load('page.mjs');
    const dist = await folder({ 'index.html': 'old', 'assets/old.js': 'old', 'assets/older.js': 'older' });
    await utimes(join(dist, 'assets', 'older.js'), longAgoSeconds, longAgoSeconds);
    await mkdir(join(dist, '.build-broken'));
    await utimes(join(dist, '.build-broken'), longAgoSeconds, longAgoSeconds);
    const aside = await folder({ 'index.html': 'new', 'assets/new.js': 'new', 'icon.svg': '<svg/>' });

    putPageInPlace?.(aside, dist, beganMs);

    expect((await readdir(dist, { recursive: true })).sort()).toEqual(
      ['assets', 'assets/new.js', 'assets/old.js', 'icon.svg', 'index.html'].sort(),
    );
    expect(await readFile(join(dist, 'index.html'), 'utf8')).toBe('new');
  });
});

describe('a test run', () => {
  async function counts(result: object | undefined, code: number) {
    const { countsOf } = await load('tests.mjs');
    const report = join(await temporaryDirectory(), 'report.json');
    if (result !== undefined) await writeFile(report, JSON.stringify(result));
    return countsOf?.(report, code);
  }

  it('has failed without a test, without a report, and when it broke off', async () => {
    expect(await counts({ numPassedTests: 3, numFailedTests: 0 }, 0)).toMatchObject({ passed: 3, failed: 0 });
    expect(await counts({ numPassedTests: 3, numFailedTests: 2 }, 1)).toMatchObject({ passed: 3, failed: 2 });
    expect(await counts({ numPassedTests: 0, numFailedTests: 0, numPendingTests: 4 }, 0)).toMatchObject({ failed: 1 });
    expect(await counts({ numPassedTests: 3, numFailedTests: 0 }, 1)).toMatchObject({ passed: 3, failed: 1 });
    expect(await counts(undefined, 1)).toMatchObject({ passed: 0, failed: 1 });
  });
});

it('an unknown verb ends with code 2 and says which there are', async () => {
  const { code, err } = await runCommand(process.execPath, [join(setup, 'launch.mjs'), 'strat']);

  expect(code).toBe(2);
  expect(err).toContain('unknown verb strat: use start, test, check, dev, bench or conformance');
});

describe('a MinIO server for the tests', () => {
  it('is said to be missing where there is neither the program nor a Go to build it', async () => {
    const empty = await temporaryDirectory();

    const env = { PATH: empty, XDG_CACHE_HOME: empty };
    const { code, out, err } = await runCommand(process.execPath, [join(setup, 'minio.mjs')], { env });

    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('neither a minio nor a Go');
  });

  it('is the one in PATH before any other', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'minio'), '', { mode: 0o755 });

    const env = { PATH: directory, XDG_CACHE_HOME: directory };
    const { out } = await runCommand(process.execPath, [join(setup, 'minio.mjs')], { env });

    expect(out.trim()).toBe(join(directory, 'minio'));
  });
});
