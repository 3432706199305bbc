/**
 * The doctor and the file for support of a whole appliance: secrets of every kind are planted in it, and nothing of the file may
 * hold one, in any encoding.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { encodingsOf } from '../../appliance/support/index.ts';
import { startAppliance } from '../kit/appliance.ts';
import { addCamera, untilState } from '../kit/footage.ts';
import { startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings } from '../kit/judge.ts';
import { runCommand } from '../kit/run-command.ts';
import { freePort, temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const entry = join(import.meta.dirname, '../../appliance/main.ts');
const planted = {
  camera: 'Sesam&7 /+"x',
  wrong: 'Wr0ng:pass%40word',
  path: 'pathSecret9Q',
  query: 'querySecret8Z',
  webhook: 'hookPath-2f7a9c',
  heartbeat: 'beat-Uuid-81aa',
  s3Secret: 's3/secret+key/0123456789abcdefghijklmnop',
  s3Access: 'AKIAWEIRTEST00000001',
};

test('the file for support has everything to help by, and no secret of any kind in any encoding', async () => {
  const data = await temporaryDirectory();
  const secretKeyFile = join(await temporaryDirectory(), 's3-secret');
  await writeFile(secretKeyFile, `${planted.s3Secret}\n`);
  const s3 = ['--objects-s3-access-key', planted.s3Access, '--objects-s3-secret-key-file', secretKeyFile];
  const camera = await startGstCamera({ auth: 'digest', username: 'viewer', password: planted.camera });
  const appliance = await startAppliance({
    dataDirectory: data,
    args: [...s3, '--rtmp-port', String(await freePort()), '--log-level', 'debug'],
  });
  try {
    const credentials = { username: 'viewer', password: planted.camera };
    const well = await addCamera(appliance, 'Gate', { url: camera.url }, { credentials });
    const locked = { credentials: { ...credentials, password: planted.wrong } };
    await addCamera(appliance, 'Locked', { url: camera.url }, locked);
    const url = `rtsp://127.0.0.1:${await freePort()}/user=admin_password=${planted.path}/live?pwd=${planted.query}`;
    await addCamera(appliance, 'Odd', { url });
    const made = async (path: string, body: unknown) =>
      (await appliance.call('POST', path, body)) as Record<string, string>;
    const publisher = (await appliance.call('POST', '/api/cameras', { name: 'Studio', source: { kind: 'rtmp' } })) as {
      streamKeys?: Record<string, string>;
    };
    const target = `http://127.0.0.1:${await freePort()}/`;
    const hook = await made('/api/webhooks', { name: 'guard', url: `${target}${planted.webhook}` });
    await appliance.call('PUT', '/api/heartbeat', { url: `${target}${planted.heartbeat}`, periodS: 10 });
    const token = await made('/api/tokens', { name: 'robot', role: 'viewer' });
    await appliance.call('POST', `/api/webhooks/${hook.id ?? ''}/test`, {}).catch(() => {});
    await untilState(appliance, well.cameraId, { what: 'the camera is live', is: ({ state }) => state === 'live' });
    const secrets = [
      ...Object.values(planted),
      ...[hook.secret, token.secret, ...Object.values(publisher.streamKeys ?? {})],
      ...(await readFile(join(data, 'secrets', 'site.key'), 'utf8')).trim().split(' ').slice(2),
    ].filter((secret) => secret !== undefined);
    await until('the log files are there', () =>
      readFile(join(data, 'logs', 'ingest-0.log'), 'utf8').catch(() => undefined),
    );

    const config = ['--data-directory', data, ...s3];
    const out = join(await temporaryDirectory(), 'support.tar.gz');
    const wishes = ['--camera', 'gate', '--trace-seconds', '8', '--out', out];
    const command = await runCommand(process.execPath, [entry, 'support', ...wishes, ...config]);
    const masked = await appliance.bytes('/api/system/support?maskHosts=true');

    expect([command.code, command.err]).toEqual([0, expect.any(String)]);
    expect(secrets.length).toBeGreaterThanOrEqual(12);
    for (const archive of [await readFile(out), masked]) {
      const text = gunzipSync(archive).toString('latin1');
      const found = secrets.flatMap((secret) => encodingsOf(secret).filter((form) => text.includes(form)));
      expect(found).toEqual([]);
    }
    const files = untar(gunzipSync(await readFile(out)));
    expect([...files.keys()]).toEqual(
      expect.arrayContaining([
        'about.json',
        'doctor.json',
        'config.json',
        'plan.json',
        'metrics.txt',
        'logs/ingest-0.log',
        'logs/serve.log',
      ]),
    );
    expect(files.get('metrics.txt')).toContain('# TYPE');
    expect(files.get('system.json')).toContain('"ingest-0"');
    const trace = files.get('rtsp-trace-1.txt') ?? '';
    expect(trace).toMatch(/DESCRIBE rtsp:[\s\S]*Authorization: \(removed\)[\s\S]*PLAY rtsp:/);
    expect(trace).toMatch(/packet on 0, \d+ bytes, header [0-9a-f]{24}\n/);
    expect([...untar(gunzipSync(masked)).values()].join('\n')).not.toMatch(
      /(?<![\d.])(?:10|172|192)\.\d+\.\d+\.\d+(?![\d.])/,
    );

    const doctor = (await appliance.call('GET', '/api/system/doctor')) as {
      findings: { area: string; subject: string; verdict: string; code: string | null }[];
    };
    const of = (area: string, subject: string) =>
      doctor.findings.find((finding) => finding.area === area && finding.subject === subject);
    expect(of('camera', 'Gate')).toMatchObject({ verdict: 'ok' });
    expect(of('camera', 'Locked')).toMatchObject({ code: 'unauthorized' });
    expect(of('camera', 'Odd')).toMatchObject({ code: 'refused' });
    expect(of('appliance', 'weir')).toMatchObject({ verdict: 'ok' });
    expect(doctor.findings.filter(({ area, verdict }) => area === 'port' && verdict === 'fault')).toEqual([]);
    expect(doctor.findings.filter(({ area }) => area === 'database').map(({ verdict }) => verdict)).toEqual([
      'ok',
      'ok',
    ]);
  } finally {
    await appliance.close();
  }
  expect(await checkFindings(data)).toEqual([]);
});

/** Names and texts of an archive. */
function untar(bytes: Buffer): Map<string, string> {
  const files = new Map<string, string>();
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0; ) {
    const name = bytes.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const byteLength = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    files.set(name, bytes.toString('utf8', at + 512, at + 512 + byteLength));
    at += 512 + Math.ceil(byteLength / 512) * 512;
  }
  return files;
}
