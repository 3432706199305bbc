import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LedgerEntry, LedgerEvent, Span } from '../../../storage/index/index.ts';
import { gapsOf, without } from '../../../storage/keeper/gaps-of.ts';
import { silentState, timelineOf } from '../../../storage/keeper/ledger-timeline.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { GapReason } from '../../../storage/model/run.ts';

const second = 1_000;
const streamId = 'door';

type Told = {
  [Kind in LedgerEvent['kind']]: Omit<Extract<LedgerEvent, { kind: Kind }>, 'streamId'>;
}[LedgerEvent['kind']];

/** Events in seconds, by one process. */
function told(process: string, ...lines: Told[]): LedgerEntry[] {
  return lines.map((line) => ({ process, line: { ...line, streamId } as LedgerEvent }));
}

const wanted = (at: number): Told => ({ kind: 'wanted', atMs: at * second });
const unwanted = (at: number): Told => ({ kind: 'unwanted', atMs: at * second });
const began = (at: number, runId: string): Told => ({ kind: 'run-began', runId, atMs: at * second });
const ended = (at: number, runId: string, reason: GapReason): Told => ({
  kind: 'run-ended',
  runId,
  atMs: at * second,
  reason,
});
const waiting = (at: number, reason: GapReason): Told => ({ kind: 'waiting', atMs: at * second, reason });
const off = (begin: number, end: number): Told => ({ kind: 'off', beginMs: begin * second, endMs: end * second });
const gone = (at: number): Told => ({ kind: 'process-ended', atMs: at * second });

/** Gap rows as `begin-end reason`, in seconds; those of losses are not among them. */
function rows(
  events: readonly LedgerEntry[],
  footage: readonly (readonly [number, number])[],
  losses: readonly (readonly [number, number])[] = [],
): string[] {
  const { stretches } = timelineOf(silentState, events);
  const spans = ([begin, end]: readonly [number, number]): Span => ({ beginMs: begin * second, endMs: end * second });
  return gapsOf({ stretches, footage: footage.map(spans), losses: losses.map(spans), fromMs: 0 }).map(
    (gap) => `${gap.beginMs / second}-${gap.endMs === undefined ? '' : gap.endMs / second} ${gap.reason}`,
  );
}

test('the time before the first picture is a gap with the reason of the moment', () => {
  const events = told('i.1', wanted(0), waiting(3, 'unreachable'), waiting(20, 'unauthorized'), began(30, 'a'));

  expect(rows(events, [[30, 90]])).toEqual(['0-3 connecting', '3-20 unreachable', '20-30 unauthorized']);
});

test('a lost connection is one gap from the last picture to the next, with the reasons in force', () => {
  const events = told(
    'i.1',
    wanted(0),
    began(0, 'a'),
    ended(110, 'a', 'source-silent'),
    waiting(111, 'unreachable'),
    began(150, 'b'),
  );

  // Coverage ends 10 s before the watchdog says so: those seconds have its reason.
  expect(
    rows(events, [
      [0, 100],
      [150, 200],
    ]),
  ).toEqual(['100-111 source-silent', '111-150 unreachable']);
});

test('a gap that goes on is open, and the next run closes it', () => {
  const events = told('i.1', wanted(0), began(0, 'a'), ended(100, 'a', 'connection-lost'));

  expect(rows(events, [[0, 100]])).toEqual(['100- connection-lost']);
  expect(rows([...events, ...told('i.1', began(130, 'b'))], [[0, 100]])).toEqual(['100-130 connection-lost']);
});

test('what the run in progress has in its open file is no gap', () => {
  expect(rows(told('i.1', wanted(0), began(0, 'a')), [[0, 60]])).toEqual([]);
  expect(rows(told('i.1', wanted(0), began(5, 'a')), [])).toEqual(['0-5 connecting']);
});

