/** A site of forty cameras from one file: on an empty machine, changed by another file, and nothing that goes on is interrupted. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings } from '../kit/judge.ts';
import { runCommand } from '../kit/run-command.ts';
import { type SiteFileCamera, simulatedCameras, siteCameraName, siteFileText } from '../kit/site-file.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

type State = { state: string; isRecording: boolean; runsLastHour: number } | null;
type Camera = { id: string; name: string; state: State; sub: { state: State } | null };

const small = { widthPixels: 320, heightPixels: 180, framesPerSecond: 5, gopFrames: 10, bitsPerSecond: 100_000 };

async function simulator(codec: 'h264' | 'h265', cameras: number, change: Partial<typeof small> = {}) {
  const clip = { ...small, hasAudio: false, codec, ...change };
  const running = await startCameraSimulator({ cameras, mode: 'burst', clip });
  onTestFinished(() => running.close());
  return running;
}

async function camerasOf(appliance: RunningAppliance): Promise<Camera[]> {
  return ((await appliance.call('GET', '/api/cameras')) as { cameras: Camera[] }).cameras;
}

test('forty cameras of several kinds are recorded from one file, and a change of it interrupts no other camera', {
  timeout: 240_000,
}, async () => {
  const mains = [await simulator('h264', 19), await simulator('h265', 20)];
  const subs = await simulator('h264', 38, { widthPixels: 160, heightPixels: 90 });
  const gst = { widthPixels: 320, heightPixels: 180, framesPerSecond: 5, gopFrames: 10, kilobitsPerSecond: 100 };
  const digest = await startGstCamera({ ...gst, auth: 'digest', audio: 'pcma' });
  const udp = await startGstCamera({ ...gst, codec: 'h265', transports: ['udp'] });
  const cameras: SiteFileCamera[] = [
    ...simulatedCameras({ mains, subs }, 38),
    { url: digest.url, username: digest.options.username },
    { url: udp.url, transport: 'udp' },
  ];
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const path = join(dataDirectory, 'site.yaml');
  const apply = async (listed: readonly SiteFileCamera[], ...flags: string[]) => {
    await writeFile(path, siteFileText({ cameras: listed }));
    const args = ['appliance/main.ts', 'apply', path, '--data-directory', dataDirectory, ...flags];
    return runCommand(process.execPath, args, { env: { CAMERA_PASSWORD: digest.options.password } });
  };

  const first = await apply(cameras);
  const recorded = await until(
    'all forty are recorded, and their smaller pictures are live',
    async () => {
      const all = await camerasOf(appliance);
      const isWell = ({ state, sub }: Camera) =>
        state?.isRecording === true && (sub === null || sub.state?.state === 'live');
      return all.length === 40 && all.every(isWell) ? all : undefined;
    },
    120_000,
  );
  const second = await apply(cameras);
  // The last camera goes, the second is another one from now on; the file says of the others what it said.
  const changed = cameras.with(1, { ...cameras[1], url: mains[1]?.url(19) ?? '' });
  const third = await apply(changed.slice(0, -1));
  const left = await until('the changed camera is recorded again, the last one is gone', async () => {
    const all = await camerasOf(appliance);
    return all.length === 39 && all.every(({ state }) => state?.isRecording === true) ? all : undefined;
  });

  expect(first).toMatchObject({ code: 0, err: '' });
  expect(second).toMatchObject({ code: 0, out: 'nothing to do\n' });
  expect(third.out).toMatch(
    /~ {2}camera {2}camera-02 {2}url\n- {2}camera {2}camera-40 .*\n0 to create, 1 to change, 1 to remove\n/,
  );
  expect(new Set(left.map(({ id }) => id))).toEqual(
    new Set(recorded.filter(({ name }) => name !== siteCameraName(39)).map(({ id }) => id)),
  );
  const others = left.filter(({ name }) => name !== siteCameraName(1));
  expect(others.map(({ name, state }) => [name, state?.runsLastHour])).toEqual(others.map(({ name }) => [name, 1]));
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
