import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clientsIn, clientsOf } from '../../conformance/clients.ts';

const file = `
import { ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { launchChromium } from '../playback/chromium.ts';

// coturn: startTurnServer
const script = \`
import json, boto3
def ListStreamsCommand(): pass
\`;
const ask = () => run('python3', script);
const sent = new Map();

test('(1) a stream is listed', async () => {
  const { site } = await startSite();
  expect(await site.send(new ListStreamsCommand({}))).toEqual({ script: 'aws kinesis', ask: site.ask });
});

test('(2) Python asks', () => expect(ask()).toBe(1));

test('(2, 3) a raw request', () => expect(fetch('/')).toBe(sent));

describe('pages', () => {
  const page = () => launchChromium();

  test.each([['wide', 1], ['(4) narrow', 2]])('(1, 3) a page that is %s', async () => {
    await page();
  });
});

const cases = [['(5)', 'aws'], ['(6) twice', 'ffmpeg']];
test.each(cases)('%s what is wrong', async (_, program) => {
  await run(program);
});
`;

test.each([
  ['(1) a stream is listed', ['AWS SDK for JavaScript']],
  ['(2) Python asks', ['boto3']],
  ['(2, 3) a raw request', ['a client of the test']],
  ['(1, 3) a page that is wide', ['Chromium']],
  ['(4) narrow', ['Chromium']],
  ['(5) what is wrong', ['ffmpeg', 'AWS CLI']],
  ['(6) twice what is wrong', ['ffmpeg', 'AWS CLI']],
])('a test has the clients that it names or that what it names does: %s', (title, clients) => {
  expect(clientsIn(file, title).sort()).toEqual([...clients].sort());
});

test('a test of a unit has no client, whatever it names', async () => {
  expect(await clientsOf('/', join('test', 'unit', 'x.test.ts'), '(1) a stream is listed')).toEqual([]);
});
