/** Searches: by multicast on the loopback interface, and by addresses. Nothing leaves this machine. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Onvif } from '../../../gateway/onvif/index.ts';
import { AddressPolicy } from '../../../storage/base/address-policy.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { TestOnvifCamera } from '../../kit/onvif-camera.ts';

const addresses = new AddressPolicy({ networks: [] });

function searcher(): Onvif {
  const sink = { began() {}, ended() {} };
  const onvif = new Onvif({ addresses, clock: systemClock, log: silentLog, sink, random: randomBytes });
  onTestFinished(() => onvif.close());
  return onvif;
}

async function discoverable(scopes: readonly string[] = []) {
  const camera = new TestOnvifCamera({ discovery: { address: '127.0.0.1', scopes } });
  await camera.start();
  onTestFinished(() => camera.close());
  return camera;
}

describe('a search', () => {
  it('by multicast finds each device once, with its name and addresses', async () => {
    const scopes = ['onvif://www.onvif.org/name/Front%20door', 'onvif://www.onvif.org/hardware/IPC_7'];
    const camera = await discoverable(scopes);

    const found = await searcher().search({ interfaces: ['127.0.0.1'], searchMs: 1_500 });

    const ours = found.filter(({ endpoint }) => endpoint === `urn:uuid:camera-${camera.port}`);
    expect(ours).toEqual([expect.objectContaining({ name: 'Front door', hardware: 'IPC 7', address: '127.0.0.1' })]);
    expect(ours[0]?.urls[0]).toBe(camera.url);
  });

  it('by addresses finds what answers as ONVIF devices do, and nothing else', async () => {
    const camera = new TestOnvifCamera();
    const other = new TestOnvifCamera({ instead: (_, response) => response.end('<html></html>') !== undefined });
    for (const one of [camera, other]) {
      await one.start();
      onTestFinished(() => one.close());
    }

    const found = await searcher().search({ addresses: ['127.0.0.1-2'], ports: [camera.port, other.port] });

    expect(found.map(({ urls }) => urls)).toEqual([[camera.url]]);
  });

  it('on an interface that is none says which there are', async () => {
    await expect(searcher().search({ interfaces: ['nonsense0'] })).rejects.toMatchObject({
      code: 'invalid_argument',
      hint: expect.stringContaining('lo'),
    });
  });

  it('of too many at a time is refused', async () => {
    const onvif = searcher();
    const searches = Array.from({ length: 3 }, () => onvif.search({ interfaces: ['127.0.0.1'], searchMs: 300 }));

    const results = await Promise.allSettled(searches);

    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});
