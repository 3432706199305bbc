/** Many cameras from a list: through the API, and by the command as people run it. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPlan } from '../../../appliance/secrets/index.ts';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startSite } from './kit.ts';

const main = join(import.meta.dirname, '../../../appliance/main.ts');

const list = `name,url,sub_url,username,transport,mode,retention_hours
Gate,rtsp://192.0.2.1/main,rtsp://192.0.2.1/sub,,udp,,48
"Yard, north",rtsp://own:pw@192.0.2.2/,,,,events,
Gate,rtsp://192.0.2.3/,,,,,
Door,http://192.0.2.4/,,,,,
Twin,rtsp://192.0.2.1/main,,,,,
Hall,rtsp://192.0.2.5/,,,tpc,,
Last,rtsp://192.0.2.6/,,lena,,,
`;
const expected = [
  'Gate added',
  'Yard, north added',
  'Gate refused: another camera is called "Gate"',
  'Door refused: this is not an rtsp address',
  'Twin exists: it is called "Gate"',
  'Hall refused: transport: Invalid option: expected one of "tcp"|"udp"',
  'Last added',
];
type Result = { readonly name: string; readonly result: string; readonly message: string | null };
const shown = ({ name, result, message }: Result) => `${name} ${result}${message === null ? '' : `: ${message}`}`;

test('each camera of a list is added, known or refused by itself, with one login for all that have none', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const body = { csv: list, credentials: { username: 'weir', password: 's3cret' } };

  const first = await admin.post('/api/cameras/bulk', body);
  const second = await admin.post('/api/cameras/bulk', body);

  expect(first.json.results.map(shown)).toEqual(expected);
  expect(second.json.results.map(({ result }: Result) => result)).toEqual([
    ...['exists', 'exists', 'refused', 'refused', 'exists', 'refused', 'exists'],
  ]);
  expect(first.text).not.toContain('pw@');
  const { plan } = openPlan(JSON.parse(await readFile(site.paths.plan, 'utf8')), site.siteKey.box('camera'));
  const users = plan.sources.map(({ name, role, source }) => [name, role, source.kind === 'rtsp' && source.username]);
  expect(users.sort()).toEqual([
    ['Gate', 'main', 'weir'],
    ['Gate', 'sub', 'weir'],
    ['Last', 'main', 'lena'],
    ['Yard, north', 'main', 'own'],
  ]);
  expect(site.planChanges.count).toBe(2);
});

test('a dry run says the same and adds nothing', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const { json } = await admin.post('/api/cameras/bulk', { csv: list, isDryRun: true });

  expect(json.results.map(({ result }: Result) => result)).toEqual([
    ...['added', 'added', 'refused', 'refused', 'exists', 'refused', 'added'],
  ]);
  expect((await admin.get('/api/cameras')).json.cameras).toEqual([]);
});

test('with a test only what answers is added', async () => {
  const site = await startSite();
  const admin = await site.admin();
  site.probes.result = {
    ...site.probes.result,
    fault: { reason: 'refused', message: 'the camera refused the connection', hint: 'is it on?' },
  };
  const csv = 'name,url\nGate,rtsp://192.0.2.1/\nYard,rtsp://192.0.2.2/\n';

  const refused = await admin.post('/api/cameras/bulk', { csv, isTested: true });
  site.probes.result = { ...site.probes.result, fault: undefined };
  const added = await admin.post('/api/cameras/bulk', { csv, isTested: true });
  const tooMany = await admin.post('/api/cameras/bulk', { csv: csv + csv.repeat(5), isTested: true });

  expect(refused.json.results.map(shown)).toEqual([
    'Gate refused: the camera refused the connection',
    'Yard refused: the camera refused the connection',
  ]);
  expect(added.json.results.map(shown)).toEqual(['Gate added', 'Yard added']);
  expect(tooMany.json.error.code).toBe('resource_exhausted');
});

test('the command tells what became of each, and fails when one was refused', async () => {
  const site = await startSite();
  const path = join(await temporaryDirectory(), 'cameras.csv');
  const rows = Array.from({ length: 20 }, (_, i) => `camera ${i + 1},rtsp://192.0.2.${i + 1}/`);
  await writeFile(path, `name,url\n${rows.join('\n')}\nbad,none\n`);
  const args = ['cameras', 'import', path, '--username', 'weir', '--password-stdin', '--test'];

  const run = await runCommand(process.execPath, [main, ...args, '--data-directory', site.data], { input: 's3cret\n' });

  expect(run.out).toMatch(/^2 {5}camera 1 {3}added$/m);
  expect(run.out).toMatch(/^22 {4}bad {8}refused {2}this is not an rtsp address/m);
  expect(run.out).toContain('20 added, 0 there already, 1 refused');
  expect(run).toMatchObject({ code: 5, err: expect.stringContaining('1 of 21 cameras were refused') });
  expect(site.probes.sources).toHaveLength(20);
  expect(site.probes.sources[0]).toMatchObject({ username: 'weir', password: 's3cret' });
});