test('a loss inside of the run in progress says nothing of what lies before it in the open file', () => {
  const running = told('i.1', wanted(0), began(0, 'a'));

  expect(rows(running, [], [[40, 43]])).toEqual([]);
  expect(
    rows(
      running,
      [[0, 30]],
      [
        [10, 12],
        [40, 43],
      ],
    ),
  ).toEqual([]);
});

test('runs that touch within a frame or two leave no gap', () => {
  const events = told('i.1', wanted(0), began(0, 'a'), ended(100, 'a', 'tracks-changed'), began(100, 'b'));

  expect(
    rows(events, [
      [0, 99.9],
      [100.1, 160],
    ]),
  ).toEqual([]);
  expect(
    rows(events, [
      [0, 99.6],
      [100.7, 160],
    ]),
  ).toEqual(['99.6-100 tracks-changed', '100-100.7 connecting']);
});

test('a process that dies in mid-recording leaves a gap that says so, at once', () => {
  const died = [...told('i.1', wanted(0), began(0, 'a')), ...told('i.1', gone(105))];

  expect(rows(died, [[0, 100]])).toEqual(['100- crashed']);
  const again = [...died, ...told('i.2', wanted(110), began(112, 'b'))];
  expect(
    rows(again, [
      [0, 100],
      [112, 170],
    ]),
  ).toEqual(['100-110 crashed', '110-112 connecting']);
});

test('a new process without any word of the old one means a crash, or that all was off when the keeper was off too', () => {
  const before = told('i.1', wanted(0), began(0, 'a'));
  const after = told('i.2', wanted(5_000), began(5_002, 'b'));

  expect(
    rows(
      [...before, ...after],
      [
        [0, 100],
        [5_002, 5_060],
      ],
    ),
  ).toEqual(['100-5000 crashed', '5000-5002 connecting']);
  expect(
    rows(
      [...before, ...told('', off(95, 4_998)), ...after],
      [
        [0, 100],
        [5_002, 5_060],
      ],
    ),
  ).toEqual(['100-5000 appliance-off', '5000-5002 connecting']);
});

test('an appliance that was switched off while a camera was away was off since its last word', () => {
  const events = [
    ...told('i.1', wanted(0), waiting(2, 'unreachable'), waiting(60, 'refused')),
    ...told('', off(300, 9_000)),
    ...told('i.2', wanted(9_001), began(9_003, 'a')),
  ];

  expect(rows(events, [[9_003, 9_060]])).toEqual([
    '0-2 connecting',
    '2-60 unreachable',
    '60-300 refused',
    '300-9001 appliance-off',
    '9001-9003 connecting',
  ]);
});

test('after an orderly stop the appliance was off', () => {
  const events = [
    ...told('i.1', wanted(0), began(0, 'a'), ended(100, 'a', 'shutdown')),
    ...told('i.2', wanted(200), began(203, 'b')),
  ];

  expect(
    rows(events, [
      [0, 100],
      [203, 260],
    ]),
  ).toEqual(['100-200 appliance-off', '200-203 connecting']);
});

test('what is not wanted is no gap', () => {
  const events = told(
    'i.1',
    wanted(0),
    began(0, 'a'),
    ended(100, 'a', 'camera-removed'),
    unwanted(100),
    wanted(500),
    began(503, 'b'),
  );

  expect(
    rows(events, [
      [0, 100],
      [503, 560],
    ]),
  ).toEqual(['500-503 connecting']);
});

test('footage that is missing in the middle of a run was lost', () => {
  const events = told('i.1', wanted(0), began(0, 'a'));

  expect(
    rows(events, [
      [0, 60],
      [120, 180],
    ]),
  ).toEqual(['60-120 data-lost']);
});

test('runs that overlap end when the last one does', () => {
  const events = told('i.1', wanted(0), began(0, 'a'), began(50, 'b'), ended(60, 'a', 'source-closed'));

  expect(
    rows(events, [
      [0, 60],
      [50, 90],
    ]),
  ).toEqual([]);
  expect(
    rows(
      [...events, ...told('i.1', ended(100, 'b', 'source-closed'))],
      [
        [0, 60],
        [50, 100],
      ],
    ),
  ).toEqual(['100- source-closed']);
});

