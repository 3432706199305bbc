import { expect, test } from 'vitest';
import { subRecordingInput } from '../../../appliance/admin/camera-input.ts';
import type { Camera } from '../../../appliance/page/src/api.ts';
import { isKept, newSubRecording, subFormOf, subPatch } from '../../../appliance/page/src/cameras/sub-form.ts';
import { isRing } from '../../../storage/model/camera.ts';

const rtsp = { kind: 'rtsp', url: 'rtsp://10.0.0.21/2', transport: 'udp', tls: 'any' } as const;
const recording = { ...newSubRecording, mode: 'events', retentionHours: 48 } as const;

function sub(change: Partial<NonNullable<Camera['sub']>> = {}): NonNullable<Camera['sub']> {
  return { source: rtsp, hasOwnCredentials: false, recording, state: null, ...change };
}

test('a new sub source is recorded as the API would', () => {
  expect(newSubRecording).toEqual(subRecordingInput.parse({}));
});

test('what nobody touched is sent as it is', () => {
  expect(subPatch(sub(), subFormOf(sub()))).toEqual({ source: rtsp, recording });
  expect(subPatch(null, subFormOf(null))).toBeUndefined();
});

test('without its address it is removed, with one it is made', () => {
  expect(subPatch(sub(), { ...subFormOf(sub()), url: ' ' })).toBeNull();
  expect(subPatch(null, { ...subFormOf(null), url: ' rtsp://10.0.0.21/2 ' })).toEqual({
    source: { kind: 'rtsp', url: 'rtsp://10.0.0.21/2', transport: 'tcp', tls: 'verify' },
    recording: newSubRecording,
  });
});

test('what is published has no address, and is recorded as anything', () => {
  const published = sub({ source: { kind: 'whip' } });
  const form = subFormOf(published);

  expect(subPatch(published, { ...form, recording: { ...form.recording, retentionHours: 12 } })).toEqual({
    recording: { ...recording, retentionHours: 12 },
  });
});

test('a login of its own is kept, replaced, or given up for that of the main source', () => {
  const own = sub({ hasOwnCredentials: true });
  const login = { username: 'admin', password: 'secret' };

  expect(subPatch(own, subFormOf(own))).not.toHaveProperty('credentials');
  expect(subPatch(own, { ...subFormOf(own), login })).toMatchObject({ credentials: login });
  expect(subPatch(own, { ...subFormOf(own), login, isLoginShared: true })).toMatchObject({ credentials: null });
  expect(subPatch(sub(), { ...subFormOf(sub()), isLoginShared: false, login })).toMatchObject({ credentials: login });
});

test.each(['continuous', 'events', 'live'] as const)('a stream of mode %s has a past unless it is a ring', (mode) => {
  const span = { weekday: 1, beginMinute: 0, endMinute: 60 } as const;
  const schedules = [null, ...(['continuous', 'live'] as const).map((one) => [{ ...span, mode: one }])];
  for (const spans of schedules) {
    const schedule = spans === null ? null : { timeZone: 'UTC', spans };

    expect(isKept({ mode, schedule })).toBe(!isRing({ mode, schedule: schedule ?? undefined }));
  }
});
