/** One wrong answer of a time server must cost nothing: the wall clock of the whole appliance is set while it records. */

import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { fakeTimeLibrary, startFakeTime } from '../kit/fake-time.ts';
import { addCamera, untilOnDisk } from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const small = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 200_000,
  gopFrames: 12,
  framesPerSecond: 12,
} as const;
const hourMs = 3_600_000;

type Keeper = {
  readonly clock: { readonly isTrusted: boolean; readonly reason?: string; readonly stepMs?: number };
  readonly problems: readonly { readonly code: string; readonly hint?: string }[];
};

test.skipIf(fakeTimeLibrary === undefined)(
  'a clock that is set two days on and an hour back deletes and loses nothing until a person confirms it',
  { timeout: 120_000 },
  async () => {
    const dataDirectory = await temporaryDirectory();
    const fakeTime = startFakeTime({ directory: await temporaryDirectory() });
    const simulator = await startCameraSimulator({ cameras: 1, mode: 'burst', clip: small });
    onTestFinished(() => simulator.close());
    const appliance = await startAppliance({ dataDirectory, env: fakeTime.env });
    onTestFinished(() => appliance.close());
    const recording = { retentionHours: 1 };
    const { streamId } = await addCamera(appliance, 'Gate', { url: simulator.url(0) }, { recording });
    const beginMs = Date.now();
    const footage = { simulator, camera: 0, streamId };
    const keeper = async () => ((await appliance.call('GET', '/api/system')) as { keeper: Keeper }).keeper;
    const segments = async () => {
      const path = `/api/streams/${streamId}/segments?begin=${beginMs - 60_000}&end=${beginMs + hourMs}`;
      const { segments } = (await appliance.call('GET', path)) as { segments: { firstNumber: string }[] };
      return segments.map((segment) => segment.firstNumber);
    };
    const runs = () =>
      appliance
        .output()
        .split('\n')
        .filter((line) => line.includes('"run began"'));
    await untilOnDisk(dataDirectory, footage, Date.now() + 2_000);

    fakeTime.set(48 * hourMs);
    await until('another run began', () => runs().length === 2);
    const listed = await until('the first run is in the index', async () => {
      const numbers = await segments();
      return numbers.length > 0 ? numbers : undefined;
    });
    const doubt = await until('the clock is in doubt', async () => {
      const state = await keeper();
      return state.clock.isTrusted ? undefined : state;
    });
    await untilOnDisk(dataDirectory, footage, Date.now() + 1_000);
    fakeTime.set(47 * hourMs);
    await until('another run began', () => runs().length === 3);
    await untilOnDisk(dataDirectory, footage, Date.now() + 2_000);

    expect(doubt.clock.reason).toContain('set forward');
    expect(Math.round((doubt.clock.stepMs ?? 0) / hourMs)).toBe(48);
    expect(doubt.problems.map(({ code }) => code)).toEqual(['clock-doubt']);
    expect(
      runs()
        .slice(1)
        .map((line) => (JSON.parse(line) as { reason: string }).reason),
    ).toEqual([...['clock-step', 'clock-step']]);
    // A new process finds the doubt again.
    await appliance.kill('keeper');
    expect((await until('the keeper answers', keeper)).clock.isTrusted).toBe(false);
    expect(await segments()).toEqual(expect.arrayContaining(listed));
    const { missing, doubled } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
    expect({ missing, doubled }).toEqual({ missing: [], doubled: [] });

    await appliance.call('POST', '/api/system/clock/confirm');
    await until('what is older than its hour goes', async () => (await segments()).length === 0);
    expect((await keeper()).problems).toEqual([]);
    await appliance.close();
    expect(await checkFindings(dataDirectory)).toEqual([]);
  },
);
