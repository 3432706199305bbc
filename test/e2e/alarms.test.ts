/**
 * A site at night: forty cameras behind one switch that dies, a desk that refuses what it is told for a while, and the process
 * that tells it killed in between. One alarm, told once, with all of them.
 */

import { expect, onTestFinished, test } from 'vitest';
import { isSignedWith, startReceiver } from '../integration/alarms/receiver.ts';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addCamera, addSimulated, type CameraIds, type ShownState, untilState } from '../kit/footage.ts';
import { startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings } from '../kit/judge.ts';
import { freePort, temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const clip = { widthPixels: 160, heightPixels: 90, bitsPerSecond: 50_000, gopFrames: 10, framesPerSecond: 5 } as const;

type ShownAlarm = {
  readonly id: string;
  readonly code: string;
  readonly title: string;
  readonly sinceMs: number;
  readonly raisedMs: number;
  readonly subjects: readonly { readonly id: string; readonly sinceMs: number }[];
};

async function standing(appliance: RunningAppliance): Promise<readonly ShownAlarm[]> {
  const { alarms } = (await appliance.call('GET', '/api/alarms')) as { alarms: ShownAlarm[] };
  return alarms.filter(({ code }) => code === 'camera-away' || code === 'camera-silent');
}

test('a camera and then forty at once go: two alarms, told once each through refusals and a kill -9, and over when they are back', {
  timeout: 400_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const camera = await startGstCamera({ widthPixels: 160, heightPixels: 90, framesPerSecond: 5, gopFrames: 5 });
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const untilLive = async (cameras: readonly CameraIds[]) => {
    const is = ({ state }: ShownState) => state === 'live';
    for (const { cameraId } of cameras)
      await untilState(appliance, cameraId, { what: 'it is live', is, timeoutMs: 120_000 });
  };
  const desk = await startReceiver();
  const hook = { name: 'Desk', url: desk.url, codes: ['camera-away', 'camera-silent'] };
  const { secret } = (await appliance.call('POST', '/api/webhooks', hook)) as { secret: string };
  await untilLive([await addCamera(appliance, 'Gate', { url: camera.url })]);

  await camera.kill();
  const port = await freePort();
  const simulator = await startCameraSimulator({ cameras: 40, mode: 'paced', clip, port });
  onTestFinished(() => simulator.close());
  await untilLive(await addSimulated(appliance, simulator, 40));
  const [gate] = await until('the desk hears of one camera', () => desk.told().length === 1 && desk.told(), 90_000);
  const [first] = await standing(appliance);

  // What begins within a minute of it would join its alarm.
  await until('a minute has passed', () => Date.now() > (first?.sinceMs ?? 0) + 61_000, 90_000);
  desk.answer(503);
  await simulator.close();
  const both = await until(
    'forty are one alarm',
    async () => {
      const alarms = await standing(appliance);
      return alarms.some(({ subjects }) => subjects.length === 40) && alarms;
    },
    120_000,
  );
  await until('the desk refuses it', () => desk.received.some(({ status }) => status === 503));
  await appliance.kill('serve');
  await until('serve is back', async () => (await standing(appliance)).length === 2, 60_000);
  desk.answer(204);
  await until('the desk hears of the forty', () => desk.told().length === 2, 60_000);

  const restarted = await startCameraSimulator({ cameras: 40, mode: 'paced', clip, port });
  onTestFinished(() => restarted.close());
  await camera.start();
  await until('all are back', async () => (await standing(appliance)).length === 0, 180_000);
  await until('the desk hears of it', () => desk.told().length === 4, 60_000);

  expect(gate?.json).toMatchObject({ event: 'alarm.raised', alarm: { subjectCount: 1, subjects: [{ name: 'Gate' }] } });
  expect((first?.raisedMs ?? 0) - (first?.sinceMs ?? 0)).toBeLessThan(60_000);
  expect(both.map(({ subjects }) => subjects.length).sort()).toEqual([1, 40]);
  const events = desk.told().map(({ json }) => json);
  expect(events.slice(0, 2).map(({ event, alarm }) => [event, alarm.subjectCount])).toEqual([
    ['alarm.raised', 1],
    ['alarm.raised', 40],
  ]);
  expect(events.slice(2).map(({ event }) => event)).toEqual(['alarm.cleared', 'alarm.cleared']);
  expect(new Set(events.map(({ alarm }) => alarm.id)).size).toBe(2);
  expect(desk.received.every((one) => isSignedWith(secret, one))).toBe(true);
  expect(appliance.output()).not.toContain('secret-path');
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
