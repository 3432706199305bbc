/** `weir device` as people run it, and what they do next: curl, and the AWS CLI with what curl got. */

import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startDeviceSite } from './device-kit.ts';

const main = join(import.meta.dirname, '../../../appliance/main.ts');
const weir = (data: string, ...args: string[]) =>
  runCommand(process.execPath, [main, 'device', ...args, '--data-directory', data]);

test('(26) a device is added with its files, curl changes its certificate for keys, and the AWS CLI lists streams by them', async (context) => {
  const found = await runCommand('curl', ['--version']).catch(() => ({ code: 1 }));
  if (found.code !== 0) return context.skip('no curl here');
  const { site, endpoint } = await startDeviceSite();
  const out = join(await temporaryDirectory(), 'keys');

  const added = await weir(site.data, 'add', 'gate-1', '--policy', 'lister', 'describer', '--days', '30', '--out', out);

  expect(added).toMatchObject({ code: 0, err: '' });
  const file = (name: string) => join(out, name);
  expect((await stat(file('gate-1.private.pem'))).mode & 0o777).toBe(0o600);
  expect(await readFile(file('weir-ca.pem'), 'utf8')).toBe(site.ca);
  expect(added.out).not.toContain('PRIVATE KEY');
  const line = added.out.split('\n').find((text) => text.startsWith('curl ')) ?? '';
  expect(line).toContain(`--cert ${file('gate-1.certificate.pem')} --key ${file('gate-1.private.pem')}`);

  // As it was printed, but for the name of this machine, which the test's certificate does not have.
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
  const [curl = '', ...args] = words.map((word) => word.replace(/^https:\/\/[^/:]+/, 'https://localhost'));
  const answer = await runCommand(curl, ['--silent', '--show-error', ...args]);
  const { credentials } = JSON.parse(answer.out);
  const aws = await runCommand('aws', ['--version']).catch(() => ({ code: 1 }));
  if (aws.code !== 0) return context.skip('no AWS CLI here');
  const listed = await runCommand(
    'aws',
    ['kinesisvideo', 'list-streams', '--endpoint-url', endpoint, '--region', 'eu-central-1', '--output', 'json'],
    {
      env: {
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_SESSION_TOKEN: credentials.sessionToken,
        AWS_CA_BUNDLE: file('weir-ca.pem'),
        AWS_EC2_METADATA_DISABLED: 'true',
      },
    },
  );
  expect(JSON.parse(listed.out).StreamInfoList).toHaveLength(2);
});

test('a device that made its key itself sends a request, and its key stays where it is', async () => {
  const { site, ask } = await startDeviceSite();
  const directory = await temporaryDirectory();
  const [key, csr] = [join(directory, 'key.pem'), join(directory, 'csr.pem')];
  await runCommand('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
  await runCommand('openssl', ['req', '-new', '-key', key, '-subj', '/CN=anything', '-out', csr]);

  const added = await weir(site.data, 'add', 'gate-1', '--policy', 'lister', '--csr', csr, '--out', directory);

  expect(added).toMatchObject({ code: 0, err: '' });
  const cert = await readFile(join(directory, 'gate-1.certificate.pem'), 'utf8');
  expect((await ask({ cert, key: await readFile(key, 'utf8') }, { thing: 'gate-1' })).status).toBe(200);
  await expect(stat(join(directory, 'gate-1.private.pem'))).rejects.toThrow();
});

test('files that are there are not written over, and no device is made for them', async () => {
  const { site } = await startDeviceSite();
  const out = await temporaryDirectory();
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'gate-1.private.pem'), 'precious');

  const added = await weir(site.data, 'add', 'gate-1', '--policy', 'lister', '--out', out);

  expect([added.code === 0, await readFile(join(out, 'gate-1.private.pem'), 'utf8')]).toEqual([false, 'precious']);
  expect(added.err).toContain('is there already');
  expect(JSON.parse((await weir(site.data, 'list', '--json')).out)).toEqual({ devices: [] });
});

test('devices are listed and revoked by name', async () => {
  const { site, add } = await startDeviceSite();
  await add('gate-1');
  await add('gate-2');

  const revoked = await weir(site.data, 'revoke', 'gate-1');
  const again = await weir(site.data, 'revoke', 'gate-1');
  const listed = await weir(site.data, 'list');

  expect(revoked).toMatchObject({ code: 0, out: 'revoked gate-1\n' });
  expect(again.err).toContain('there is no device gate-1');
  expect(listed.out).toMatch(/^gate-1 +lister,describer +revoked \d{4}-\d\d-\d\d/m);
  expect(listed.out).toMatch(/^gate-2 +lister,describer +good/m);
});
