import { expect, test } from 'vitest';
import { ScheduleWatch } from '../../../gateway/ingest/schedule-watch.ts';
import type { ScheduleSpan } from '../../../storage/model/camera.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const hour = 3_600_000;
/** A Monday. */
const monday = Date.UTC(2026, 0, 5);
const at = (hours: number) => monday + hours * hour;

function start(atMs: number) {
  const clock = new SimulatedClock(atMs);
  const spans: ScheduleSpan[] = [
    { weekday: 1, beginMinute: 480, endMinute: 600, mode: 'continuous' },
    { weekday: 1, beginMinute: 600, endMinute: 720, mode: 'events' },
  ];
  const watch = new ScheduleWatch({ clock }, { policy: { mode: 'live', schedule: { timeZone: 'UTC', spans } } });
  return { clock, watch, first: watch.begin() };
}

test('an edge is told with the time at which it was due, once, and only where it changes what is wanted', async () => {
  const { clock, watch, first } = start(at(7));
  await clock.advance(hour - 100);
  const before = watch.look();
  await clock.advance(500);

  const edge = watch.look();
  const again = watch.look();
  await clock.advance(2 * hour);
  const betweenModes = watch.look();
  await clock.advance(2 * hour);

  expect(first).toEqual({ isWanted: false, atMs: at(7) });
  expect([before, edge, again]).toEqual([[], [{ isWanted: true, atMs: at(8) }], []]);
  expect(betweenModes).toEqual([]);
  expect(watch.look()).toEqual([{ isWanted: false, atMs: at(12) }]);
});

test('why nothing is to be recorded is the schedule, or without one the mode', () => {
  const { watch } = start(at(7));
  const scheduled = watch.whyNot;

  watch.begin({ mode: 'live', schedule: undefined });

  expect([scheduled, watch.whyNot]).toEqual(['not-scheduled', 'live-only']);
});

test('a machine that slept tells every edge that it slept over', () => {
  const { clock, watch } = start(at(7));

  clock.stepWall(6 * hour);

  expect(watch.look()).toEqual([
    { isWanted: true, atMs: at(8) },
    { isWanted: false, atMs: at(12) },
  ]);
});

test('a clock that is set back, or years ahead, is believed from now on', () => {
  const { clock, watch } = start(at(9));

  clock.stepWall(-2 * hour);
  const back = watch.look();
  clock.stepWall(50 * 365.25 * 24 * hour);
  watch.look();
  clock.stepWall(at(9) - clock.wallMs());

  expect(back).toEqual([{ isWanted: false, atMs: at(7) }]);
  expect(watch.look()).toEqual([{ isWanted: true, atMs: at(9) }]);
});

test('another policy holds from the moment it comes', async () => {
  const { clock, watch } = start(at(7));
  await clock.advance(1_000);

  const change = watch.begin({ mode: 'continuous' });
  await clock.advance(24 * hour);

  expect(change).toEqual({ isWanted: true, atMs: at(7) + 1_000 });
  expect(watch.look()).toEqual([]);
});
