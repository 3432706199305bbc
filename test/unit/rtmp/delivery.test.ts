import { expect, test } from 'vitest';
import { rtmpLimits } from '../../../gateway/rtmp/limits.ts';
import { h264Parameters } from '../../../storage/media/index.ts';
import { tags } from '../../kit/rtmp-publisher/index.ts';
import { pps, sps } from '../rtsp/packets.ts';
import { aacConfig, avcC, interUnit, keyUnit, notedDelivery } from './kit.ts';

const video = 9;
const audio = 8;
const key = tags.avcFrame(keyUnit, { isKey: true });
const inter = tags.avcFrame(interUnit, { isKey: false });
const sound = tags.aacFrame(Uint8Array.of(1, 2, 3));

test('a session begins with the first key frame, all tracks on one clock that begins at 0', () => {
  const { delivery, sessions, units } = notedDelivery();

  delivery.media(video, 5_000, tags.avcConfiguration(avcC));
  delivery.media(audio, 5_000, tags.aacConfiguration(aacConfig));
  delivery.media(video, 5_000, inter);
  delivery.media(audio, 5_010, sound);
  delivery.media(video, 5_040, key);
  delivery.media(audio, 5_031, sound);
  delivery.media(video, 5_080, inter);

  expect(sessions).toEqual([{ reason: 'started', codecs: ['h264', 'aac'], at: 0 }]);
  expect(units.map((unit) => [unit.trackNumber, unit.presentationTimeUs, unit.isKey])).toEqual([
    [1, 0, true],
    [2, -9_000, true],
    [1, 40_000, false],
  ]);
  expect(units[0]?.hex).toBe(Buffer.from(keyUnit).toString('hex'));
});

test('B-frames have their presentation times, in decode order', () => {
  const { delivery, units } = notedDelivery();
  delivery.media(video, 0, tags.avcConfiguration(avcC));

  delivery.media(video, 0, tags.avcFrame(keyUnit, { isKey: true, compositionMs: 80 }));
  delivery.media(video, 40, tags.avcFrame(interUnit, { isKey: false, compositionMs: 120 }));
  delivery.media(video, 80, tags.avcFrame(interUnit, { isKey: false, compositionMs: -20 }));

  expect(units.map((unit) => unit.presentationTimeUs)).toEqual([80_000, 160_000, 60_000]);
});

test('the clock wraps within a session', () => {
  const { delivery, sessions, units } = notedDelivery();
  delivery.media(video, 2 ** 32 - 40, tags.avcConfiguration(avcC));

  for (let i = 0; i < 3; i++) delivery.media(video, (2 ** 32 - 40 + i * 40) % 2 ** 32, i === 0 ? key : inter);
  delivery.media(audio, 2 ** 32 - 10, tags.alawFrame(new Uint8Array(160)));

  expect(units.map((unit) => unit.presentationTimeUs)).toEqual([0, 40_000, 80_000]);
  expect(sessions).toHaveLength(1);
});

test('a clock that jumps begins another session', async () => {
  const { clock, delivery, sessions, units } = notedDelivery();
  delivery.media(video, 0, tags.avcConfiguration(avcC));
  delivery.media(video, 0, key);

  delivery.media(video, 60_000, key);
  await clock.advance(20_000);
  delivery.media(video, 80_000, key);
  delivery.media(video, 1_000, key);

  expect(sessions.map((session) => [session.reason, session.at])).toEqual([
    ['started', 0],
    ['time-jump', 1],
    ['time-jump', 3],
  ]);
  expect(units.map((unit) => unit.presentationTimeUs)).toEqual([0, 0, 20_000_000, 0]);
});

test('a clock that falls behind is left at a key frame', async () => {
  const { clock, delivery, sessions, units } = notedDelivery();
  delivery.media(video, 0, tags.avcConfiguration(avcC));
  delivery.media(video, 0, key);

  // Four times slower than time.
  for (let i = 1; i <= 30; i++) {
    await clock.advance(1_000);
    delivery.media(video, i * 250, i === 29 ? key : inter);
  }

  expect(sessions.map((session) => [session.reason, session.at])).toEqual([
    ['started', 0],
    ['time-jump', 29],
  ]);
  expect(units.map((unit) => unit.presentationTimeUs).slice(28)).toEqual([7_000_000, 0, 250_000]);
});

test('sound that is described late joins at the next key frame', () => {
  const { delivery, sessions, units } = notedDelivery();
  delivery.media(video, 0, tags.avcConfiguration(avcC));
  delivery.media(video, 0, key);

  delivery.media(audio, 0, tags.aacConfiguration(aacConfig));
  delivery.media(audio, 10, sound);
  delivery.media(video, 40, inter);
  delivery.media(video, 80, key);
  delivery.media(audio, 90, sound);

  expect(sessions).toEqual([
    { reason: 'started', codecs: ['h264'], at: 0 },
    { reason: 'tracks-changed', codecs: ['h264', 'aac'], at: 2 },
  ]);
  expect(units.map((unit) => unit.presentationTimeUs)).toEqual([0, 40_000, 0, 10_000]);
});

