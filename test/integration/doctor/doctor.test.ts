import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { pathsOf } from '../../../appliance/roles/index.ts';
import { createAuthority, createServerCertificate } from '../../../appliance/tls/authority.ts';
import { canMount, makeReadOnly, mountMemory } from '../../kit/disks.ts';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { findMinio, startMinio, withMinio } from '../../kit/minio.ts';
import { runCommand } from '../../kit/run-command.ts';
import { freePort, temporaryDirectory } from '../../kit/temp.ts';
import { configIn, diagnosisOf, writePlan } from './kit.ts';

const minio = await findMinio();
const entry = join(import.meta.dirname, '../../../appliance/main.ts');
const dayMs = 86_400_000;

/** Takes connections and says nothing. */
async function startMuteServer(): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return port;
}

test('on an empty machine nothing is wrong, and nothing is left behind', async () => {
  const data = await temporaryDirectory();

  const { of, codes, isRunning } = await diagnosisOf(await configIn(data));

  for (const area of ['configuration', 'disk', 'port', 'store', 'database', 'camera'])
    expect([area, codes(area)]).toEqual([area, []]);
  expect(of('machine').map(({ subject }) => subject)).toContain('better-sqlite3');
  expect(isRunning).toBe(false);
  expect(await readdir(data)).toEqual([]);
});

test('a taken port is told with the program that has it', async () => {
  const port = await startMuteServer();
  const config = await configIn(await temporaryDirectory(), { 'listen.port': String(port) });

  const { of, codes } = await diagnosisOf(config);

  expect(codes('port')).toEqual(['port-taken']);
  expect(of('port').find(({ code }) => code === 'port-taken')?.text).toContain(`process ${process.pid}`);
});

test.skipIf(!canMount)('a read-only disk and a full one are told apart', async () => {
  const data = await temporaryDirectory();
  const [journal, objects] = [join(data, 'journal'), join(data, 'objects')];
  await mountMemory(journal, 1024 * 1024);
  await writeFile(join(journal, 'full'), new Uint8Array(2 * 1024 * 1024)).catch(() => {});
  await mkdir(objects);
  const makeWritable = makeReadOnly(objects);
  onTestFinished(makeWritable);

  const { of } = await diagnosisOf(await configIn(data));

  const codeOf = (path: string) => of('disk').find(({ subject }) => subject === path)?.code;
  expect([codeOf(journal), codeOf(objects)]).toEqual(['journal-disk-filling', 'disk-errors']);
  expect(of('disk').find(({ subject }) => subject === objects)?.text).toContain('read-only');
});

test('a certificate that ended is a fault, and one of another key too', async () => {
  const data = await temporaryDirectory();
  const [certificateFile, keyFile] = [join(data, 'site.crt'), join(data, 'site.key')];
  const flags = { 'tls.mode': 'files', 'tls.certificateFile': certificateFile, 'tls.keyFile': keyFile };
  const made = (wallMs: number) => {
    const authority = createAuthority({ hostName: 'test', wallMs, serial: randomBytes(16) });
    return createServerCertificate({ authority, names: ['localhost'], wallMs, serial: randomBytes(16) });
  };
  const old = made(Date.now() - 500 * dayMs);
  await writeFile(certificateFile, old.certificate);
  await writeFile(keyFile, old.key);
  const config = await configIn(data, flags);

  const ended = await diagnosisOf(config);
  await writeFile(certificateFile, made(Date.now()).certificate);
  const mixed = await diagnosisOf(config);

  expect([ended.codes('certificate'), mixed.codes('certificate')]).toEqual([
    ['certificate-expiring'],
    ['certificate-wrong'],
  ]);
});

test('a damaged database is told while nothing runs', async () => {
  const data = await temporaryDirectory();
  const config = await configIn(data);
  const { index } = pathsOf(config);
  await mkdir(join(index, '..'));
  await writeFile(index, 'this is no database, whatever its name says'.repeat(100));

  const { codes } = await diagnosisOf(config);

  expect(codes('database')).toEqual(['database-damaged']);
});

