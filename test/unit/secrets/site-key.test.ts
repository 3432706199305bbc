import { randomBytes } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cameraPurpose, openPlan, SiteKey } from '../../../appliance/secrets/index.ts';
import type { PlannedSource } from '../../../storage/model/camera.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

async function keyFile(): Promise<string> {
  return join(await temporaryDirectory(), 'secrets', 'site.key');
}

describe('the site key', () => {
  it('is made once, for its owner alone', async () => {
    const path = await keyFile();

    const [first, second] = await Promise.all([SiteKey.open(path, randomBytes), SiteKey.open(path, randomBytes)]);

    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(first.fingerprint).toBe(second.fingerprint);
    expect(second.box('a').unseal(first.box('a').seal('admin'))).toBe('admin');
  });

  it('seals the same text differently each time', async () => {
    const box = (await SiteKey.open(await keyFile(), randomBytes)).box('camera');

    expect(box.seal('pässword')).not.toBe(box.seal('pässword'));
    expect(box.unseal(box.seal('pässword'))).toBe('pässword');
    expect(box.unseal(box.seal(''))).toBe('');
  });

  it('does not open what was sealed for something else or altered', async () => {
    const key = await SiteKey.open(await keyFile(), randomBytes);
    const sealed = key.box('camera').seal('secret');

    expect(() => key.box('token').unseal(sealed)).toThrow('does not open');
    for (let i = 12; i < sealed.length; i += 7) {
      const altered = `${sealed.slice(0, i)}${sealed[i] === 'A' ? 'B' : 'A'}${sealed.slice(i + 1)}`;
      expect(() => key.box('camera').unseal(altered)).toThrow();
    }
    expect(() => key.box('camera').unseal('plain text')).toThrow('damaged');
  });

  it('opens old secrets after a rotation and seals with the new key', async () => {
    const path = await keyFile();
    const before = await SiteKey.open(path, randomBytes);
    const sealed = before.box('camera').seal('secret');

    const fingerprint = await SiteKey.rotate(path, randomBytes);

    const after = await SiteKey.open(path, randomBytes);
    expect(after.fingerprint).toBe(fingerprint);
    expect(after.fingerprint).not.toBe(before.fingerprint);
    expect(after.box('camera').unseal(sealed)).toBe('secret');
    expect(after.isOutdated(sealed)).toBe(true);
    expect(() => before.box('camera').unseal(after.box('camera').seal('x'))).toThrow('is not here');
  });

  it('refuses a file that others may read, or that is damaged', async () => {
    const path = await keyFile();
    await SiteKey.open(path, randomBytes);

    await chmod(path, 0o640);
    await expect(SiteKey.open(path, randomBytes)).rejects.toMatchObject({ hint: `chmod 600 ${path}` });

    await chmod(path, 0o600);
    await writeFile(path, (await readFile(path, 'utf8')).slice(0, 40));
    await expect(SiteKey.open(path, randomBytes)).rejects.toMatchObject({ code: 'failed_precondition' });
  });
});

describe('the plan', () => {
  it('is opened camera by camera: a damaged secret costs one', async () => {
    const box = (await SiteKey.open(await keyFile(), randomBytes)).box(cameraPurpose);
    const source = (streamId: string, credentials: object): PlannedSource => ({
      streamId,
      cameraId: streamId,
      role: 'main',
      name: streamId,
      source: { kind: 'rtsp', url: 'rtsp://camera/', transport: 'tcp', tls: 'verify', ...credentials },
      recording: recordingPolicy(),
      revision: 1,
    });
    const sources = [
      source('open', {}),
      source('whole', { username: box.seal('user'), password: box.seal('secret') }),
      source('damaged', { username: box.seal('user'), password: 'v1.nothing' }),
    ];

    const { plan, unopened } = openPlan(planOfSources(...sources), box);

    expect(plan.sources.map((planned) => planned.streamId)).toEqual(['open', 'whole']);
    expect(plan.sources[1]?.source).toMatchObject({ username: 'user', password: 'secret' });
    expect(unopened.map((one) => one.cameraId)).toEqual(['damaged']);
  });
});
