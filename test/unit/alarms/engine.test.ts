import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AlarmChange,
  AlarmEngine,
  type Condition,
  changePeriodMs,
  groupWaitMs,
} from '../../../appliance/alarms/engine.ts';
import { alarmRules } from '../../../appliance/alarms/rules.ts';
import type { Alarm } from '../../../storage/catalog/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const { holdMs, clearMs } = alarmRules['camera-away'];

function away(camera: number, change: Partial<Condition> = {}): Condition {
  return {
    code: 'camera-away',
    subject: { kind: 'camera', id: `c${camera}`, name: `Camera ${camera}` },
    text: 'refused',
    ...change,
  };
}

function startEngine(options: { readonly standing?: readonly Alarm[]; readonly clock?: SimulatedClock } = {}) {
  const clock = options.clock ?? new SimulatedClock();
  let ids = 0;
  const engine = new AlarmEngine({ clock, newId: () => `alarm-${++ids}` }, { standing: options.standing ?? [] });
  const told: (AlarmChange & { readonly atMs: number })[] = [];
  /** Lets time pass second by second with these conditions. */
  const pass = async (
    durationMs: number,
    conditionsAt: readonly Condition[] | ((atMs: number) => readonly Condition[]),
    isKnown = () => true,
  ) => {
    const changes: AlarmChange[] = [];
    for (let passedMs = 0; passedMs < durationMs; passedMs += 1_000) {
      await clock.advance(1_000);
      const conditions = typeof conditionsAt === 'function' ? conditionsAt(passedMs) : conditionsAt;
      const now = engine.observe({ conditions, isKnown });
      changes.push(...now);
      told.push(
        ...now.filter(({ event }) => event !== undefined).map((change) => ({ ...change, atMs: clock.monotonicMs() })),
      );
    }
    return changes;
  };
  const events = () => told.map(({ event, alarm }) => `${event} ${alarm.id}`);
  return { clock, engine, pass, told, events };
}

test('a condition becomes an alarm when it has held, and not before', async () => {
  const { engine, pass, told } = startEngine();

  await pass(holdMs, [away(1)]);
  expect(engine.standing).toEqual([]);
  await pass(2_000, [away(1)]);

  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({
    event: 'raised',
    alarm: {
      code: 'camera-away',
      severity: 'error',
      count: 1,
      clearedMs: null,
      subjects: [{ id: 'c1', text: 'refused' }],
    },
  });
  expect((told[0]?.alarm.raisedMs ?? 0) - (told[0]?.alarm.sinceMs ?? 0)).toBe(holdMs);
});

test('a short condition is none, and is forgotten', async () => {
  const { pass, events } = startEngine();

  for (let i = 0; i < 10; i++) {
    await pass(holdMs / 2, [away(1)]);
    await pass(clearMs + 1_000, []);
  }

  expect(events()).toEqual([]);
});

test('what flaps is one alarm, told once, and over when it has been well for long enough', async () => {
  const { engine, pass, events } = startEngine();
  const flapping = (atMs: number) => (atMs % 20_000 < 5_000 ? [away(1)] : []);

  await pass(600_000, flapping);
  expect(events()).toEqual(['raised alarm-1']);
  expect(engine.standing[0]?.count).toBeGreaterThan(20);
  await pass(clearMs + 2_000, []);

  expect(events()).toEqual(['raised alarm-1', 'cleared alarm-1']);
  expect(engine.standing).toEqual([]);
});

test('forty cameras that fail together are one alarm with all of them, however unevenly they are noticed', async () => {
  const { pass, told, events } = startEngine();
  const cameras = Array.from({ length: 40 }, (_, i) => i);

  await pass(120_000, (atMs) =>
    cameras
      .filter((camera) => atMs >= camera * 300)
      .map((camera) => away(camera, camera % 3 === 0 ? { code: 'camera-silent' } : {})),
  );

  expect(events()).toEqual(['raised alarm-1']);
  expect(told[0]?.alarm).toMatchObject({ code: 'camera-away', count: 40 });
  expect(told[0]?.alarm.subjects).toHaveLength(40);
  expect(told[0]?.atMs).toBeLessThanOrEqual(holdMs + groupWaitMs + 2_000);
});

test('cameras that come late join the alarm, which is told again, and opens again for whoever acknowledged it', async () => {
  const { pass, told } = startEngine();

  await pass(holdMs + 5_000, [away(1)]);
  await pass(changePeriodMs + holdMs + 5_000, [away(1), away(2), away(3)]);

  expect(told.map(({ event, isWorse, alarm }) => [event, isWorse, alarm.subjects.length])).toEqual([
    ['raised', false, 1],
    ['changed', true, 3],
  ]);
});

test('a camera that fails much later has an alarm of its own', async () => {
  const { pass, events } = startEngine();

  await pass(300_000, [away(1)]);
  await pass(300_000, [away(1), away(2)]);

  expect(events()).toEqual(['raised alarm-1', 'raised alarm-2']);
});

test('an alarm of several is over when the last of them is well', async () => {
  const { pass, events, engine } = startEngine();

  await pass(60_000, [away(1), away(2)]);
  await pass(120_000, [away(2)]);
  expect(engine.standing[0]?.subjects.map(({ clearedMs }) => clearedMs !== null)).toEqual([true, false]);
  await pass(120_000, []);

  expect(events()).toEqual(['raised alarm-1', 'cleared alarm-1']);
});

