/** When an alarm about a camera that was away is told quietly. */

import { expect, test } from 'vitest';
import type { Alarm } from '../../../appliance/page/src/alarms/alarms.ts';
import { allBackSinceMs, backSinceMs } from '../../../appliance/page/src/alarms/back.ts';
import type { Camera, SourceState } from '../../../appliance/page/src/api.ts';

type Name = SourceState['state'];
const stateOf = (streamId: string, state: Name, sinceMs = 1): SourceState => ({
  ...{ streamId, state, sinceMs, isRecording: state === 'live', tracks: [], warnings: [] },
});
const rtsp = { kind: 'rtsp', url: 'rtsp://192.0.2.1/', transport: 'tcp', tls: 'verify' } as const;
const recording = {} as Camera['recording'];

function camera(id: string, sub?: Camera['source']): Camera {
  const streams = [{ id: `${id}-main`, name: id, role: 'main' as const }];
  return {
    ...{ id, name: id, isEnabled: true, revision: 1, source: rtsp, hasCredentials: false, recording },
    sub: sub === undefined ? null : { source: sub, hasOwnCredentials: false, recording, state: null },
    streams: sub === undefined ? streams : [...streams, { id: `${id}-sub`, name: id, role: 'sub' }],
    ...{ onvif: null, managedBy: null, state: null },
  };
}

function alarm(code: string, ...subjects: { id: string; clearedMs?: number }[]): Alarm {
  return {
    ...{ id: 'a', code, severity: 'error', state: 'standing', title: '', help: '', subjectCount: subjects.length },
    subjects: subjects.map(({ id, clearedMs = null }) => ({
      ...{ kind: 'camera', id, name: id, text: '', hint: null, sinceMs: 1, clearedMs },
    })),
    ...{ sinceMs: 1, clearedMs: null, count: 1, acknowledged: null },
  };
}

const states = (...all: SourceState[]) => Object.fromEntries(all.map((state) => [state.streamId, state]));
const away = { code: 'camera-away' };

test('a camera is back once all its pictures are live, since the last of them is', () => {
  const gate = camera('gate', rtsp);
  const live = stateOf('gate-main', 'live', 50);

  expect(backSinceMs(away, gate, states(live, stateOf('gate-sub', 'live', 70)))).toBe(70);
  expect(backSinceMs({ code: 'camera-silent' }, camera('gate'), states(live))).toBe(50);
  for (const state of ['idle', 'connecting', 'retrying', 'stopped'] as const) {
    expect(backSinceMs(away, gate, states(live, stateOf('gate-sub', state)))).toBeUndefined();
  }
  expect(backSinceMs(away, gate, states(live))).toBeUndefined();
  expect(backSinceMs(away, camera('gate', { kind: 'kvs' }), states(live, stateOf('gate-sub', 'idle')))).toBe(50);
});

test('what else an alarm is about is not over because the camera is live', () => {
  const live = states(stateOf('gate-main', 'live'));

  expect(backSinceMs({ code: 'gap-over-limit' }, camera('gate'), live)).toBeUndefined();
  expect(allBackSinceMs(alarm('store-away', { id: 'store' }), [camera('gate')], live)).toBeUndefined();
});

test('an alarm of several cameras is quiet when all that are not well yet are back', () => {
  const cameras = [camera('gate'), camera('yard')];
  const both = alarm('camera-away', { id: 'gate' }, { id: 'yard' });
  const gateBack = states(stateOf('gate-main', 'live', 5), stateOf('yard-main', 'retrying'));

  expect(allBackSinceMs(both, cameras, gateBack)).toBeUndefined();
  expect(allBackSinceMs(both, cameras, { ...gateBack, ...states(stateOf('yard-main', 'live', 9)) })).toBe(9);
  expect(allBackSinceMs(alarm('camera-away', { id: 'gate' }, { id: 'yard', clearedMs: 3 }), cameras, gateBack)).toBe(5);
  expect(allBackSinceMs(alarm('camera-away', { id: 'removed' }), cameras, gateBack)).toBeUndefined();
});
