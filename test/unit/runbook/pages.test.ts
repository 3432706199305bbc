import { expect, test } from 'vitest';
import { alarmCodes } from '../../../appliance/alarms/index.ts';
import { doctorCodes } from '../../../appliance/doctor/index.ts';
import { Runbook, runbookCodes } from '../../../appliance/runbook/index.ts';
import { errorCodes } from '../../../storage/base/errors.ts';
import { gapReasons, runEndReasons } from '../../../storage/model/run.ts';

/** Whatever people meet as a code. Problems of the keeper are alarms under their own codes, which the compiler sees to. */
const known = [
  ...new Set<string>([
    ...errorCodes,
    ...Object.keys(gapReasons),
    ...Object.keys(runEndReasons),
    ...alarmCodes,
    ...doctorCodes,
  ]),
];

const headings = ['## How to confirm', '## What to do', '## When it clears'];

function startedRunbook(): Runbook {
  const runbook = new Runbook();
  runbook.start();
  return runbook;
}

test('every code has a page (appliance/runbook/<code>.md), and no page is of a code that there is not', () => {
  const pages = runbookCodes();

  expect({
    withoutPage: known.filter((code) => !pages.includes(code)),
    withoutCode: pages.filter((page) => !known.includes(page)),
  }).toEqual({ withoutPage: [], withoutCode: [] });
});

test('every page says what it is, how to confirm it, what to do and when it is over, and links only to pages', async () => {
  const runbook = startedRunbook();
  const pages = runbookCodes();

  for (const code of pages) {
    const html = await runbook.html(code);
    const text = html.replace(/<[^>]+>/g, ' ');
    const said = [...html.matchAll(/<h2[^>]*>(.*?)<\/h2>/g)].map((match) => `## ${match[1]}`);
    const linked = [...html.matchAll(/<a href="([a-z][^"]*)"/g)].map((match) => match[1]);

    expect([code, said]).toEqual([code, headings]);
    expect([code, [...html.matchAll(/<h1/g)].length]).toEqual([code, 1]);
    expect([code, linked.filter((page) => !pages.includes(page ?? ''))]).toEqual([code, []]);
    expect([code, text.length > 300 && text.length < 4_000]).toEqual([code, true]);
    expect(html).not.toMatch(/<script|style="|https?:\/\//);
  }
});

test('only pages of the runbook are shown, whatever is asked for', async () => {
  const runbook = startedRunbook();

  for (const code of ['README', '../README', 'runbook', '__proto__', 'constructor', '']) {
    await expect(runbook.html(code)).rejects.toMatchObject({ code: 'not_found' });
  }
});

test('the list has every page with its title', () => {
  const html = startedRunbook().htmlOfList();

  for (const code of runbookCodes()) expect(html).toContain(`href="/help/${code}"`);
  expect(html).toContain('A camera is away');
});
