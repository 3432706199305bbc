/**
 * Disks that are full, read-only or slow, on small file systems of the test's own. What could not be written has a reason, the
 * state says so while it lasts, and nobody has to do anything but give room.
 */

import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { canMount, freeze, makeReadOnly, mountImage, mountMemory } from '../kit/disks.ts';
import {
  addSimulated,
  judgeStream,
  nothingWrong,
  shownState,
  timeline,
  untilOnDisk,
  untilRecorded,
  untilState,
} from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const MiB = 1024 * 1024;
const small = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 200_000,
  gopFrames: 12,
  framesPerSecond: 12,
} as const;

test.skipIf(!canMount)(
  'a stalled disk costs nothing, a full and a read-only one no more than they must, and all say so',
  {
    timeout: 120_000,
  },
  async () => {
    const dataDirectory = await temporaryDirectory();
    const journal = join(dataDirectory, 'journal');
    await mountImage(journal, { image: join(dataDirectory, 'disk.img'), byteLength: 48 * MiB });
    const simulator = await startCameraSimulator({ cameras: 2, mode: 'burst', clip: small });
    onTestFinished(() => simulator.close());
    const appliance = await startAppliance({ dataDirectory });
    onTestFinished(() => appliance.close());
    const beginMs = Date.now();
    const cameras = await addSimulated(appliance, simulator, 2);
    const first = cameras[0] ?? { cameraId: '', streamId: '' };
    const recordedOn = async (forMs = 1_500) => {
      const atMs = Date.now() + forMs;
      for (const { streamId } of cameras) await untilRecorded(appliance, streamId, atMs);
    };
    await recordedOn();

    // Stalled: whoever writes hangs. What comes meanwhile waits in memory.
    const stalledMs = Date.now();
    const thaw = freeze(journal);
    await until('the disk stalled for five seconds', () => Date.now() - stalledMs > 5_000);
    expect((await shownState(appliance, first.cameraId))?.isRecording).toBe(true);
    thaw();
    await recordedOn();
    for (const [camera, { streamId }] of cameras.entries()) {
      await untilOnDisk(dataDirectory, { simulator, camera, streamId }, Date.now());
      const { missing, doubled } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
      expect({ camera, missing, doubled }).toEqual({ camera, missing: [], doubled: [] });
      expect((await shownState(appliance, cameras[camera]?.cameraId ?? ''))?.runsLastHour).toBe(1);
    }

    // Full: somebody else's file takes all of it.
    const { bavail, bsize } = await statfs(journal);
    await writeFile(join(journal, 'filler'), Buffer.alloc(bavail * bsize - 64 * 1024));
    await untilState(appliance, first.cameraId, {
      what: 'the state says that the disk is full',
      is: ({ isRecording, warnings }) => !isRecording && warnings.some((warning) => warning.includes('disk-full')),
    });
    const fullMs = Date.now();
    await until('the disk was full for three seconds', () => Date.now() - fullMs > 3_000);
    expect(await appliance.call('GET', '/readyz')).toBeDefined();
    expect((await appliance.bytes('/')).length).toBeGreaterThan(0);
    await rm(join(journal, 'filler'));
    await recordedOn();
    await untilWell(appliance, first.cameraId);

    // Read-only: an open file goes on, nothing new can be made.
    const makeWritable = makeReadOnly(journal);
    simulator.disconnect(0);
    await untilState(appliance, first.cameraId, {
      what: 'the state says that the journal cannot be written',
      is: ({ isRecording, warnings }) => !isRecording && warnings.some((warning) => warning.includes('write-failed')),
    });
    makeWritable();
    await recordedOn();
    await untilWell(appliance, first.cameraId);

    const reasons = new Set<string>();
    for (const [camera, { streamId }] of cameras.entries()) {
      const wallMs = (frame: number) => simulator.frameWallMs(camera, frame);
      const { judgement, reasons: all } = await judgeStream(appliance, { dataDirectory, streamId, beginMs, wallMs });
      expect({ camera, ...judgement }).toEqual({ camera, ...nothingWrong });
      for (const reason of all) reasons.add(reason);
    }
    expect([...reasons].sort()).toEqual(expect.arrayContaining(['disk-full', 'write-failed']));
    await appliance.close();
    expect(await checkFindings(dataDirectory)).toEqual([]);
  },
);

