import { expect, test } from 'vitest';
import { observationOf } from '../../../appliance/alarms/conditions.ts';
import type { CameraFacts, Facts } from '../../../appliance/alarms/facts.ts';
import { RestartCounter } from '../../../appliance/alarms/restart-counter.ts';
import type { SourceState } from '../../../storage/model/camera.ts';

const GiB = 1024 ** 3;
const space = { freeBytes: 50 * GiB, totalBytes: 1_000 * GiB, device: 1 };

const door: CameraFacts = {
  ...{ id: 'door', name: 'Door', isEnabled: true },
  streams: [
    { id: 'door-main', role: 'main', keptHours: 168 },
    { id: 'door-sub', role: 'sub', keptHours: 0 },
  ],
};

function stateOf(streamId: string, change: Partial<SourceState> = {}): [string, SourceState] {
  const unknown = { reason: undefined, message: undefined, hint: undefined, nextAttemptMs: undefined };
  const well = {
    state: 'live',
    sinceMs: 1,
    attempts: 0,
    isRecording: true,
    tracks: [],
    runsLastHour: 1,
    warnings: [],
  } as const;
  return [streamId, { streamId, ...well, ...unknown, clockOffsetMs: undefined, clockDriftPpm: undefined, ...change }];
}

function facts(change: Partial<Facts> = {}): Facts {
  return {
    ...{ nowMs: Date.UTC(2026, 0, 1), cameras: [door], states: new Map([stateOf('door-main'), stateOf('door-sub')]) },
    connections: [
      { name: 'ingest-0', isConnected: true },
      { name: 'keeper', isConnected: true },
    ],
    roles: [{ role: 'ingest-0', state: 'running', reason: undefined }],
    restarts: new Map(),
    keeper: { problems: [], journalSpace: space, storeSpace: space },
    ...{ dataSpace: space, certificate: undefined, planFailure: undefined, gaps: new Map(), short: new Map() },
    gapMsMax: 600_000,
    ...change,
  };
}

const conditionsOf = (change: Partial<Facts>, isStanding = false) =>
  observationOf(facts(change), () => isStanding).conditions.map(({ code, subject, text, severity }) => ({
    ...{ code, of: subject.id, text },
    ...(severity === undefined ? {} : { severity }),
  }));
const codesOf = (change: Partial<Facts>, isStanding = false) =>
  conditionsOf(change, isStanding).map(({ code }) => code);

test('of a site that is well nothing is wrong', () => {
  expect(conditionsOf({})).toEqual([]);
});

test('WebRTC that will not come by itself is told with what to do', () => {
  const reason = 'UDP port 8189 is used by another program: end that program';

  expect(conditionsOf({ webrtcTrouble: reason })).toEqual([{ code: 'webrtc-away', of: 'webrtc', text: reason }]);
});

test('a KVS producer that does not send is no trouble', () => {
  const gate = { ...door, streams: [{ id: 'gate', role: 'main', keptHours: 24, isUnbidden: true }] };

  expect(codesOf({ cameras: [gate], states: new Map([stateOf('gate', { state: 'idle' })]) })).toEqual([]);
});

test('a camera whose sources fail is one condition, with the reason in words', () => {
  const failed = { state: 'retrying', reason: 'refused', message: 'nobody listens at 192.0.2.1:554' } as const;

  expect(conditionsOf({ states: new Map([stateOf('door-main', failed), stateOf('door-sub', failed)]) })).toEqual([
    { code: 'camera-away', of: 'door', text: 'the camera refused the connection (nobody listens at 192.0.2.1:554)' },
  ]);
  expect(conditionsOf({ states: new Map([stateOf('door-main'), stateOf('door-sub', failed)]) })[0]?.text).toMatch(
    /^its sub source: /,
  );
  expect(
    codesOf({ states: new Map([stateOf('door-main', { state: 'connecting', reason: 'source-silent' })]) }),
  ).toEqual(['camera-silent']);
});

test('what is known of a failure stands alone where it says the reason again', () => {
  const textOf = (state: Partial<SourceState>, isPublished = false) => {
    const streams = [{ id: 'door-main', role: 'main', keptHours: 24, isPublished }];
    const states = new Map([stateOf('door-main', { state: 'retrying', ...state })]);
    return conditionsOf({ cameras: [{ ...door, streams }], states })[0]?.text;
  };

  const refused = '192.0.2.1:554 refused the connection';
  expect(textOf({ reason: 'refused', message: refused })).toBe(refused);
  const nobody = 'nobody publishes to this camera';
  expect(textOf({ reason: 'no-publisher', message: nobody }, true)).toBe(nobody);
  expect(textOf({ reason: 'unreachable', message: 'no answer from 192.0.2.1:554 within 5 s' })).toBe(
    'the camera could not be reached (no answer from 192.0.2.1:554 within 5 s)',
  );
  expect(textOf({ reason: 'unauthorized' })).toBe('the camera refused user or password');
});

test('of a publisher is said what publishers do', () => {
  const gone = { state: 'retrying', reason: 'source-silent', message: 'no picture came for 10 s' } as const;
  const streams = [{ id: 'door-main', role: 'main', keptHours: 24, isPublished: true }];
  const gaps = new Map([['door-main', { missingMs: 700_000, reason: 'source-silent' } as const]]);
  const cameras = [{ ...door, streams }];

  expect(conditionsOf({ cameras, states: new Map([stateOf('door-main', gone)]) })[0]?.text).toBe(
    'the publisher sent nothing more (no picture came for 10 s)',
  );
  expect(conditionsOf({ cameras, gaps })[0]?.text).toMatch(/most of it since the publisher sent nothing more$/);
});

