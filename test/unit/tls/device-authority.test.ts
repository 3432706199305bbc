import { execFile } from 'node:child_process';
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { certificateFingerprint, DeviceAuthority, OwnCertificates } from '../../../appliance/tls/index.ts';
import { signingRequestKey } from '../../../appliance/tls/signing-request.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { AppError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const run = promisify(execFile);
const dayMs = 86_400_000;
const deps = { clock: systemClock, log: silentLog, random: randomBytes };

async function authorityIn(directory: string) {
  return { directory, authority: new DeviceAuthority(deps, { directory }) };
}

const newAuthority = async () => authorityIn(join(await temporaryDirectory(), 'tls'));

/** A signing request of openssl's. */
async function requestOf(...algorithm: string[]) {
  const directory = await temporaryDirectory();
  const [key, csr] = [join(directory, 'key.pem'), join(directory, 'csr.pem')];
  await run('openssl', ['genpkey', ...algorithm, '-out', key]);
  await run('openssl', ['req', '-new', '-key', key, '-subj', '/CN=whatever/O=Somebody', '-out', csr]);
  return { key: await readFile(key, 'utf8'), csr: await readFile(csr, 'utf8') };
}

const elliptic = (curve: string) => ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`];
const rsa = (bits: number) => ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`];

test('certificates of devices satisfy openssl strictly, as those of clients and of nothing else', async () => {
  const { directory, authority } = await newAuthority();
  const issued = await authority.issue({ name: 'gate:1', days: 10, csr: undefined });
  const file = join(directory, 'gate.pem');
  await writeFile(file, issued.certificatePem);
  const server = new OwnCertificates({ ...deps, machineNames: () => ['localhost'] }, { directory, names: [] });
  await server.start();
  await server.close();
  const verify = async (purpose: string, authorityFile: string, certificate: string) => {
    const args = [
      'verify',
      '-x509_strict',
      '-purpose',
      purpose,
      '-CAfile',
      join(directory, authorityFile),
      certificate,
    ];
    return await run('openssl', args).then(
      ({ stdout }) => stdout.trim().endsWith('OK'),
      () => false,
    );
  };

  expect(await verify('sslclient', 'devices.pem', file)).toBe(true);
  expect(await verify('sslserver', 'devices.pem', file)).toBe(false);
  expect(await verify('sslclient', 'authority.pem', file)).toBe(false);
  expect(await verify('sslclient', 'devices.pem', join(directory, 'server.pem'))).toBe(false);
  expect(await verify('sslclient', 'authority.pem', join(directory, 'server.pem'))).toBe(false);
});

test('a certificate says who, until when, and by which fingerprint it is found', async () => {
  const { authority } = await newAuthority();
  const name = 'x'.repeat(128);

  const issued = await authority.issue({ name, days: 10, csr: undefined });

  const certificate = new X509Certificate(issued.certificatePem);
  expect(certificate.subject).toBe(`CN=${'x'.repeat(64)}`);
  expect(issued.fingerprint).toBe(certificateFingerprint(certificate));
  expect(issued.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(Math.abs(issued.expiresMs - systemClock.wallMs() - 10 * dayMs)).toBeLessThan(60_000);
  expect(Date.parse(certificate.validTo)).toBe(issued.expiresMs);
  expect(certificate.ca).toBe(false);
});

test('the authority is made once, whoever asks first, and outlives none of its certificates', async () => {
  const { directory, authority } = await newAuthority();

  const wishes = { name: 'a', days: 10_000, csr: undefined };
  const [one, two] = await Promise.all([authority.issue(wishes), authority.issue(wishes)]);
  const again = await (await authorityIn(directory)).authority.issue(wishes);

  const issuer = new X509Certificate(await authority.certificatePem());
  for (const issued of [one, two, again]) {
    expect(new X509Certificate(issued.certificatePem).verify(issuer.publicKey)).toBe(true);
    expect(issued.expiresMs).toBeLessThanOrEqual(Date.parse(issuer.validTo));
  }
  expect((await stat(join(directory, 'devices.key'))).mode & 0o777).toBe(0o600);
});

test('a damaged authority is not made anew in silence, a missing one is', async () => {
  const { directory, authority } = await newAuthority();
  await authority.certificatePem();
  const fresh = async () => (await authorityIn(directory)).authority.certificatePem();

  await writeFile(join(directory, 'devices.key'), 'damaged');
  await expect(fresh()).rejects.toMatchObject({ code: 'failed_precondition' });
  await rm(join(directory, 'devices.key'));
  await expect(fresh()).rejects.toMatchObject({ code: 'failed_precondition' });
  await rm(join(directory, 'devices.pem'));
  expect(await fresh()).not.toBe(await authority.certificatePem());
});

test.each([
  ['P-256', elliptic('P-256')],
  ['P-384', elliptic('P-384')],
  ['RSA of 2048 bits', rsa(2_048)],
  ['Ed25519', ['-algorithm', 'ED25519']],
])('a signing request with a key on %s is certified, and of it nothing but the key', async (_, algorithm) => {
  const { authority } = await newAuthority();
  const { key, csr } = await requestOf(...algorithm);

  const issued = await authority.issue({ name: 'gate', days: 10, csr });

  const certificate = new X509Certificate(issued.certificatePem);
  expect(issued.keyPem).toBeUndefined();
  expect(certificate.publicKey.equals(createPublicKey(key))).toBe(true);
  expect(certificate.subject).toBe('CN=gate');
});

test.each([
  ['RSA of 1024 bits', rsa(1_024)],
  ['a curve that we do not know', elliptic('secp256k1')],
])('a signing request with a key of %s is refused', async (_, algorithm) => {
  const { csr } = await requestOf(...algorithm);

  expect(() => signingRequestKey(csr)).toThrowError(expect.objectContaining({ code: 'invalid_argument' }));
});

test('a signing request is refused when it was signed by another key', async () => {
  const [one, other] = await Promise.all([requestOf(...elliptic('P-256')), requestOf(...elliptic('P-256'))]);
  const bytes = (pem: string) => Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64');
  const [mine, theirs] = [bytes(one.csr), bytes(other.csr)];
  const spkiOf = (key: string) => createPublicKey(key).export({ type: 'spki', format: 'der' });
  const at = mine.indexOf(spkiOf(one.key));
  expect(at).toBeGreaterThan(0);
  expect(theirs.length).toBeGreaterThan(0);

  const stolen = Buffer.concat([mine.subarray(0, at), spkiOf(other.key), mine.subarray(at + spkiOf(other.key).length)]);

  expect(() => signingRequestKey(pemOf(stolen))).toThrow('not signed by its own key');
});

test('whatever is sent as a signing request is a key that proved itself, or refused', async () => {
  const { csr } = await requestOf(...elliptic('P-256'));
  const good = Buffer.from(csr.replace(/-----.*-----/g, ''), 'base64');
  const refusal = (text: string): AppError | undefined => {
    try {
      signingRequestKey(text);
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      return error as AppError;
    }
  };
  expect(refusal(csr)).toBeUndefined();

  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ change;
      expect(refusal(pemOf(changed))?.code).toBe('invalid_argument');
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refusal(pemOf(bytes))?.code === 'invalid_argument'),
  );
  fc.assert(fc.property(fc.string(), (text) => refusal(text)?.code === 'invalid_argument'));
  fc.assert(
    fc.property(
      fc.nat({ max: good.length - 1 }),
      (end) => refusal(pemOf(good.subarray(0, end)))?.code === 'invalid_argument',
    ),
  );
});

function pemOf(der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${base64}\n-----END CERTIFICATE REQUEST-----\n`;
}