test.skipIf(!canMount)(
  'on one disk for everything that somebody else fills all parts answer, and recording goes on when there is room',
  { timeout: 120_000 },
  async () => {
    const dataDirectory = await temporaryDirectory();
    await mountMemory(dataDirectory, 160 * MiB);
    const simulator = await startCameraSimulator({ cameras: 1, mode: 'burst', clip: small });
    onTestFinished(() => simulator.close());
    const appliance = await startAppliance({ dataDirectory });
    onTestFinished(() => appliance.close());
    const beginMs = Date.now();
    const [camera = { cameraId: '', streamId: '' }] = await addSimulated(appliance, simulator, 1);
    await untilRecorded(appliance, camera.streamId, Date.now() + 1_000);

    const { bavail, bsize } = await statfs(dataDirectory);
    await writeFile(join(dataDirectory, 'filler'), Buffer.alloc(bavail * bsize - 256 * 1024)).catch(() => {});
    await untilState(appliance, camera.cameraId, {
      what: 'the state says that the disk is full',
      is: ({ isRecording, warnings }) => !isRecording && warnings.some((warning) => warning.includes('disk-full')),
    });
    const fullMs = Date.now();
    await until('the disk was full for three seconds', () => Date.now() - fullMs > 3_000);
    for (const path of ['/readyz', '/api/system', '/api/cameras', '/metrics']) {
      expect(await appliance.call('GET', path)).toBeDefined();
    }
    await rm(join(dataDirectory, 'filler'));
    await untilRecorded(appliance, camera.streamId, Date.now() + 1_500);
    await untilWell(appliance, camera.cameraId);

    const wallMs = (frame: number) => simulator.frameWallMs(0, frame);
    const { streamId } = camera;
    const { judgement } = await judgeStream(appliance, { dataDirectory, streamId, beginMs, wallMs });
    expect(judgement).toEqual(nothingWrong);
    // What was recorded before may have been removed to make room; the gap is told all the same.
    await until('the ledger says so', async () =>
      (await timeline(appliance, streamId, beginMs)).gaps.some((gap) => gap.reasons.includes('disk-full')),
    );
    await appliance.close();
    expect(await checkFindings(dataDirectory)).toEqual([]);
  },
);

test.skipIf(!canMount)(
  'a small disk never gets full: the oldest footage goes before, and only the oldest',
  {
    timeout: 120_000,
  },
  async () => {
    const dataDirectory = await temporaryDirectory();
    const diskBytes = 96 * MiB;
    await mountMemory(dataDirectory, diskBytes);
    const clip = { ...small, bitsPerSecond: 40_000_000 };
    const simulator = await startCameraSimulator({ cameras: 1, mode: 'burst', clip });
    onTestFinished(() => simulator.close());
    const appliance = await startAppliance({ dataDirectory });
    onTestFinished(() => appliance.close());
    const beginMs = Date.now();
    const [camera = { cameraId: '', streamId: '' }] = await addSimulated(appliance, simulator, 1);

    // More than the disk holds goes through it. A file ends when its camera is edited, long before it has its full size.
    let freeBytesMin = diskBytes;
    let edits = 0;
    let editedMs = Date.now();
    await until(
      'more was recorded than the disk holds',
      async () => {
        const { bavail, bsize } = await statfs(dataDirectory);
        freeBytesMin = Math.min(freeBytesMin, bavail * bsize);
        if (Date.now() - editedMs > 3_000) {
          const source = { kind: 'rtsp', url: `${simulator.url(0)}?edit=${edits++}` };
          await appliance.call('PATCH', `/api/cameras/${camera.cameraId}`, { source });
          editedMs = Date.now();
        }
        const sent = (await simulator.stats())[0]?.framesSent ?? 0;
        return (sent * clip.bitsPerSecond) / clip.framesPerSecond / 8 > 1.2 * diskBytes;
      },
      90_000,
    );

    expect(freeBytesMin).toBeGreaterThan(8 * MiB);
    expect((await shownState(appliance, camera.cameraId))?.warnings).toEqual([]);
    const wallMs = (frame: number) => simulator.frameWallMs(0, frame);
    const { streamId } = camera;
    const { judgement, reasons } = await judgeStream(appliance, { dataDirectory, streamId, beginMs, wallMs });
    expect(judgement).toEqual(nothingWrong);
    expect([...reasons]).toEqual(['camera-changed']);
    await appliance.close();
    expect(await checkFindings(dataDirectory)).toEqual([]);
  },
);

async function untilWell(appliance: RunningAppliance, cameraId: string): Promise<void> {
  await untilState(appliance, cameraId, {
    what: 'the state is well again',
    is: ({ isRecording, warnings }) =>
      isRecording && !warnings.some((warning) => warning.includes('nothing is recorded')),
  });
}
