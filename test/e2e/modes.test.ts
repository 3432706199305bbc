/**
 * A schedule and mode events in real time, with numbered pictures: no picture of a wanted second is missing unless a gap row says
 * so, nothing else is a gap, and of what mode events recorded only what was marked is left. Keeper and ingest are killed over the
 * edges.
 */

import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addCamera, timeline, untilRecorded } from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const minute = 60_000;
const second = 1_000;
const clip = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 200_000,
  gopFrames: 25,
  framesPerSecond: 25,
} as const;
/** Server time begins a run at the arrival of its first picture: this covers scheduling on a busy machine. */
const toleranceMs = second;

function minuteFrom(edgeMs: number) {
  const date = new Date(edgeMs);
  const beginMinute = date.getUTCHours() * 60 + date.getUTCMinutes();
  const span = { weekday: date.getUTCDay() || 7, beginMinute, endMinute: beginMinute + 1, mode: 'continuous' };
  return { timeZone: 'UTC', spans: [span] };
}

test('a schedule loses no picture at its edges and mode events keeps what was marked, whoever is killed', {
  timeout: 400_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 2, mode: 'burst', clip });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const startedMs = Date.now();
  const beginMs = Math.ceil((Date.now() + 20 * second) / minute) * minute;
  const endMs = beginMs + minute;
  const scheduled = await addCamera(
    appliance,
    'Scheduled',
    { url: simulator.url(0) },
    { recording: { mode: 'live', schedule: minuteFrom(beginMs) } },
  );
  const marked = await addCamera(
    appliance,
    'Marked',
    { url: simulator.url(1) },
    { recording: { mode: 'events', preRollMinutes: 1 } },
  );
  const wall = (ms: number) => until(`it is ${new Date(ms).toISOString()}`, () => Date.now() >= ms, 300_000);
  await untilRecorded(appliance, marked.streamId, startedMs + 5 * second);

  await wall(beginMs - second);
  await appliance.kill('keeper');
  await wall(beginMs + 30 * second);
  const event = { begin: beginMs + 20 * second, end: beginMs + 22 * second };
  await appliance.call('POST', `/api/cameras/${marked.cameraId}/event-ranges`, event);
  await wall(beginMs + 42 * second);
  await appliance.kill('ingest');
  await wall(endMs - second);
  await appliance.kill('ingest');
  await wall(endMs + 20 * second);

  const framesOf = async (camera: number, streamId: string) => {
    const { frames, doubled } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
    expect(doubled).toEqual([]);
    return new Set(frames.map((frame) => Math.round(simulator.frameWallMs(camera, frame))));
  };
  const due = (camera: number, fromMs: number, toMs: number) => {
    const all: number[] = [];
    for (let frame = 0; simulator.frameWallMs(camera, frame) < toMs; frame++) {
      const atMs = Math.round(simulator.frameWallMs(camera, frame));
      if (atMs >= fromMs) all.push(atMs);
    }
    return all;
  };
  const gapsOf = async (streamId: string, fromMs: number) => (await timeline(appliance, streamId, fromMs)).gaps;
  const isIn = (gaps: readonly { beginMs: number; endMs: number }[], atMs: number) =>
    gaps.some((gap) => gap.beginMs - toleranceMs <= atMs && atMs <= gap.endMs + toleranceMs);

  await until('gaps of both deaths are told', async () => (await gapsOf(scheduled.streamId, startedMs)).length >= 2);
  const gaps = await gapsOf(scheduled.streamId, startedMs);
  const kept = await framesOf(0, scheduled.streamId);
  const missing = due(0, beginMs, endMs).filter((atMs) => !kept.has(atMs));
  expect(missing.filter((atMs) => !isIn(gaps, atMs))).toEqual([]);
  expect(missing.length).toBeLessThan(20 * clip.framesPerSecond);
  // The rows of what was never wanted would lie outside of the span.
  expect(gaps.filter((gap) => gap.beginMs < beginMs - toleranceMs || gap.endMs > endMs + toleranceMs)).toEqual([]);

  // Rows go at once, bytes when nobody can be reading them any more.
  const isShown = async (atMs: number) => {
    const { spans } = await timeline(appliance, marked.streamId, startedMs);
    return spans.some((span) => span.beginMs <= atMs && atMs < span.endMs);
  };
  await until('what nobody marked is gone', async () => !(await isShown(beginMs + 52 * second)), 150_000);
  expect(await isShown(event.begin - 9 * second)).toBe(true);
  expect(await isShown(event.end + 9 * second)).toBe(true);
  const left = await framesOf(1, marked.streamId);
  expect(due(1, event.begin - 9 * second, event.end + 9 * second).filter((atMs) => !left.has(atMs))).toEqual([]);
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
