/** Commands look at a Weir that was started with flags and environment as it is, not as they would start it. */

import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { runCommand } from '../kit/run-command.ts';
import { freePort, temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const entry = join(import.meta.dirname, '../../appliance/main.ts');
const secretKey = 'not/for/any+file/0123456789abcdefghijklm';

test('doctor, support and keys take the configuration of the Weir that runs', async () => {
  const data = await temporaryDirectory();
  const siteKeyFile = join(await temporaryDirectory(), 'site.key');
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const bucket = ['--objects-s3-endpoint', endpoint, '--objects-s3-bucket', 'weir', '--objects-s3-access-key', 'weir'];
  const appliance = await startAppliance({
    dataDirectory: data,
    args: ['--rtmp-enabled', 'false', '--site-key-file', siteKeyFile, '--objects-kind', 's3', ...bucket],
    env: { WEIR_OBJECTS_S3_SECRET_KEY: secretKey, WEIR_TIME_ZONE: 'Europe/Lisbon' },
  });
  const weir = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runCommand(process.execPath, [entry, ...args, '--data-directory', data], { env });
  const keyPath = async () => (JSON.parse((await weir(['keys', 'site', '--json'])).out) as { path: string }).path;
  try {
    const left = join(data, 'run', 'configuration.json');
    // A mistake made since concerns the next start.
    await writeFile(join(data, 'weir.yaml'), 'listn: { port: 1 }\n');
    await until('it is left', () => stat(left).catch(() => undefined));
    const pagePort = Number(new URL(appliance.url).port);
    const otherPort = await freePort();

    const { out: diagnosis } = await weir(['doctor', '--all', '--rtsp-port', String(otherPort)], {
      WEIR_OBJECTS_S3_SECRET_KEY: secretKey,
    });
    expect(diagnosis).toContain('looked at by the configuration that the running Weir was started with\n');
    expect(diagnosis).toContain('the key listn is not known; Weir still runs with what it was started with');
    expect(diagnosis).toContain(`ok     port: ${pagePort} (page and API): `);
    // A flag of the command wins: nobody listens there.
    expect(diagnosis).toContain(`FAULT  port: ${otherPort} (RTSP): `);
    expect(diagnosis).toContain(`FAULT  store: s3 ${endpoint}/weir: cannot be reached`);

    const out = join(await temporaryDirectory(), 'support.tar.gz');
    expect(await weir(['support', '--out', out])).toMatchObject({ code: 0 });
    const archive = gunzipSync(await readFile(out)).toString();
    expect(archive).toContain(`"port": ${pagePort}`);
    expect(archive).toContain('"timeZone": "Europe/Lisbon"');
    // Without the key in its own environment a command cannot look into the bucket, and does not call that a fault.
    expect(archive).toContain('its secret key stands in the environment of the running Weir alone');

    expect(await keyPath()).toBe(siteKeyFile);

    expect((await stat(left)).mode & 0o777).toBe(0o600);
    expect(await readFile(left, 'utf8')).not.toContain(secretKey);
    expect(archive).not.toContain(secretKey);

    const kept = join(data, 'kept.json');
    await copyFile(left, kept);
    await appliance.close();
    await expect(stat(left)).rejects.toMatchObject({ code: 'ENOENT' });
    // As one that was killed would have left it.
    await copyFile(kept, left);
    await rm(join(data, 'weir.yaml'));
    expect(await keyPath()).toBe(join(data, 'secrets', 'site.key'));
  } finally {
    await appliance.close();
  }
});
