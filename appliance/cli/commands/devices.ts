/** `weir device`: add, list, revoke. A device shows its certificate at the credentials endpoint and gets temporary keys for it. */

import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { appError, errnoOf } from '../../../storage/base/errors.ts';
import type { ApiClient } from '../../api-client/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';
import { runningConfigOf } from '../running-config.ts';

const deviceShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  policies: z.array(z.string()),
  fingerprint: z.string(),
  expiresMs: z.number(),
  revokedMs: z.number().nullable(),
  lastUsedMs: z.number().nullable(),
});
const listShape = z.looseObject({ devices: z.array(deviceShape) });
const madeShape = z.looseObject({
  device: deviceShape,
  certificate: z.string(),
  privateKey: z.string().nullable(),
  authority: z.string().nullable(),
  credentialsPort: z.number().nullable(),
});

type Device = z.infer<typeof deviceShape>;
type Made = z.infer<typeof madeShape>;
type AddFlags = {
  readonly policy: string[];
  readonly days?: string;
  readonly csr?: string;
  readonly out: string;
};

export function addDeviceCommands(program: Command, context: CommandContext): void {
  const devices = program.command('device').summary('certificates by which devices get keys for the KVS API');
  const { output } = context;

  const add = devices
    .command('add <name>')
    .description(
      'Certifies a device, writes its certificate, its private key and the authority of this server as .pem files, and shows how they are used. The key is kept nowhere else.',
    )
    .requiredOption('--policy <policies...>', 'what it may do; each is a role alias for it, and "weir" is all of them')
    .option('--days <days>', 'how long its certificate is good (default: ten years; it can be revoked at any time)')
    .option('--csr <file>', 'a signing request of its own (PKCS #10, PEM): its private key then never leaves it')
    .option('--out <directory>', 'where the files go', '.');
  addConfigFlags(add, 'finding').action(async (name: string, flags: AddFlags) => {
    const { policy: policies, days } = flags;
    const csr = flags.csr === undefined ? {} : { csr: await textOf(flags.csr) };
    const { config } = await runningConfigOf(add, context.surroundings);
    const api = await apiOf(add, context);
    const paths = pathsFor(name, flags.out);
    // Seen before anything is made: a private key that has no place to go would be lost.
    await requireFree(csr.csr === undefined ? [paths.certificate, paths.privateKey] : [paths.certificate]);
    const body = { name, policies, ...(days === undefined ? {} : { days: Number(days) }), ...csr };
    const made = madeShape.parse(await api.call('POST', '/api/devices', body));
    const files = await write(made, paths);
    const host = config.publicUrl === undefined ? hostname() : new URL(config.publicUrl).hostname;
    const endpoint = `${host}:${made.credentialsPort ?? config.kvs.credentials.port}`;
    const alias = 'weir';
    output.result({ device: made.device, files, endpoint }, () => [
      ...Object.values(files),
      '',
      `credentials endpoint  ${endpoint}`,
      `thing name            ${made.device.name}`,
      `role alias            ${alias} (all of its policies), or one of ${made.device.policies.join(', ')}`,
      '',
      curlLine({ files, endpoint, alias, name: made.device.name }),
    ]);
  });

  const list = devices.command('list').description('Lists devices, revoked ones too.');
  addConfigFlags(list, 'finding').action(async () => {
    const found = await devicesOf(await apiOf(list, context));
    output.result({ devices: found }, () =>
      table(
        ['name', 'policies', 'state', 'expires', 'last used', 'fingerprint'],
        found.map((device) => [
          device.name,
          device.policies.join(','),
          device.revokedMs === null ? 'good' : `revoked ${day(device.revokedMs)}`,
          day(device.expiresMs),
          day(device.lastUsedMs),
          device.fingerprint.slice(0, 16),
        ]),
      ),
    );
  });

  const revoke = devices
    .command('revoke <name-or-id>')
    .description('Revokes a device: its certificate and all keys that it got are refused from now on, for good.');
  addConfigFlags(revoke, 'finding').action(async (name: string) => {
    const api = await apiOf(revoke, context);
    const good = (await devicesOf(api)).filter((device) => device.revokedMs === null);
    const found = good.find((device) => device.id === name) ?? good.find((device) => device.name === name);
    if (found === undefined) throw appError('not_found', `there is no device ${name}`);
    await api.call('DELETE', `/api/devices/${found.id}`);
    output.result({ revoked: found.id }, () => [`revoked ${found.name}`]);
  });
}

type Paths = { readonly certificate: string; readonly privateKey: string; readonly authority: string };

function pathsFor(name: string, directory: string): Paths {
  // The server refuses other names later; here one must not leave the directory.
  const safe = name.replace(/[^a-zA-Z0-9:_.-]/g, '_');
  return {
    certificate: join(directory, `${safe}.certificate.pem`),
    privateKey: join(directory, `${safe}.private.pem`),
    authority: join(directory, 'weir-ca.pem'),
  };
}

async function requireFree(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const isThere = await stat(path).then(
      () => true,
      () => false,
    );
    if (isThere) throw appError('already_exists', `${path} is there already`, { hint: 'name another --out directory' });
  }
}

async function write(made: Made, paths: Paths): Promise<Partial<Paths> & { readonly certificate: string }> {
  const { certificate, privateKey, authority } = made;
  await mkdir(join(paths.certificate, '..'), { recursive: true });
  if (privateKey !== null) await writeNew(paths.privateKey, privateKey, { mode: 0o600 });
  await writeNew(paths.certificate, certificate, { mode: 0o644 });
  // The same for every device of this server.
  if (authority !== null) await writeNew(paths.authority, authority, { mode: 0o644, flag: 'w' });
  return {
    certificate: paths.certificate,
    ...(privateKey === null ? {} : { privateKey: paths.privateKey }),
    ...(authority === null ? {} : { authority: paths.authority }),
  };
}

/** Durable before the command says that it was done: it cannot be asked for again. */
async function writeNew(
  path: string,
  text: string,
  { mode, flag = 'wx' }: { readonly mode: number; readonly flag?: 'w' | 'wx' },
): Promise<void> {
  const file = await open(path, flag, mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function curlLine(given: {
  readonly files: Partial<Paths>;
  readonly endpoint: string;
  readonly alias: string;
  readonly name: string;
}): string {
  const { files, endpoint, alias, name } = given;
  const key = files.privateKey ?? 'YOUR-PRIVATE-KEY.pem';
  const ca = files.authority === undefined ? '' : ` --cacert ${files.authority}`;
  return `curl --cert ${files.certificate} --key ${key}${ca} -H 'x-amzn-iot-thingname: ${name}' https://${endpoint}/role-aliases/${alias}/credentials`;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw appError('invalid_argument', `${path} cannot be read: ${errnoOf(error) ?? 'it is no file'}`, { key: 'csr' });
  }
}

async function devicesOf(api: ApiClient): Promise<Device[]> {
  return listShape.parse(await api.call('GET', '/api/devices')).devices;
}

function day(ms: number | null): string {
  return ms === null ? 'never' : new Date(ms).toISOString().slice(0, 10);
}
