/** Devices: a certificate of ours becomes keys of an hour, and nothing else becomes anything. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { CreateStreamCommand, DescribeStreamCommand, ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { expect, onTestFinished, test } from 'vitest';
import { DeviceAuthority } from '../../../appliance/tls/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { Catalog } from '../../../storage/catalog/index.ts';
import { runCommand } from '../../kit/run-command.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { openConnection, startDeviceSite } from './device-kit.ts';
import { sdkAt } from './kit.ts';

const dayMs = 86_400_000;
const errorName = (action: Promise<unknown>) =>
  action.then(
    () => 'no refusal',
    (error: { readonly name: string }) => error.name,
  );

test('(26) a certificate becomes keys for an hour, in the shape and the time format that producers parse', async () => {
  const { add, admin, ask, as, site } = await startDeviceSite();
  const camera = await add('gate-1', { policies: ['lister', 'creator'] });
  const beforeMs = Date.now();

  const { status, contentType, json } = await ask(camera, { thing: 'gate-1' });

  expect([status, contentType, Object.keys(json), Object.keys(json.credentials)]).toEqual([
    200,
    'application/json',
    ['credentials'],
    ['accessKeyId', 'secretAccessKey', 'sessionToken', 'expiration'],
  ]);
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = json.credentials;
  expect(accessKeyId).toMatch(/^WEIT[A-Z2-7]{16}$/);
  expect(expiration).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(Math.abs(Date.parse(expiration) - beforeMs - 3_600_000)).toBeLessThan(120_000);
  // Native producers take 2,048.
  expect(sessionToken.length).toBeLessThan(1_024);
  expect(secretAccessKey.length).toBeLessThanOrEqual(128);
  const { StreamARN } = await as({ accessKeyId, secretAccessKey, sessionToken }).send(
    new CreateStreamCommand({ StreamName: 'made-by-gate' }),
  );
  expect(StreamARN).toContain(':stream/made-by-gate/');
  const { entries } = (await admin.get('/api/audit')).json;
  expect(entries[0]).toMatchObject({
    action: 'kinesisvideo:CreateStream',
    subject: { kind: 'device', name: 'gate-1' },
  });
  const listed = await as({ accessKeyId, secretAccessKey, sessionToken }).send(new ListStreamsCommand({}));
  expect(listed.StreamInfoList).toHaveLength(3);
  const log = site.transcript.join('\n');
  expect(log).toContain('"subject":"device gate-1"');
  for (const secret of [secretAccessKey, sessionToken]) expect(log).not.toContain(secret);
});

test('a role alias is one of the policies of the device, or all of them; a policy taken away counts at once', async () => {
  const { add, ask, as, credentialsOf, admin, streamName: StreamName } = await startDeviceSite();
  const camera = await add('gate-1');
  const may = async (alias: string) => {
    const client = as(await credentialsOf(camera, { alias }));
    return [
      await errorName(client.send(new ListStreamsCommand({}))),
      await errorName(client.send(new DescribeStreamCommand({ StreamName }))),
    ];
  };

  expect(await may('weir')).toEqual(['no refusal', 'no refusal']);
  expect(await may('lister')).toEqual(['no refusal', 'AccessDeniedException']);
  expect(await may('describer')).toEqual(['AccessDeniedException', 'no refusal']);
  for (const alias of ['admin', 'clients', 'nothing']) {
    expect([alias, (await ask(camera, { alias })).status]).toEqual([alias, 403]);
  }
  const client = as(await credentialsOf(camera, { alias: 'lister' }));
  await admin.put('/api/policies/lister', { statements: [] });
  expect(await errorName(client.send(new ListStreamsCommand({})))).toBe('AccessDeniedException');
});

test('a thing is what its certificate says, whatever its header does', async () => {
  const { add, ask } = await startDeviceSite();
  const camera = await add('gate-1');
  await add('gate-2');

  expect((await ask(camera, { thing: 'gate-1' })).status).toBe(200);
  expect((await ask(camera)).status).toBe(200);
  const other = await ask(camera, { thing: 'gate-2' });
  expect([other.status, Object.keys(other.json), other.json.message]).toEqual([
    403,
    ['message'],
    expect.stringContaining('Invalid thing name passed'),
  ]);
});

test('whoever shows no certificate of a device is refused, in the same words', async () => {
  const { add, ask, site } = await startDeviceSite();
  const camera = await add('gate-1');
  const foreign = new DeviceAuthority(
    { clock: systemClock, random: randomBytes },
    { directory: await temporaryDirectory() },
  );
  const stranger = await foreign.issue({ name: 'gate-1', days: 10, csr: undefined });
  // Of our own authority of devices, and in no table.
  const ours = new DeviceAuthority({ clock: systemClock, random: randomBytes }, { directory: site.paths.tls });
  const unknown = await ours.issue({ name: 'gate-1', days: 10, csr: undefined });
  const file = (name: string) => readFile(join(site.paths.tls, name), 'utf8');

  for (const shown of [
    {},
    { cert: stranger.certificatePem, key: stranger.keyPem ?? '' },
    { cert: unknown.certificatePem, key: unknown.keyPem ?? '' },
    { cert: await file('server.pem'), key: await file('server.key') },
    { cert: await file('authority.pem'), key: await file('authority.key') },
    { cert: await file('devices.pem'), key: await file('devices.key') },
  ]) {
    expect(await ask(shown, { thing: 'gate-1' })).toMatchObject({
      status: 403,
      json: { message: 'Access Denied: show the certificate of a device that is not revoked' },
    });
  }
  expect((await ask(camera, { thing: 'gate-1' })).status).toBe(200);
});

test('a certificate that is over is refused, whatever the table says', async () => {
  const { add, ask, site } = await startDeviceSite();
  await add('gate-1');
  const past = new SimulatedClock(Date.now() - 10 * dayMs);
  const authority = new DeviceAuthority({ clock: past, random: randomBytes }, { directory: site.paths.tls });
  const old = await authority.issue({ name: 'old', days: 1, csr: undefined });
  const catalog = new Catalog({ clock: systemClock, random: randomBytes }, { path: site.paths.catalog });
  catalog.start();
  onTestFinished(() => catalog.close());
  const { fingerprint, serial } = old;
  const row = { name: 'old', policies: ['lister'], fingerprint, serial, createdBy: 'test' };
  catalog.tables.devices.create({ ...row, expiresMs: Date.now() + dayMs }, Date.now());

  expect((await ask({ cert: old.certificatePem, key: old.keyPem ?? '' })).status).toBe(403);
});

test('a revoked device is refused in the middle of its connection, by a resumed session, and with the keys that it got', async () => {
  const { add, port, as, credentialsOf, admin, site } = await startDeviceSite();
  await add('gate-2');
  const camera = await add('gate-1');
  const keys = await credentialsOf(camera);
  const sessions: Buffer[] = [];
  const options = { port: port(), ca: site.ca, cert: camera.cert, key: camera.key };
  const { socket, said } = await openConnection(options);
  socket.on('session', (session: Buffer) => sessions.push(session));
  const ask = 'GET /role-aliases/weir/credentials HTTP/1.1\r\nhost: localhost\r\n\r\n';
  socket.write(ask);
  await until('keys came', () => said().includes('sessionToken') && sessions.length > 0);
  const good = await openConnection({ ...options, session: sessions.at(-1) });
  expect(good.socket.isSessionReused()).toBe(true);
  good.socket.write(ask);
  await until('keys came by a resumed session', () => good.said().includes('sessionToken'));

  await admin.delete(`/api/devices/${camera.id}`);
  socket.write(ask);

  await until('it is refused', () => said().includes('HTTP/1.1 403'));
  const resumed = await openConnection({ ...options, session: sessions.at(-1) });
  expect(resumed.socket.isSessionReused()).toBe(true);
  resumed.socket.write(ask);
  await until('it is refused again', () => resumed.said().includes('HTTP/1.1 403'));
  expect(await errorName(as(keys).send(new ListStreamsCommand({})))).toBe('UnrecognizedClientException');

  // The next thing of the name is another device: it does not bring the old keys back to life.
  const next = await add('gate-1');
  expect(await errorName(as(keys).send(new ListStreamsCommand({})))).toBe('UnrecognizedClientException');
  expect(await errorName(as(await credentialsOf(next)).send(new ListStreamsCommand({})))).toBe('no refusal');
  resumed.socket.destroy();
  good.socket.destroy();
  socket.destroy();
});

test('the port is open while there is a device, and asks nobody else for a certificate', async () => {
  const { add, admin, port, site } = await startDeviceSite();
  expect(site.serve.credentialsPort).toBeUndefined();

  const camera = await add('gate-1');
  const listening = site.serve.credentialsPort;
  expect(listening).toBeGreaterThan(0);
  await admin.delete(`/api/devices/${camera.id}`);
  expect(site.serve.credentialsPort).toBeUndefined();
  await add('gate-2');
  expect(site.serve.credentialsPort).toBeGreaterThan(0);

  const askedFor = async (port: number) => {
    const { out } = await runCommand('openssl', ['s_client', '-connect', `localhost:${port}`]);
    return /Acceptable client certificate CA names\n(.*)/.exec(out)?.[1] ?? 'nothing';
  };
  expect(await askedFor(site.port)).toBe('nothing');
  expect(await askedFor(port())).toMatch(/Weir devices on/);
  // The public port takes a device's certificate for nothing: who shows it is nobody there.
  const main = await openConnection({ port: site.port, ca: site.ca, cert: camera.cert, key: camera.key });
  main.socket.write('GET /api/devices HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  await until('it is answered', () => main.said().includes('\r\n\r\n'));
  expect(main.said()).toMatch(/^HTTP\/1\.1 401/);
});

test('a certificate of a device makes no server, not even for who trusts its authority', async () => {
  const { add, site } = await startDeviceSite();
  const camera = await add('localhost');
  const server = createServer({ cert: camera.cert, key: camera.key }, (socket) => socket.end());
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const devices = await readFile(join(site.paths.tls, 'devices.pem'), 'utf8');

  for (const ca of [site.ca, devices, [site.ca, devices]]) {
    const socket = connect({ port, host: 'localhost', ca, checkServerIdentity: () => undefined });
    const [error] = await once(socket, 'error').catch(() => [undefined]);
    expect((error as { readonly code?: string } | undefined)?.code).toMatch(
      /^(INVALID_PURPOSE|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)$/,
    );
  }
});

test('nothing but that one request is answered, and a body is not waited for', async () => {
  const { add, ask, port, site } = await startDeviceSite();
  const camera = await add('gate-1');

  for (const asked of [
    { path: '/' },
    { path: '/role-aliases/weir/credentials/' },
    { path: '/role-aliases//credentials' },
    { path: `/role-aliases/${'a'.repeat(129)}/credentials` },
    { path: '/api/devices' },
    { method: 'DELETE' },
  ]) {
    expect([asked, (await ask(camera, asked)).status]).toEqual([asked, 404]);
  }
  const { socket, said } = await openConnection({ port: port(), ca: site.ca, cert: camera.cert, key: camera.key });
  socket.write(
    'POST /role-aliases/weir/credentials HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\nx',
  );
  await until('it is refused', () => said().startsWith('HTTP/1.1 404') && said().includes('connection: close'));
  socket.destroy();
});

test('who made and revoked a device is in the audit list, and its private key is nowhere', async () => {
  const { add, admin, site } = await startDeviceSite();
  const camera = await add('gate-1');
  await admin.delete(`/api/devices/${camera.id}`);

  const { entries } = (await admin.get('/api/audit')).json;
  const told = entries
    .map((entry: { action: string; resource: string }) => `${entry.action} ${entry.resource}`)
    .filter((line: string) => line.startsWith('devices:'));
  expect(told).toEqual([`devices:revoke device/${camera.id}`, `devices:create device/${camera.id}`]);
  expect((await admin.get('/api/devices')).json.devices).toMatchObject([
    { name: 'gate-1', revokedMs: expect.any(Number), policies: ['lister', 'describer'] },
  ]);
  const key = camera.key.split('\n')[1] ?? 'nothing';
  const files = await Promise.all(['', '-wal'].map((end) => readFile(`${site.paths.catalog}${end}`, 'latin1')));
  const answers = site.transcript.filter((line) => !line.includes('"privateKey":"'));
  expect(answers.join('\n') + files.join('\n')).not.toContain(key);
});

test('a device needs a name of things, policies that exist, and days that are some', async () => {
  const { admin } = await startDeviceSite();
  const good = { name: 'gate-1', policies: ['lister'] };
  const status = async (change: object) => (await admin.post('/api/devices', { ...good, ...change })).status;

  expect(await status({ name: 'gate 1' })).toBe(400);
  expect(await status({ name: 'a'.repeat(129) })).toBe(400);
  expect(await status({ policies: [] })).toBe(400);
  expect(await status({ policies: ['nothing'] })).toBe(400);
  expect(await status({ days: 0 })).toBe(400);
  expect(await status({ csr: 'no request' })).toBe(400);
  expect(await status({})).toBe(201);
  expect(await status({})).toBe(409);
});

test('a device may assume a role, narrowed or not, and what it is made of ends with it', async () => {
  const { admin, add, credentialsOf, site, streamName: StreamName } = await startDeviceSite();
  const roleArn = 'arn:aws:iam::000000000000:role/describer';
  const assume = { effect: 'allow', actions: ['sts:AssumeRole'], resources: [roleArn] };
  await admin.post('/api/policies', { name: 'assumer', statements: [assume] });
  const camera = await add('gate-1', { policies: ['assumer'] });
  const keys = await credentialsOf(camera);
  const endpoint = `https://localhost:${site.port}`;
  const requestHandler = { httpsAgent: new Agent({ ca: site.ca }) };
  const sts = new STSClient({ endpoint, region: 'eu-central-1', credentials: keys, maxAttempts: 1, requestHandler });
  onTestFinished(() => sts.destroy());

  const me = await sts.send(new GetCallerIdentityCommand({}));
  const { Credentials: made } = await sts.send(new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: 'by-gate' }));

  expect(me.Arn).toBe('arn:aws:sts::000000000000:assumed-role/weir/gate-1');
  const client = sdkAt(site, {
    accessKeyId: made?.AccessKeyId ?? '',
    secretAccessKey: made?.SecretAccessKey ?? '',
    sessionToken: made?.SessionToken ?? '',
  });
  const describe = () => errorName(client.send(new DescribeStreamCommand({ StreamName })));
  expect(await describe()).toBe('no refusal');
  expect(await errorName(client.send(new ListStreamsCommand({})))).toBe('AccessDeniedException');
  await admin.delete(`/api/devices/${camera.id}`);
  expect(await describe()).toBe('UnrecognizedClientException');
});