test('a clock that steps back makes no negative gap', () => {
  const events = told('i.1', wanted(1_000), began(1_000, 'a'), ended(1_100, 'a', 'clock-step'), began(500, 'b'));

  expect(
    rows(events, [
      [1_000, 1_100],
      [500, 560],
    ]),
  ).toEqual([]);
});

test('lines of a stream whose beginning was lost count from the first one', () => {
  expect(rows(told('i.1', waiting(10, 'unreachable'), began(20, 'a')), [[20, 80]])).toEqual(['10-20 unreachable']);
  expect(rows(told('i.1', ended(10, 'a', 'connection-lost')), [])).toEqual(['10- connection-lost']);
});

test('whatever is told: every wanted second is covered or in exactly one gap, but for joints', () => {
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('run'),
      after: fc.integer({ min: 1, max: 50 }),
      length: fc.integer({ min: 1, max: 80 }),
    }),
    fc.record({ kind: fc.constant('wait'), after: fc.integer({ min: 1, max: 50 }), length: fc.constant(0) }),
    fc.record({ kind: fc.constant('restart'), after: fc.integer({ min: 1, max: 50 }), length: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (steps) => {
      let at = 0;
      let epoch = 1;
      const events = told('i.1', wanted(0));
      const covered: [number, number][] = [];
      for (const [i, step] of steps.entries()) {
        at += step.after;
        if (step.kind === 'restart') epoch++;
        if (step.kind === 'restart') events.push(...told(`i.${epoch}`, wanted(at)));
        if (step.kind === 'wait') events.push(...told(`i.${epoch}`, waiting(at, 'unreachable')));
        if (step.kind !== 'run') continue;
        events.push(...told(`i.${epoch}`, began(at, `r${i}`)));
        covered.push([at, at + step.length]);
        at += step.length;
        events.push(...told(`i.${epoch}`, ended(at + 1, `r${i}`, 'connection-lost')));
        at += 1;
      }
      const { stretches } = timelineOf(silentState, events);
      const spans = covered.map(([begin, end]) => ({ beginMs: begin * second, endMs: end * second }));

      const gaps = gapsOf({ stretches, footage: spans, losses: [], fromMs: 0 });

      for (let t = 0.5; t < at; t++) {
        const isIn = (span: { beginMs: number; endMs?: number | undefined }) =>
          span.beginMs <= t * second && t * second < (span.endMs ?? Number.POSITIVE_INFINITY);
        const count = gaps.filter(isIn).length + spans.filter(isIn).length;
        const hole = without([{ beginMs: 0, endMs: Number.POSITIVE_INFINITY }], spans).find(isIn);
        const isJoint = hole !== undefined && hole.endMs - hole.beginMs <= limits.gapToleranceMs;
        expect(count, `at ${t} s`).toBe(isJoint ? 0 : 1);
      }
      for (const [i, gap] of gaps.entries()) if (i < gaps.length - 1) expect(gap.endMs).toBeDefined();
    }),
  );
});

test('computing in two parts gives the rows of computing at once', () => {
  const events = told(
    'i.1',
    wanted(0),
    began(0, 'a'),
    ended(100, 'a', 'connection-lost'),
    began(130, 'b'),
    ended(300, 'b', 'source-silent'),
    began(330, 'c'),
  );
  const footage = [
    { beginMs: 0, endMs: 100_000 },
    { beginMs: 130_000, endMs: 290_000 },
    { beginMs: 330_000, endMs: 400_000 },
  ];
  const whole = gapsOf({ stretches: timelineOf(silentState, events).stretches, footage, losses: [], fromMs: 0 });

  const { state } = timelineOf(silentState, events.slice(0, 4));
  const second = gapsOf({
    stretches: timelineOf(state, events.slice(4)).stretches,
    footage,
    losses: [],
    fromMs: 200_000,
  });

  expect(whole).toHaveLength(2);
  expect(second).toEqual(whole.slice(1));
});