test('a camera that nobody wants is not missed, and one that nobody can tell of is not known', () => {
  const retrying = new Map([stateOf('door-main', { state: 'retrying', reason: 'refused' })]);
  const lost = observationOf(facts({ states: new Map() }), () => false);

  expect(codesOf({ states: retrying, cameras: [{ ...door, isEnabled: false }] })).toEqual([]);
  expect(lost.isKnown('camera', { kind: 'camera', id: 'door' })).toBe(false);
  expect(lost.isKnown('camera', { kind: 'camera', id: 'removed' })).toBe(true);
});

test('a recording process that is away is worse than another one', () => {
  const roles = [
    { role: 'ingest-0', state: 'waiting', reason: 'ended with code 1' },
    { role: 'keeper', state: 'waiting', reason: undefined },
  ] as const;

  expect(conditionsOf({ roles })).toEqual([
    { code: 'role-away', of: 'ingest-0', text: 'ended with code 1', severity: 'critical' },
    { code: 'role-away', of: 'keeper', text: 'it is waiting' },
  ]);
});

test('a disk that takes nothing is told of once, however many streams it takes nothing of', () => {
  const recordingFault = { reason: 'write-failed', message: 'input/output error' } as const;
  const states = new Map([stateOf('door-main', { recordingFault }), stateOf('door-sub', { recordingFault })]);

  expect(conditionsOf({ states })).toMatchObject([
    { code: 'disk-errors', of: 'journal', text: expect.stringMatching(/^2 streams .*input/) },
  ]);
});

test('a disk is filling when half of its reserve is gone, and no more when three quarters are back', () => {
  const at = (freeGiB: number) => ({
    keeper: { problems: [], journalSpace: { ...space, freeBytes: freeGiB * GiB }, storeSpace: undefined },
  });

  expect(codesOf(at(6))).toEqual([]);
  expect(codesOf(at(4))).toEqual(['journal-disk-filling']);
  expect(codesOf(at(6), true)).toEqual(['journal-disk-filling']);
  expect(codesOf(at(8), true)).toEqual([]);
  expect(conditionsOf(at(0.5))[0]?.severity).toBe('critical');
});

test('missing seconds count when the camera is there; of one that is away they are known already', () => {
  const gaps = new Map([['door-main', { missingMs: 700_000, reason: 'packet-loss' } as const]]);
  const away = new Map([stateOf('door-main', { state: 'retrying', reason: 'refused' })]);

  expect(conditionsOf({ gaps })).toMatchObject([
    { code: 'gap-over-limit', text: expect.stringMatching(/^12 min of the last 24 hours/) },
  ]);
  expect(codesOf({ gaps, states: away })).toEqual(['camera-away']);
  expect(observationOf(facts({ gaps, states: away }), () => true).isKnown('gaps', { kind: 'camera', id: 'door' })).toBe(
    false,
  );
});

test('what the keeper says has its own codes; with some of it retention stands still', () => {
  const problems = [
    { code: 'clock-doubt', message: 'the clock was set forward' },
    { code: 'of-a-later-release', message: 'odd' },
  ];

  expect(codesOf({ keeper: { problems, journalSpace: undefined, storeSpace: undefined } })).toEqual([
    'clock-doubt',
    'retention-stopped',
  ]);
  expect(
    observationOf(facts({ keeper: undefined }), () => false).isKnown('store', { kind: 'store', id: 'store' }),
  ).toBe(false);
});

test('footage that went early is told with its age', () => {
  const short = new Map([['door-main', { agedHours: 60, text: 'the disk was getting full' }]]);

  expect(conditionsOf({ short })).toEqual([
    { code: 'retention-short', of: 'door', text: 'it went after 2.5 days of 7.0 days: the disk was getting full' },
  ]);
});

test('certificates of others are told of earlier than ours, which renew themselves', () => {
  const at = (days: number, isOwn: boolean) =>
    codesOf({ certificate: { notAfterMs: Date.UTC(2026, 0, 1 + days), isOwn } });

  expect([at(20, true), at(10, true), at(20, false), at(40, false)]).toEqual([
    [],
    ['certificate-expiring'],
    ['certificate-expiring'],
    [],
  ]);
});

test('a camera clock that is far off is told of', () => {
  expect(conditionsOf({ states: new Map([stateOf('door-main', { clockOffsetMs: -3_600_000 })]) })).toEqual([
    { code: 'camera-clock-off', of: 'door', text: 'it is 60 min behind ours' },
  ]);
});

test('a role that is started again often is looping until it was quiet for the window, across restarts of whoever counts', () => {
  let counter = new RestartCounter({});
  for (let restarts = 0; restarts <= 5; restarts++) {
    counter.note([{ role: 'serve', restarts }], restarts * 20_000);
    counter = new RestartCounter(counter.notes);
  }

  expect([...counter.looping(100_000)]).toEqual([['serve', 5]]);
  counter.note([{ role: 'serve', restarts: 5 }], 800_000);
  expect([...counter.looping(800_000)]).toEqual([]);
});

test('a new supervisor counts from nought', () => {
  const counter = new RestartCounter({});
  counter.note([{ role: 'serve', restarts: 40 }], 0);
  counter.note([{ role: 'serve', restarts: 0 }], 1_000);
  counter.note([{ role: 'serve', restarts: 1 }], 2_000);

  expect([...counter.looping(3_000)]).toEqual([]);
});