test('what changes its kind stays one alarm under the new code', async () => {
  const { pass, told } = startEngine();

  await pass(60_000, [away(1, { code: 'camera-silent' })]);
  await pass(120_000, [away(1)]);

  expect(told.map(({ event, alarm }) => [event, alarm.code])).toEqual([
    ['raised', 'camera-silent'],
    ['changed', 'camera-away'],
  ]);
});

test('a condition that gets worse is told, and an alarm keeps its worst', async () => {
  const { pass, told, engine } = startEngine();

  await pass(60_000, [away(1)]);
  await pass(120_000, [away(1, { severity: 'critical' })]);
  await pass(60_000, [away(1)]);

  expect(told.map(({ event, alarm }) => [event, alarm.severity])).toEqual([
    ['raised', 'error'],
    ['changed', 'critical'],
  ]);
  expect(engine.standing[0]?.severity).toBe('critical');
});

test('of what nobody can tell, alarms neither begin nor end', async () => {
  const { pass, events, engine } = startEngine();

  await pass(60_000, [away(1)]);
  await pass(3_600_000, [], () => false);
  expect(engine.standing).toHaveLength(1);
  await pass(clearMs + 2_000, []);

  expect(events()).toEqual(['raised alarm-1', 'cleared alarm-1']);
});

test('a new process goes on with the alarms of the one before, and tells none twice', async () => {
  const before = startEngine();
  await before.pass(60_000, [away(1), away(2)]);
  const after = startEngine({ standing: before.engine.standing, clock: before.clock });

  await after.pass(60_000, [], () => false);
  await after.pass(60_000, [away(1), away(2)]);
  expect(after.events()).toEqual([]);
  await after.pass(60_000, [away(1)]);
  await after.pass(60_000, []);

  expect(after.events()).toEqual(['cleared alarm-1']);
});

test('an alarm of another release, whose code nobody knows, is over', async () => {
  const before = startEngine();
  await before.pass(60_000, [away(1)]);
  const [alarm] = before.engine.standing;
  const odd = {
    ...alarm,
    code: 'tape-full',
    family: 'tape',
    subjects: alarm?.subjects.map((s) => ({ ...s, code: 'tape-full' })),
  };
  const after = startEngine({ standing: [odd as Alarm], clock: before.clock });

  await after.pass(2_000, []);

  expect(after.events()).toEqual(['cleared alarm-1']);
});

test('a machine that slept did not watch: nothing becomes due by the time it slept', async () => {
  const { clock, pass, events } = startEngine();

  await pass(3_000, [away(1)]);
  await clock.advance(3_600_000);
  await pass(10_000, [away(1)]);

  expect(events()).toEqual([]);
});

test('a wall clock that is set raises and ends nothing', async () => {
  const { clock, pass, events } = startEngine();

  await pass(5_000, [away(1)]);
  clock.stepWall(86_400_000);
  await pass(5_000, [away(1)]);
  expect(events()).toEqual([]);
  await pass(60_000, [away(1)]);
  clock.stepWall(-2 * 86_400_000);
  await pass(5_000, []);

  expect(events()).toEqual(['raised alarm-1']);
});

/** Cameras that come and go as a seed says, for half an hour, and are well at the end; the process is restarted in between. */
test('whatever cameras do: each alarm is raised once, ended once, and no camera is in two that stand', () => {
  const failures = fc.array(
    fc.record({ camera: fc.nat(7), atS: fc.nat(1_800), forS: fc.integer({ min: 1, max: 300 }) }),
    { minLength: 1, maxLength: 60 },
  );
  let raisedInAll = 0;
  fc.assert(
    fc.property(failures, fc.nat(1_800), (list, restartS) => {
      let nowMs = 0;
      let ids = 0;
      const clock = { wallMs: () => 1_000_000 + nowMs, monotonicMs: () => nowMs };
      const start = (standing: readonly Alarm[]) => new AlarmEngine({ clock, newId: () => `a${++ids}` }, { standing });
      let engine = start([]);
      const raised: string[] = [];
      const cleared: string[] = [];
      const isFailing = (camera: number, atS: number) =>
        list.some((one) => one.camera === camera && one.atS <= atS && atS < one.atS + one.forS);

      for (let atS = 0; atS < 2_300; atS++, nowMs += 1_000) {
        if (atS === restartS) engine = start(engine.standing);
        const conditions = [0, 1, 2, 3, 4, 5, 6, 7]
          .filter((camera) => isFailing(camera, atS))
          .map((camera) => away(camera));
        for (const { event, alarm } of engine.observe({ conditions, isKnown: () => true })) {
          if (event === 'raised') raised.push(alarm.id);
          if (event === 'cleared') cleared.push(alarm.id);
        }
        const subjects = engine.standing.flatMap((alarm) =>
          alarm.subjects.filter((subject) => subject.clearedMs === null).map(({ id }) => id),
        );
        expect(new Set(subjects).size).toBe(subjects.length);
      }

      expect(engine.standing).toEqual([]);
      expect(new Set(raised).size).toBe(raised.length);
      expect([...cleared].sort()).toEqual([...raised].sort());
      raisedInAll += raised.length;
    }),
    { numRuns: 40 },
  );
  expect(raisedInAll).toBeGreaterThan(40);
});