test('a repeated sequence header changes nothing, another one of the same picture goes in band before key frames', () => {
  const { delivery, sessions, units } = notedDelivery();
  const otherPps = Uint8Array.of(...pps, 0x40);
  delivery.media(video, 0, tags.avcConfiguration(avcC));
  delivery.media(video, 0, key);
  delivery.media(video, 40, tags.avcConfiguration(avcC));
  delivery.media(video, 40, key);

  delivery.media(video, 80, tags.avcConfiguration(h264Parameters(sps, [otherPps]).codecPrivate));
  delivery.media(video, 80, key);
  delivery.media(video, 120, inter);

  expect(sessions).toHaveLength(1);
  expect(units[1]?.hex).toBe(Buffer.from(keyUnit).toString('hex'));
  expect(units[2]?.hex).toContain(Buffer.from(otherPps).toString('hex'));
  expect(units[2]?.hex.endsWith(Buffer.from(keyUnit).toString('hex'))).toBe(true);
  expect(units[3]?.hex).toBe(Buffer.from(interUnit).toString('hex'));
});

test('sound alone is a session after a while, and pictures that come later begin another', async () => {
  const { clock, delivery, sessions } = notedDelivery();
  delivery.media(audio, 0, tags.aacConfiguration(aacConfig));
  for (let at = 0; at <= 4_000; at += 500) {
    delivery.media(audio, at, sound);
    await clock.advance(500);
  }

  delivery.media(video, 4_500, tags.avcConfiguration(avcC));
  delivery.media(video, 4_500, key);

  expect(sessions.map(({ reason, codecs }) => [reason, codecs])).toEqual([
    ['started', ['aac']],
    ['tracks-changed', ['h264', 'aac']],
  ]);
});

test('lengths of two bytes and start codes become lengths of four', () => {
  const nal = keyUnit.subarray(4);
  const short = avcC.slice();
  short[4] = 0xfd;
  const { delivery, units } = notedDelivery();

  delivery.media(video, 0, tags.avcConfiguration(short));
  const two = Buffer.concat([Buffer.from([nal.length >> 8, nal.length & 255]), nal]);
  delivery.media(video, 0, tags.avcFrame(two, { isKey: true }));
  delivery.media(video, 40, tags.avcFrame(Buffer.concat([Buffer.from([0, 0, 0, 1]), nal]), { isKey: true }));

  expect(units.map((unit) => unit.hex)).toEqual(Array(2).fill(Buffer.from(keyUnit).toString('hex')));
});

test('sound of another codec is left out with a reason, and pictures are recorded', () => {
  const { delivery, sessions, units, warnings } = notedDelivery();
  delivery.media(video, 0, tags.avcConfiguration(avcC));

  delivery.media(audio, 0, tags.mp3Frame(Uint8Array.of(1)));
  delivery.media(video, 0, key);

  expect(sessions[0]?.codecs).toEqual(['h264']);
  expect(units).toHaveLength(1);
  expect(warnings).toEqual(['the sound is left out: MP3 is not recorded']);
});

test('a publisher of nothing that can be recorded is ended with the name of its codec', async () => {
  const { clock, delivery, faults } = notedDelivery();
  delivery.media(video, 0, Buffer.from([0x90, ...Buffer.from('av01')]));

  await clock.advance(rtmpLimits.soundAloneMs + 2_000);

  expect(faults[0]).toMatchObject({ reason: 'unsupported-codec', message: expect.stringContaining('AV1') });
});

test.each([
  ['nothing at all', false, 'source-silent'],
  ['only pictures that depend on others', true, 'protocol-error'],
])('a publisher that sends %s is ended', async (_what, isSending, reason) => {
  const { clock, delivery, faults } = notedDelivery();
  delivery.media(video, 0, tags.avcConfiguration(avcC));

  for (let at = 0; at < 35_000 && faults.length === 0; at += 500) {
    if (isSending) delivery.media(video, at, inter);
    await clock.advance(500);
  }

  expect(faults[0]?.reason).toBe(reason);
});

test('a picture that stops is silence, whatever sound goes on', async () => {
  const { clock, delivery, faults } = notedDelivery();
  delivery.media(video, 0, tags.avcConfiguration(avcC));
  delivery.media(audio, 0, tags.aacConfiguration(aacConfig));
  delivery.media(video, 0, key);

  for (let at = 0; at < 13_000; at += 500) {
    delivery.media(audio, at, sound);
    await clock.advance(500);
  }

  expect(faults[0]).toMatchObject({ reason: 'source-silent', message: expect.stringContaining('no picture') });
});

test('a flood of messages is ended once', () => {
  const { delivery, faults } = notedDelivery();

  for (let i = 0; i < rtmpLimits.unitsPerPeriodMax + 10; i++) delivery.media(audio, 0, sound);

  expect(faults).toHaveLength(1);
});
