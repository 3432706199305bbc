import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateFacts, OwnCertificates, SiteCertificates } from '../../../appliance/tls/index.ts';
import { namesOfMachine } from '../../../appliance/tls/own-certificates.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const run = promisify(execFile);
const dayMs = 86_400_000;

async function start(directory: string, clock: SimulatedClock, names: { list: string[] }) {
  const certificates = new OwnCertificates(
    { clock, log: silentLog, random: randomBytes, machineNames: () => names.list },
    { directory, names: [] },
  );
  await certificates.start();
  onTestFinished(() => certificates.close());
  return certificates;
}

describe('our own certificates', () => {
  it('are made once and stay over a restart', async () => {
    const directory = join(await temporaryDirectory(), 'tls');
    const clock = new SimulatedClock();
    const names = { list: ['box', 'localhost'] };

    const first = await start(directory, clock, names);
    const second = await start(directory, clock, names);

    expect(second.identity()).toEqual(first.identity());
    expect(second.authorityPem()).toBe(first.authorityPem());
    expect((await stat(join(directory, 'authority.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'server.key'))).mode & 0o777).toBe(0o600);
  });

  it('satisfy openssl strictly, and a client that checks name and chain', async () => {
    const directory = join(await temporaryDirectory(), 'tls');
    const clock = new SimulatedClock();
    clock.stepWall(systemClock.wallMs() - clock.wallMs());
    const certificates = await start(directory, clock, { list: ['localhost', '127.0.0.1', 'fd00::1:2', '::1'] });

    const file = (name: string) => join(directory, name);
    const { stdout } = await run('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      file('authority.pem'),
      file('server.pem'),
    ]);
    expect(stdout).toMatch(/OK/);

    const server = createServer(certificates.identity(), (socket) => socket.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca: certificates.authorityPem() });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    expect(socket.authorized).toBe(true);
    socket.destroy();
  });

  it('are renewed before they end, for a new address, and when the clock was wrong', async () => {
    const directory = join(await temporaryDirectory(), 'tls');
    const clock = new SimulatedClock();
    const names = { list: ['box'] };
    const certificates = await start(directory, clock, names);
    let renewals = 0;
    certificates.onRenewed(() => renewals++);
    const passMinute = () => clock.advance(61_000);
    const renewed = (count: number) => until(`${count} renewals`, () => renewals === count);

    await passMinute();
    expect(renewals).toBe(0);

    names.list = ['box', '192.168.7.7'];
    await passMinute();
    await renewed(1);
    expect(certificateFacts(certificates.identity().cert).names).toEqual(['box', '192.168.7.7']);

    clock.stepWall(380 * dayMs);
    await passMinute();
    await renewed(2);
    expect(certificateFacts(certificates.identity().cert).notAfterMs).toBeGreaterThan(clock.wallMs() + 390 * dayMs);

    clock.stepWall(-380 * dayMs);
    await passMinute();
    await renewed(3);
    expect(certificateFacts(certificates.identity().cert).notBeforeMs).toBeLessThan(clock.wallMs());
  });

  it('come back when the server certificate is lost or damaged, under the same authority', async () => {
    const directory = join(await temporaryDirectory(), 'tls');
    const clock = new SimulatedClock();
    const first = await start(directory, clock, { list: ['box'] });

    await rm(join(directory, 'server.key'));
    const second = await start(directory, clock, { list: ['box'] });
    await writeFile(join(directory, 'server.pem'), 'damaged');
    const third = await start(directory, clock, { list: ['box'] });

    expect(third.authorityPem()).toBe(first.authorityPem());
    expect(second.identity().cert).not.toBe(first.identity().cert);
    expect(certificateFacts(third.identity().cert).isSignedBy(first.authorityPem() ?? '')).toBe(true);
  });

  it('are refused when the authority is damaged: nobody would trust a silent new one', async () => {
    const directory = join(await temporaryDirectory(), 'tls');
    await start(directory, new SimulatedClock(), { list: ['box'] });
    await writeFile(join(directory, 'authority.pem'), 'damaged');

    await expect(start(directory, new SimulatedClock(), { list: ['box'] })).rejects.toMatchObject({
      code: 'failed_precondition',
    });
  });
});

it("a machine's names leave out link-local addresses and odd host names", () => {
  const entry = (address: string, internal = false) =>
    ({ address, internal, family: 'IPv4', netmask: '', mac: '', cidr: null }) as const;

  const names = namesOfMachine('Box', {
    lo: [entry('127.0.0.1', true)],
    eth0: [entry('10.0.0.5'), entry('169.254.1.1')],
  });

  expect(names).toEqual(['box', 'box.local', 'localhost', '127.0.0.1', '::1', '10.0.0.5']);
  expect(namesOfMachine('böx', {})).toEqual(['localhost', '127.0.0.1', '::1']);
});

describe("the site's certificate", () => {
  it('is taken anew when its files change, and half a change is not', async () => {
    const directory = await temporaryDirectory();
    const clock = new SimulatedClock();
    const one = await start(join(directory, 'one'), clock, { list: ['one'] });
    const two = await start(join(directory, 'two'), clock, { list: ['two'] });
    const files = { certificateFile: join(directory, 'crt'), keyFile: join(directory, 'key') };
    await writeFile(files.certificateFile, one.identity().cert);
    await writeFile(files.keyFile, one.identity().key);
    const site = new SiteCertificates({ clock, log: silentLog }, files);
    await site.start();
    onTestFinished(() => site.close());
    let renewals = 0;
    site.onRenewed(() => renewals++);

    await writeFile(files.certificateFile, two.identity().cert);
    await clock.advance(61_000);
    await readFile(files.certificateFile);
    expect(site.identity()).toEqual(one.identity());

    await writeFile(files.keyFile, two.identity().key);
    await until('the new certificate', async () => {
      await clock.advance(61_000);
      return renewals === 1;
    });
    expect(site.identity()).toEqual(two.identity());
  });

  it('is refused at start when key and certificate do not belong together', async () => {
    const directory = await temporaryDirectory();
    const clock = new SimulatedClock();
    const one = await start(join(directory, 'one'), clock, { list: ['one'] });
    const files = { certificateFile: join(directory, 'one/server.pem'), keyFile: join(directory, 'one/authority.key') };
    expect(one.authorityPem()).toBeDefined();

    await expect(new SiteCertificates({ clock, log: silentLog }, files).start()).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});
