import { expect, test } from 'vitest';
import { endSessions } from '../../../appliance/roles/webrtc.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

test('sessions that wait for an owner or a worker end beside each other, and hold up no stop', async () => {
  const clock = new SimulatedClock();
  const begun: string[] = [];
  const stuck = (name: string) => ({
    close: () => {
      begun.push(name);
      return new Promise<void>(() => {});
    },
  });
  let isOver = false;

  void endSessions([stuck('viewers'), stuck('storage')], { clock, log: silentLog }).then(() => {
    isOver = true;
  });
  await clock.advance(2_600);

  expect(begun).toEqual(['viewers', 'storage']);
  expect(isOver).toBe(true);
});

test('sessions that end at once, or fail to, are not waited for any longer', async () => {
  const clock = new SimulatedClock();
  const failing = { close: () => Promise.reject(new Error('no')) };

  await endSessions([failing, { close: async () => {} }], { clock, log: silentLog });

  expect(clock.monotonicMs()).toBe(new SimulatedClock().monotonicMs());
});
