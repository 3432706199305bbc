/** Cameras that stay connected and leave something out: every picture that is missing lies in a gap row, and only those do. */

import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addSimulated, timeline, untilRecorded } from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const framesPerSecond = 25;
const clip = { widthPixels: 320, heightPixels: 180, bitsPerSecond: 200_000, gopFrames: 50, framesPerSecond } as const;
/** Server time begins a run at the arrival of its first picture: this covers scheduling on a busy machine. */
const toleranceMs = 500;
/** Server time may still leave a late first arrival behind while a hole passes: three pictures in all. */
const driftMs = 120;

test('what a connected camera leaves out is a gap of its own in the middle of a run', { timeout: 90_000 }, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 2, mode: 'burst', clip });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const beginMs = Date.now();
  const cameras = await addSimulated(appliance, simulator, 2);
  for (const { streamId } of cameras) await untilRecorded(appliance, streamId, beginMs + 3_000);
  const streamId = cameras[0]?.streamId ?? '';

  for (const durationMs of [600, 3_000, 4_500]) {
    simulator.leaveOut(0, durationMs);
    await untilRecorded(appliance, streamId, Date.now() + durationMs + 2_500);
  }

  const gapsOf = async (id: string) =>
    (await timeline(appliance, id, beginMs)).gaps.filter((gap) => gap.reasons.includes('source-silent'));
  await until('the gap rows are there', async () => (await gapsOf(streamId)).length === 3);
  const gaps = await gapsOf(streamId);
  const { frames, missing, doubled } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
  const wallMs = (frame: number) => simulator.frameWallMs(0, frame);
  const isInGap = (atMs: number, byMs: number) =>
    gaps.some((gap) => gap.beginMs - byMs <= atMs && atMs <= gap.endMs + byMs);
  expect(doubled).toEqual([]);
  expect(missing.length).toBeGreaterThan(8 * framesPerSecond - 5);
  expect(missing.filter((frame) => !isInGap(wallMs(frame), toleranceMs))).toEqual([]);
  expect(frames.filter((frame) => isInGap(wallMs(frame), -toleranceMs))).toEqual([]);
  const goneMs = gaps.reduce((sum, gap) => sum + gap.endMs - gap.beginMs, 0);
  expect(Math.abs(goneMs - (missing.length * 1_000) / framesPerSecond)).toBeLessThanOrEqual(driftMs);
  expect(await gapsOf(cameras[1]?.streamId ?? '')).toEqual([]);
  expect(appliance.output().split('"run began"').length - 1).toBe(2);
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
