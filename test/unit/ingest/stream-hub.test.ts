import { expect, test } from 'vitest';
import { StreamHub } from '../../../gateway/ingest/stream-hub.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { OutgoingLane } from '../../../storage/lane/index.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import { idOf, unitOf, video } from '../record/fragment-checker.ts';

function hubOf(held: AccessUnit[] = []) {
  const order: string[] = [];
  const hub = new StreamHub({
    log: silentLog,
    recorder: {
      session: () => order.push('recorder session'),
      unit: (unit) => {
        order.push('recorder');
        if (unit.isAfterLoss) throw new Error('a mistake of ours');
      },
      sessionEnded: () => order.push('recorder ended'),
      serverTimestampMs: (unit) => 1_000 + unit.presentationTimeUs / 1_000,
      join: () => ({ from: undefined, held }),
    },
  });
  const lane = (name: string, fail = false): OutgoingLane & { units: number[] } => {
    const units: number[] = [];
    return {
      units,
      joined: () => order.push(`${name} joined`),
      session: () => order.push(`${name} session`),
      unit: (unit) => {
        order.push(name);
        if (fail) throw new Error('a broken lane');
        expect(unit.serverTimestampMs).toBe(1_000 + unit.presentationTimeUs / 1_000);
        units.push(idOf(unit.bytes));
      },
      sessionEnded: () => order.push(`${name} ended`),
      closed: () => order.push(`${name} closed`),
    };
  };
  return { hub, lane, order };
}

test('the recorder is first and the lanes follow', () => {
  const { hub, lane, order } = hubOf();
  hub.session([video], 'source-closed');
  hub.join(lane('a'));

  hub.unit(unitOf({ track: video, timeMs: 40 }));
  hub.sessionEnded('connection-lost');

  expect(order).toEqual(['recorder session', 'a joined', 'recorder', 'a', 'recorder ended', 'a ended']);
});

test('a lane that throws is cut off, and neither recorder nor other lanes notice', () => {
  const { hub, lane, order } = hubOf();
  hub.session([video], 'source-closed');
  const good = lane('good');
  hub.join(lane('bad', true));
  hub.join(good);

  for (let i = 0; i < 3; i++) hub.unit(unitOf({ track: video, timeMs: i * 40 }));

  expect(order.filter((each) => each === 'bad')).toHaveLength(1);
  expect(good.units).toHaveLength(3);
  expect(hub.lanes).toBe(1);
});

test('a recorder that throws is reported to the owner after the lanes had the unit', () => {
  const { hub, lane } = hubOf();
  hub.session([video], 'source-closed');
  const a = lane('a');
  hub.join(a);

  const push = () => hub.unit(unitOf({ track: video, timeMs: 40, isAfterLoss: true }));

  expect(push).toThrow('a mistake of ours');
  expect(a.units).toHaveLength(1);
});

test('a lane gets the units that wait for the next fragment, then live ones, until it leaves', () => {
  const held = [unitOf({ track: video, timeMs: 0 }), unitOf({ track: video, timeMs: 40 })];
  const { hub, lane } = hubOf(held);
  hub.session([video], 'source-closed');
  const a = lane('a');

  const leave = hub.join(a);
  const live = unitOf({ track: video, timeMs: 80 });
  hub.unit(live);
  leave();
  hub.unit(unitOf({ track: video, timeMs: 120 }));

  expect(a.units).toEqual([...held, live].map((unit) => idOf(unit.bytes)));
});
