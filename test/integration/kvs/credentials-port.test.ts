/** The listener of the credentials endpoint by itself: other certificates, a port that somebody has, devices that end. */

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CredentialsDoor } from '../../../appliance/admin/credentials-door.ts';
import { TemporaryKeys } from '../../../appliance/admin/temporary-keys.ts';
import { SiteKey } from '../../../appliance/secrets/index.ts';
import { DeviceAuthority, OwnCertificates } from '../../../appliance/tls/index.ts';
import { createLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { openTestCatalog } from '../../unit/catalog/kit.ts';
import { askForCredentials } from './device-kit.ts';

const dayMs = 86_400_000;

async function startDoor({ port = 0, expiresInMs = 100 * dayMs } = {}) {
  const directory = await temporaryDirectory();
  const transcript: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => transcript.push(line) } });
  const { catalog } = await openTestCatalog();
  // OpenSSL goes by the time of day, whatever our clock says.
  const clock = new SimulatedClock(Date.now());
  const deps = { clock, log, random: randomBytes };
  const server = new OwnCertificates({ ...deps, machineNames: () => ['localhost'] }, { directory, names: [] });
  await server.start();
  onTestFinished(() => server.close());
  const renewals = new Set<() => void>();
  const tls = {
    identity: server.identity,
    authorityPem: server.authorityPem,
    onRenewed: (callback: () => void) => {
      renewals.add(callback);
      return () => renewals.delete(callback);
    },
  };
  const siteKey = await SiteKey.open(join(directory, 'site.key'), randomBytes);
  const temporaryKeys = new TemporaryKeys({ ...deps, box: siteKey.box('session-token') });
  const authority = new DeviceAuthority(deps, { directory });
  const { certificatePem, keyPem, fingerprint, serial } = await authority.issue({
    name: 'a',
    days: 10,
    csr: undefined,
  });
  const row = { name: 'a', policies: ['admin'], fingerprint, serial, createdBy: 'ada' };
  catalog.tables.devices.create({ ...row, expiresMs: clock.wallMs() + expiresInMs }, clock.wallMs());
  const door = new CredentialsDoor(
    { ...deps, catalog, temporaryKeys, tls, deviceAuthorityPem: () => authority.certificatePem() },
    { host: '127.0.0.1', port },
  );
  onTestFinished(() => door.close());
  await door.start();
  const ask = async () => {
    const site = { port: door.port ?? 0, ca: server.authorityPem() ?? '' };
    return (await askForCredentials(site, { cert: certificatePem, key: keyPem ?? '' })).status;
  };
  const renew = () => {
    for (const callback of renewals) callback();
  };
  return { clock, door, ask, renew, renewals, transcript };
}

test('after the certificate of the server was renewed devices are asked for theirs as before', async () => {
  const { ask, door, renew, renewals } = await startDoor();
  expect(await ask()).toBe(200);

  renew();

  expect(await ask()).toBe(200);
  await door.close();
  expect(renewals.size).toBe(0);
});

test('a port that somebody has is told once, tried again, and taken when it is free', async () => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  const address = squatter.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  const { ask, clock, door, transcript } = await startDoor({ port });

  await clock.advance(25_000);
  const told = transcript.filter((line) => line.includes('credentials endpoint does not listen'));
  expect([told.length, door.port]).toEqual([1, undefined]);
  await new Promise((resolve) => squatter.close(resolve));
  await clock.advance(10_000);
  await until('it listens', () => door.port !== undefined);
  expect(await ask()).toBe(200);
});

test('the port is closed when the last device ended by itself', async () => {
  const { ask, clock, door } = await startDoor({ expiresInMs: 60_000 });
  expect(await ask()).toBe(200);

  await clock.advance(61_000);

  await until('it is closed', () => door.port === undefined);
});
