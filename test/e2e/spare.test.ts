/** Spare journal directories: recording goes on there while the preferred one is full, and comes back. */

import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { canMount, mountMemory } from '../kit/disks.ts';
import { addSimulated, judgeStream, nothingWrong, timeline, untilRecorded, untilState } from '../kit/footage.ts';
import { checkFindings } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const framesPerSecond = 12;
const clip = { widthPixels: 320, heightPixels: 180, bitsPerSecond: 200_000, gopFrames: 12, framesPerSecond } as const;

test.skipIf(!canMount)(
  'a full journal disk costs a second or two: recording goes on in the spare directory and comes back with the room',
  { timeout: 120_000 },
  async () => {
    const dataDirectory = await temporaryDirectory();
    const journal = join(dataDirectory, 'journal');
    const spare = join(dataDirectory, 'spare');
    await mkdir(spare);
    await writeFile(join(dataDirectory, 'weir.yaml'), 'journal:\n  spareDirectories: [spare]\n');
    await mountMemory(journal, 24 * 1024 * 1024);
    const simulator = await startCameraSimulator({ cameras: 1, mode: 'burst', clip });
    onTestFinished(() => simulator.close());
    const appliance = await startAppliance({ dataDirectory });
    onTestFinished(() => appliance.close());
    const beginMs = Date.now();
    const [camera = { cameraId: '', streamId: '' }] = await addSimulated(appliance, simulator, 1);
    const { cameraId, streamId } = camera;
    const isInSpare = (warnings: readonly string[]) => warnings.some((warning) => warning.includes('spare directory'));
    await untilRecorded(appliance, streamId, Date.now() + 1_500);

    const fullMs = Date.now();
    const { bavail, bsize } = await statfs(journal);
    await writeFile(join(journal, 'filler'), Buffer.alloc(bavail * bsize - 64 * 1024));
    await untilState(appliance, cameraId, {
      what: 'the state says that the spare directory is used',
      is: ({ isRecording, warnings }) => isRecording && isInSpare(warnings),
    });
    await untilRecorded(appliance, streamId, Date.now() + 2_000);
    // Dies while the preferred directory cannot even be opened: the keeper recovers what lies in the spare.
    await appliance.kill('ingest');
    await untilRecorded(appliance, streamId, Date.now() + 3_000);
    await untilState(appliance, cameraId, {
      what: 'the new process uses the spare directory too',
      is: ({ isRecording, warnings }) => isRecording && isInSpare(warnings),
    });
    await rm(join(journal, 'filler'));
    const fullDurationMs = Date.now() - fullMs;
    const isUsed = async () =>
      (await readdir(join(journal, 'open'), { recursive: true })).some((name) => name.endsWith('.mkv'));
    await until('the preferred directory is used again', isUsed, 60_000);
    await untilRecorded(appliance, streamId, Date.now() + 2_500);
    await untilState(appliance, cameraId, {
      what: 'all is well again',
      is: ({ isRecording, warnings }) => isRecording && !isInSpare(warnings),
    });

    const wallMs = (frame: number) => simulator.frameWallMs(0, frame);
    const { judgement, reasons } = await judgeStream(appliance, { dataDirectory, streamId, beginMs, wallMs });
    expect(judgement).toEqual(nothingWrong);
    expect([...reasons]).toContain('disk-full');
    const full = (await timeline(appliance, streamId, beginMs)).gaps.filter((gap) => gap.reasons.includes('disk-full'));
    expect(full.reduce((sum, gap) => sum + gap.endMs - gap.beginMs, 0)).toBeLessThan(fullDurationMs);
    await until('what lay in the spare directory is stored', async () => {
      const names = await readdir(spare, { recursive: true });
      return names.every((name) => !name.endsWith('.mkv'));
    });
    await appliance.close();
    expect(await checkFindings(dataDirectory)).toEqual([]);
  },
);