test('of cameras a wrong password, a wrong path and one that is well are told apart, and no password is', async () => {
  const password = 'Sesame-7f3!x';
  const camera = await startGstCamera({ auth: 'digest', username: 'viewer', password });
  const config = await configIn(await temporaryDirectory());
  const shared = { username: 'viewer', url: camera.url };
  await writePlan(config, [
    { name: 'well', ...shared, password },
    { name: 'locked', ...shared, password: 'wrong-Sesame-7f3!x' },
    { name: 'lost', ...shared, password, url: `${camera.url}-elsewhere` },
    { name: 'nowhere', url: 'rtsp://no-such-camera.invalid/stream' },
    { name: 'off', url: `rtsp://127.0.0.1:${await freePort()}/stream` },
  ]);

  const diagnosis = await diagnosisOf(config);

  const told = diagnosis.of('camera').map(({ subject, verdict, code }) => [subject, code ?? verdict]);
  expect(Object.fromEntries(told)).toEqual({
    well: 'ok',
    locked: 'unauthorized',
    lost: 'not-found',
    nowhere: 'unreachable',
    off: 'refused',
  });
  expect(diagnosis.codes('name')).toEqual(['name-unresolved']);
  expect(JSON.stringify(diagnosis)).not.toContain('Sesame');
});

test('forty cameras that accept and never answer are told within the time of one', async () => {
  const port = await startMuteServer();
  const config = await configIn(await temporaryDirectory());
  await writePlan(
    config,
    Array.from({ length: 40 }, (_, n) => ({ name: `mute ${n}`, url: `rtsp://127.0.0.1:${port}/${n}` })),
  );

  const { codes, of } = await diagnosisOf(config);

  expect(codes('camera')).toHaveLength(40);
  expect(of('machine').map(({ subject }) => subject)).not.toContain('doctor');
});

test('without its site key no password opens, which is told, and no key is made', async () => {
  const config = await configIn(await temporaryDirectory());
  await writePlan(config, [{ name: 'gate', url: 'rtsp://127.0.0.1/x', username: 'a', password: 'b' }]);
  await rm(pathsOf(config).secrets, { recursive: true });

  const { codes, of } = await diagnosisOf(config);

  expect(codes('camera')).toEqual(['plan-unwritten']);
  expect(of('camera')[0]?.text).toContain('there is no site key');
  expect(await readdir(config.dataDirectory)).not.toContain('secrets');
});

test('a mistake in the configuration is the first finding, and everything else is looked at', async () => {
  const data = await temporaryDirectory();
  await writeFile(join(data, 'weir.yaml'), 'lissen:\n  port: 1\n');

  const { code, out } = await runCommand(process.execPath, [entry, 'doctor', '--json', '--data-directory', data]);

  const { verdict, findings } = JSON.parse(out) as {
    verdict: string;
    findings: { area: string; code?: string; text: string }[];
  };
  expect([code, verdict]).toEqual([13, 'fault']);
  expect(findings[0]).toMatchObject({
    area: 'configuration',
    code: 'config-wrong',
    text: expect.stringContaining('lissen'),
  });
  expect(findings.some(({ area }) => area === 'ffmpeg')).toBe(true);
});

describe.skipIf(minio.path === undefined)(withMinio('an S3 store', minio), () => {
  test('that takes objects is well; with wrong keys or away it is told', async () => {
    const server = await startMinio(minio);
    const data = await temporaryDirectory();
    const { endpoint, bucket, accessKey, readSecretKey } = server.storeOptions();
    await server.client().makeBucket(bucket);
    await server.client().putObject(bucket, '.weir-store', 'abc\n');
    const secretKeyFile = join(data, 'secret');
    const flags = {
      'objects.kind': 's3',
      ...{ 'objects.s3.endpoint': endpoint, 'objects.s3.bucket': bucket, 'objects.s3.accessKey': accessKey },
      'objects.s3.secretKeyFile': secretKeyFile,
    };
    const config = await configIn(data, flags);
    await writeFile(secretKeyFile, await readSecretKey());

    const well = await diagnosisOf(config);
    await writeFile(secretKeyFile, 'not-the-secret-key');
    const refused = await diagnosisOf(config);
    await server.stop();
    const away = await diagnosisOf(config);

    expect([well.codes('store'), refused.codes('store'), away.codes('store')]).toEqual([
      [],
      ['store-away'],
      ['store-away'],
    ]);
    expect(JSON.stringify(refused)).not.toContain('not-the-secret-key');
  });
});
