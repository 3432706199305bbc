/** What an S3 store says when its server, the keys or the way to it are not well: by code, with a hint, and always within its time. */

import dns from 'node:dns';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { type S3Options, S3Store } from '../../../storage/objects/index.ts';
import { canMount, mountMemory } from '../../kit/disks.ts';
import { startFaultProxy } from '../../kit/fault-proxy.ts';
import { findMinio, startMinio, withMinio } from '../../kit/minio.ts';
import { runCommand } from '../../kit/run-command.ts';
import { freePort, temporaryDirectory } from '../../kit/temp.ts';

const program = await findMinio();
const MiB = 1024 * 1024;
const soonMs = 500;

function storeOf(options: S3Options): S3Store {
  const store = new S3Store({ clock: systemClock, log: silentLog }, options);
  onTestFinished(() => store.close());
  return store;
}

async function fileOf(byteLength: number): Promise<string> {
  const path = join(await temporaryDirectory(), 'segment.mkv');
  await writeFile(path, Buffer.alloc(byteLength, 'frame'));
  return path;
}

describe.skipIf(program.missing !== undefined)(withMinio('S3 store', program), () => {
  test('makes its bucket at the first start and finds it at the next', async () => {
    const minio = await startMinio(program);
    const store = storeOf(minio.storeOptions());

    await store.start();
    await store.start();

    expect(await minio.client().bucketExists('weir')).toBe(true);
    expect(await storeOf(minio.storeOptions()).identity()).toBe(await store.identity());
  });

  test('keeps to its prefix and tells other stores in the bucket from itself', async () => {
    const minio = await startMinio(program);
    const one = storeOf(minio.storeOptions({ prefix: 'one/' }));
    const two = storeOf(minio.storeOptions({ prefix: 'two/' }));
    await one.start();
    await two.start();

    await one.putFile('a/1.mkv', await fileOf(10));

    expect(await two.stat('a/1.mkv')).toBeUndefined();
    expect(await one.identity()).not.toBe(await two.identity());
    expect((await minio.client().statObject('weir', 'one/a/1.mkv')).size).toBe(10);
  });

  test('an object of many megabytes comes back byte for byte', async () => {
    const minio = await startMinio(program);
    const store = storeOf(minio.storeOptions());
    await store.start();
    const bytes = Buffer.alloc(20 * MiB);
    for (let at = 0; at < bytes.byteLength; at += 4) bytes.writeUInt32LE(at, at);
    const path = join(await temporaryDirectory(), 'big');
    await writeFile(path, bytes);

    await store.putFile('big', path);

    expect(bytes.equals(await store.getRange('big', 0, 21 * MiB))).toBe(true);
  });

  test('wrong keys are said so, and a file that was put right is taken without a restart', async () => {
    const minio = await startMinio(program);
    const right = minio.storeOptions();
    let secret = 'not-the-secret';
    const store = storeOf(minio.storeOptions({ readSecretKey: async () => secret }));
    await storeOf(right).start();

    const refused = await store.identity().catch((error: unknown) => error);
    secret = await right.readSecretKey();

    expect(refused).toMatchObject({ code: 'permission_denied', hint: expect.stringContaining('secret key') });
    expect(JSON.stringify(refused)).not.toContain('not-the-secret');
    expect(await store.identity()).not.toBe('');
  });

  test('a secret that cannot be read keeps its own words', async () => {
    const minio = await startMinio(program);
    const readSecretKey = async () => {
      throw appError('permission_denied', 'there is no secret key', { hint: 'name a file' });
    };

    await expect(storeOf(minio.storeOptions({ readSecretKey })).start()).rejects.toMatchObject({
      code: 'permission_denied',
      message: 'there is no secret key',
      hint: 'name a file',
    });
  });

  test('a bucket that is gone is the store that is away, not an object that is missing', async () => {
    const minio = await startMinio(program);
    const store = storeOf(minio.storeOptions());
    await store.start();
    await minio.client().removeObject('weir', '.weir-store');
    await minio.client().removeBucket('weir');
    const path = await fileOf(10);
    const gone = { code: 'unavailable', context: { s3Code: 'NoSuchBucket' } };

    await expect(store.putFile('a', path)).rejects.toMatchObject(gone);
    await expect(store.getRange('a', 0, 10)).rejects.toMatchObject(gone);
    await expect(store.stat('a')).rejects.toMatchObject(gone);
    await expect(store.identity()).rejects.toMatchObject(gone);
    await expect(store.list('').next()).rejects.toMatchObject(gone);
  });

  test('another region than the bucket is in', async () => {
    const minio = await startMinio(program, { environment: { MINIO_REGION: 'eu-central-1' } });

    await expect(storeOf(minio.storeOptions()).start()).rejects.toMatchObject({
      code: 'failed_precondition',
      hint: expect.stringContaining('objects.s3.region'),
    });
    await storeOf(minio.storeOptions({ region: 'eu-central-1' })).start();
  });

  test('the name of the bucket may stand in the host', async () => {
    const domain = 's3.weir.test';
    const minio = await startMinio(program, { environment: { MINIO_DOMAIN: domain } });
    await storeOf(minio.storeOptions()).start();
    // There is no name server for it here.
    const asked: string[] = [];
    vi.spyOn(dns, 'lookup').mockImplementation(((
      name: string,
      _options: object,
      found: (...args: unknown[]) => void,
    ) => {
      asked.push(name);
      found(null, [{ address: '127.0.0.1', family: 4 }]);
    }) as never);
    onTestFinished(() => void vi.restoreAllMocks());
    const endpoint = `http://${domain}:${minio.port}`;
    const store = storeOf(minio.storeOptions({ endpoint, addressing: 'virtual-host' }));

    await store.putFile('a/1', await fileOf(100));

    expect((await store.getRange('a/1', 0, 200)).byteLength).toBe(100);
    expect(new Set(asked)).toEqual(new Set([`weir.${domain}`]));
  });

  test('a server that is not there', async () => {
    const minio = await startMinio(program);
    await minio.stop();

    await expect(storeOf(minio.storeOptions()).start()).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('objects.s3.endpoint'),
    });
  });

  test('a connection on which nothing moves any more ends, whoever is asked', async () => {
    const minio = await startMinio(program);
    const proxy = await startFaultProxy(minio.port);
    const store = storeOf(minio.storeOptions({ port: proxy.port, idleMs: soonMs }));
    await store.start();
    const path = await fileOf(8 * MiB);
    proxy.set({ kind: 'silent' });

    const refusals = await Promise.allSettled([
      store.putFile('a', path),
      store.identity(),
      store.getRange('a', 0, 10),
      store.delete('a'),
      store.list('').next(),
      store.stat('a'),
    ]);

    expect(refusals.map((each) => each.status === 'rejected' && each.reason.code)).toEqual(
      Array(6).fill('unavailable'),
    );
    proxy.set({ kind: 'pass' });
    await store.putFile('a', path);
  });

  test('a server that stands still in the middle of an object is left, and taken again when it goes on', async () => {
    const minio = await startMinio(program);
    const proxy = await startFaultProxy(minio.port);
    const store = storeOf(minio.storeOptions({ port: proxy.port, idleMs: soonMs }));
    await store.start();
    const path = await fileOf(32 * MiB);
    proxy.set({ kind: 'slow', bytesPerSecond: 32 * MiB });

    const put = store.putFile('a', path).catch((error: unknown) => error);
    minio.freeze();
    const failure = await put;
    minio.thaw();
    proxy.set({ kind: 'pass' });

    expect(failure).toMatchObject({ code: 'unavailable' });
    await store.putFile('a', path);
    expect(await store.stat('a')).toEqual({ key: 'a', byteLength: 32 * MiB });
  });

  test('an object that was cut off on its way is not there', async () => {
    const minio = await startMinio(program);
    const proxy = await startFaultProxy(minio.port);
    const store = storeOf(minio.storeOptions({ port: proxy.port, idleMs: soonMs }));
    await store.start();
    proxy.cutAfter(3 * MiB);

    await expect(store.putFile('a', await fileOf(8 * MiB))).rejects.toMatchObject({ code: 'unavailable' });

    expect(await store.stat('a')).toBeUndefined();
    await expect(store.getRange('a', 0, 1)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a slow line is no fault as long as bytes move', async () => {
    const minio = await startMinio(program);
    const proxy = await startFaultProxy(minio.port);
    const store = storeOf(minio.storeOptions({ port: proxy.port, idleMs: 4 * soonMs }));
    await store.start();
    proxy.set({ kind: 'slow', bytesPerSecond: 2 * MiB });

    await store.putFile('a', await fileOf(6 * MiB));

    expect(await store.stat('a')).toEqual({ key: 'a', byteLength: 6 * MiB });
  });

  test('connections are bounded however many ask', async () => {
    const minio = await startMinio(program);
    const proxy = await startFaultProxy(minio.port);
    const store = storeOf(minio.storeOptions({ port: proxy.port }));
    await store.start();
    await store.putFile('a', await fileOf(1 * MiB));

    await Promise.all(Array.from({ length: 100 }, (_, n) => store.getRange('a', n * 1_000, 1_000)));

    expect(proxy.connections).toBeLessThanOrEqual(16);
  });

  test('speaks TLS with an authority of the site, and with no other', async () => {
    const certificates = join(await temporaryDirectory(), 'certs');
    await mkdir(certificates);
    const [key, certificate] = [join(certificates, 'private.key'), join(certificates, 'public.crt')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    await runCommand('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate]);
    const port = await freePort();
    const minio = await startMinio(program, { certificates, port });
    const endpoint = `https://127.0.0.1:${port}`;
    const { out: authorityPem } = await runCommand('cat', [certificate]);
    const store = storeOf(minio.storeOptions({ endpoint, authorityPem }));

    await store.start();
    await store.putFile('a', await fileOf(2 * MiB));

    expect((await store.getRange('a', 0, 3 * MiB)).byteLength).toBe(2 * MiB);
    await expect(storeOf(minio.storeOptions({ endpoint })).start()).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('authorityFile'),
    });
  });

  test.skipIf(!canMount)(
    'a full server keeps nothing of what it has no room for, and says what to look at',
    async () => {
      const disk = join(await temporaryDirectory(), 'disk');
      await mountMemory(disk, 100 * MiB);
      const minio = await startMinio(program, { directory: join(disk, 'minio'), environment: { MINIO_CI_CD: '' } });
      const store = storeOf(minio.storeOptions());
      await store.start();
      const path = await fileOf(12 * MiB);

      let failure: unknown;
      let stored = 0;
      for (; stored < 20 && failure === undefined; stored++) {
        failure = await store.putFile(`a/${stored}`, path).catch((error: unknown) => error);
      }

      // One with a single disk says InternalError, or cuts the connection under the body.
      expect(failure).toMatchObject({
        code: expect.stringMatching(/^(resource_exhausted|unavailable)$/),
        hint: expect.stringContaining('server'),
      });
      expect(await store.stat(`a/${stored - 1}`)).toBeUndefined();
    },
  );
});
