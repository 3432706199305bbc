/** ONVIF in the whole appliance: the role comes when it is wanted, its death costs nobody else anything, and cameras stand still after it. */

import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { TestOnvifCamera } from '../kit/onvif-camera.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const credentials = { username: 'admin', password: 'very secret 7' };

test('a camera is found, added, moved and heard, also after its role was killed', { timeout: 120_000 }, async () => {
  const device = new TestOnvifCamera({ credentials, clockOffsetMs: -3_600_000 });
  await device.start();
  onTestFinished(() => device.close());
  const appliance = await startAppliance({ dataDirectory: await temporaryDirectory() });
  onTestFinished(() => appliance.close());
  const rolesOf = async () => {
    const text = String(await appliance.call('GET', '/metrics'));
    return [...text.matchAll(/weir_role_up\{[^}]*name="([^"]+)"\} 1/g)].map((match) => match[1]);
  };
  const motions = async () => {
    const text = String(await appliance.call('GET', '/metrics'));
    return Number(/weir_onvif_events_total\{[^}]*kind="motion"\} (\d+)/.exec(text)?.[1] ?? 0);
  };
  expect(await rolesOf()).not.toContain('onvif');

  const search = { addresses: ['127.0.0.1'], ports: [device.port] };
  const { devices } = (await appliance.call('POST', '/api/onvif/discover', search)) as {
    devices: { urls: string[] }[];
  };
  const looked = { url: devices[0]?.urls[0], credentials };
  const { channels } = (await appliance.call('POST', '/api/onvif/profiles', looked)) as {
    channels: { camera: object }[];
  };
  const input = { name: 'gate', credentials, ...channels[0]?.camera };
  const { id } = (await appliance.call('POST', '/api/cameras', input)) as { id: string };
  await until('its events are heard', () => device.operations('PullMessages').length > 0);
  device.tell({ topic: 'tns1:VideoSource/MotionAlarm', data: { State: 'true' }, operation: 'Changed' });
  await until('the motion is counted', async () => (await motions()) === 1);

  await appliance.call('POST', `/api/cameras/${id}/ptz/move`, { pan: 1 });
  expect(device.isMoving).toBe(true);
  const asked = device.operations('PullMessages').length;
  const others = await Promise.all((['ingest', 'keeper', 'serve'] as const).map((role) => appliance.rolePid(role)));
  await appliance.kill('onvif');
  await until('its events are heard again', () => device.operations('PullMessages').length > asked);
  await appliance.call('POST', `/api/cameras/${id}/ptz/stop`);

  expect(device.isMoving).toBe(false);
  device.tell({ topic: 'tns1:VideoSource/MotionAlarm', data: { State: 'true' }, operation: 'Initialized' });
  await until('what goes on is counted anew', async () => (await motions()) === 1);
  expect(await Promise.all((['ingest', 'keeper', 'serve'] as const).map((role) => appliance.rolePid(role)))).toEqual(
    others,
  );
  await appliance.call('DELETE', `/api/cameras/${id}`);
  await until('the subscription is given back', () => device.operations('Unsubscribe').length > 0);
  expect(appliance.output()).not.toContain(credentials.password);
});
