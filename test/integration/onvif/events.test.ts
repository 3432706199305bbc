/** Events of a camera over its pull point: ranges in our time, through everything that cameras do to subscriptions. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OnvifDevice } from '../../../gateway/onvif/device.ts';
import { PullPoint } from '../../../gateway/onvif/events/pull-point.ts';
import { type EventRange, Onvif } from '../../../gateway/onvif/index.ts';
import { AddressPolicy } from '../../../storage/base/address-policy.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { fault, type OnvifCameraOptions, TestOnvifCamera } from '../../kit/onvif-camera.ts';
import { until } from '../../kit/until.ts';

const addresses = new AddressPolicy({ networks: [] });

const motion = { topic: 'tns1:RuleEngine/CellMotionDetector/Motion', source: { Rule: 'MyMotion' } };
const credentials = { username: 'admin', password: 'secret7' };

type Ended = EventRange & { readonly endMs: number; readonly isCertain: boolean };

function sinkOfTest() {
  const began: EventRange[] = [];
  const ended: Ended[] = [];
  return {
    began,
    ended,
    sink: {
      began: (range: EventRange) => void began.push(range),
      ended: (range: EventRange, end: { endMs: number; isCertain: boolean }) => void ended.push({ ...range, ...end }),
    },
  };
}

async function listening(options: OnvifCameraOptions = {}) {
  const camera = new TestOnvifCamera({ credentials, ...options });
  await camera.start();
  onTestFinished(() => camera.close());
  const { sink, began, ended } = sinkOfTest();
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const onvif = new Onvif({ addresses, clock: systemClock, log, sink, random: randomBytes });
  onTestFinished(() => onvif.close());
  const device = { cameraId: 'c1', streamId: 's1', name: 'gate', revision: 1, url: camera.url, tls: 'verify' as const };
  await onvif.apply([{ ...device, ...credentials }]);
  const ours = onvif.camera('c1');
  return { camera, onvif, ours, began, ended, lines, device: { ...device, ...credentials } };
}

const isListening = (camera: { eventState: { state: string } }) => camera.eventState.state === 'listening';

describe('events of a camera', () => {
  it('become ranges in server time although its clock is hours off', async () => {
    const { camera, ours, began, ended } = await listening({ clockOffsetMs: -5 * 3_600_000 });
    await until('the camera is heard', () => isListening(ours));
    const beforeMs = Date.now();

    camera.tell({ ...motion, data: { IsMotion: 'true' }, operation: 'Changed' });
    await until('it began', () => began.length === 1);
    camera.tell({ ...motion, data: { IsMotion: 'false' }, operation: 'Changed' });
    await until('it ended', () => ended.length === 1);

    expect(began[0]).toMatchObject({ streamId: 's1', cameraId: 'c1', kind: 'motion', detail: { Rule: 'MyMotion' } });
    expect(Math.abs((began[0]?.beginMs ?? 0) - beforeMs)).toBeLessThan(5_000);
    expect(ended[0]).toMatchObject({ rangeId: began[0]?.rangeId, isCertain: true });
    expect(ended[0]?.endMs).toBeGreaterThanOrEqual(began[0]?.beginMs ?? 0);
  });

  it('are heard again after the camera restarted, and what it says first closes what is over', async () => {
    const { camera, ours, began, ended } = await listening();
    await until('the camera is heard', () => isListening(ours));
    camera.tell({ ...motion, data: { IsMotion: 'true' }, operation: 'Changed' });
    await until('it began', () => began.length === 1);

    camera.restart();
    await until('it subscribes anew', () => camera.operations('CreatePullPointSubscription').length === 2);
    camera.tell({ ...motion, data: { IsMotion: 'false' }, operation: 'Initialized' });

    await until('it ended', () => ended.length === 1);
    expect(began).toHaveLength(1);
    expect(ended[0]?.isCertain).toBe(true);
  });

  it('end when nobody listens any more, and the subscription is given back', async () => {
    const { camera, onvif, ours, began, ended } = await listening();
    await until('the camera is heard', () => isListening(ours));
    camera.tell({ ...motion, data: { IsMotion: 'true' } });
    await until('it began', () => began.length === 1);

    await onvif.apply([]);

    expect(ended).toMatchObject([{ rangeId: began[0]?.rangeId, isCertain: false }]);
    expect(camera.subscriptions).toBe(0);
  });

  it('of a camera without them are asked for again after half an hour', async () => {
    const { camera, ours } = await listening({ services: ['media'] });

    await until('it is known', () => ours.eventState.state === 'unsupported');
    expect((ours.eventState.nextAttemptMs ?? 0) - Date.now()).toBeGreaterThan(20 * 60_000);

    expect(camera.operations('CreatePullPointSubscription')).toHaveLength(0);
  });

  it('of a camera that refuses the login are asked for seldom, and the password is in no log', async () => {
    const { camera, onvif, device, lines } = await listening();
    await onvif.apply([{ ...device, password: 'wrong-secret', revision: 2 }]);
    const ours = onvif.camera('c1');

    await until('it is refused', () => ours.eventState.state === 'retrying');

    expect((ours.eventState.nextAttemptMs ?? 0) - Date.now()).toBeGreaterThan(60_000);
    expect(camera.operations('CreatePullPointSubscription').length).toBeLessThanOrEqual(1);
    expect(lines.join('')).toContain('refuses user or password');
    expect(lines.join('')).not.toMatch(/wrong-secret|secret7/);
  });

  it('of one camera go on while another sends garbage, hangs or answers at once without end', async () => {
    const { camera, onvif, ours, began, device } = await listening();
    const bad: TestOnvifCamera[] = [];
    const faults: NonNullable<OnvifCameraOptions['instead']>[] = [
      (operation, response) => operation === 'PullMessages' && response.end('xmlns'.repeat(200_000)) !== undefined,
      (operation) => operation === 'GetServices',
      (operation, response) => operation === 'CreatePullPointSubscription' && response.destroy() !== undefined,
    ];
    for (const instead of faults) {
      const broken = new TestOnvifCamera({ instead });
      await broken.start();
      onTestFinished(() => broken.close());
      bad.push(broken);
    }
    const flooding = new TestOnvifCamera();
    await flooding.start();
    onTestFinished(() => flooding.close());
    const flood = setInterval(() => flooding.tell({ ...motion, data: { State: 'true' } }), 1);
    onTestFinished(() => clearInterval(flood));

    const all = [...bad, flooding].map(({ url }, index) => ({ ...device, cameraId: `bad${index}`, url }));
    await onvif.apply([device, ...all]);
    await until('the camera is heard', () => isListening(ours));
    camera.tell({ ...motion, data: { IsMotion: 'true' } });

    await until('it began', () => began.some(({ cameraId }) => cameraId === 'c1'));
    await until('the flood is asked once a second', () => flooding.operations('PullMessages').length >= 3);
    const asked = flooding.operations('PullMessages').map(({ atMs }) => atMs);
    expect((asked[2] ?? 0) - (asked[0] ?? 0)).toBeGreaterThan(1_500);
    expect(began.filter(({ cameraId }) => cameraId === 'bad3')).toHaveLength(1);
    expect(onvif.camera('bad0').eventState.state).toBe('retrying');
  });

  it('go on undisturbed when another camera is added', async () => {
    const { camera, onvif, ours, device } = await listening();
    await until('the camera is heard', () => isListening(ours));

    await onvif.apply([
      { ...device, revision: 2, name: 'renamed' },
      { ...device, cameraId: 'c2', url: 'http://127.0.0.1:1/' },
    ]);

    expect(onvif.camera('c1')).toBe(ours);
    expect(camera.operations('CreatePullPointSubscription')).toHaveLength(1);
  });

  it('are renewed, also at cameras that do not know how', async () => {
    const { camera } = await listening({
      instead: (operation, response) => {
        if (operation !== 'Renew' || camera.operations('Renew').length < 2) return false;
        fault(response, 'ter:ActionNotSupported', 'Optional Action Not Implemented');
        return true;
      },
    });
    const address = { url: camera.url, tls: 'verify' as const, ...credentials };
    const device = new OnvifDevice({ addresses, clock: systemClock, random: randomBytes }, address);
    const { signal } = new AbortController();
    await device.connect(signal);
    const subscription = await PullPoint.subscribe(device, signal);

    await subscription.renew(signal);
    await subscription.renew(signal);

    expect(camera.operations('Renew')).toHaveLength(2);
    await subscription.unsubscribe(signal);
    await expect(subscription.pull(signal)).rejects.toMatchObject({ code: 'failed_precondition' });
  });
});
