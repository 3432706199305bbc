import fc from 'fast-check';
import { expect, test } from 'vitest';
import { whipLimits } from '../../../gateway/webrtc-source/limits.ts';
import { MediaWriter } from '../../../gateway/webrtc-source/media-writer.ts';
import { aacTrack, joinNals, matroskaHead } from '../../../storage/media/index.ts';
import { slice } from '../rtsp/packets.ts';
import { keyPicture, type NotedReceiver, notedReceiver, picture, sound, unitOf, video } from './kit.ts';

/** A publisher's session with everything that may be told in it. */
function written(): Uint8Array[] {
  const writer = new MediaWriter();
  const parts = [writer.session([video, sound], 'started')];
  parts.push(writer.unit(unitOf(1, 0, { isKey: true })));
  parts.push(writer.unit(unitOf(2, -20)));
  parts.push(writer.unit(unitOf(1, 33)));
  writer.clock({ offsetMs: 12.5, driftPpm: undefined });
  writer.loss({ trackNumber: 1, packets: 2 });
  writer.loss({ trackNumber: 1, packets: 3 });
  writer.warning('something is odd');
  parts.push(writer.unit(unitOf(2, 0)));
  parts.push(writer.unit(unitOf(1, 66, { isAfterLoss: true, producerTimestampMs: 1_700_000_000_066 })));
  parts.push(writer.unit(unitOf(1, 100, { producerTimestampMs: 1_700_000_000_100 })));
  parts.push(writer.session([{ ...video, video: { widthPixels: 320, heightPixels: 180 } }, sound], 'tracks-changed'));
  parts.push(writer.unit(unitOf(1, 0, { isKey: true, producerTimestampMs: 1_700_000_000_133 })));
  parts.push(writer.unit(unitOf(2, 7, { isAfterLoss: true })));
  return parts;
}

function seen({ sessions, units, told, faults }: NotedReceiver) {
  return {
    faults,
    told,
    sessions: sessions.map(({ reason, tracks, at }) => [reason, at, ...tracks.map((track) => track.codec)]),
    units: units.map((unit) => [
      ...[unit.trackNumber, unit.presentationTimeUs / 1_000, unit.isKey, unit.isAfterLoss],
      ...[unit.producerTimestampMs, Buffer.from(unit.bytes).toString('hex')],
    ]),
  };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('what a source tells arrives as it was told, losses and clocks before the unit that follows them', () => {
  const noted = notedReceiver();

  for (const part of written()) noted.receiver.push(part);

  expect(seen(noted)).toEqual({
    faults: [],
    told: [
      { offsetMs: 12.5, driftPpm: undefined },
      { trackNumber: 1, packets: 5 },
      'something is odd',
      { trackNumber: 2, packets: 0 },
    ],
    sessions: [
      ['started', 0, 'h264', 'opus'],
      ['tracks-changed', 6, 'h264', 'opus'],
    ],
    units: [
      [1, 0, true, false, undefined, hex(keyPicture)],
      [2, -20, true, false, undefined, 'fcfffe'],
      [1, 33, false, false, undefined, hex(picture)],
      [2, 0, true, false, undefined, 'fcfffe'],
      [1, 66, false, true, 1_700_000_000_066, hex(picture)],
      [1, 100, false, false, 1_700_000_000_100, hex(picture)],
      [1, 0, true, false, 1_700_000_000_133, hex(keyPicture)],
      [2, 7, true, true, 1_700_000_000_140, 'fcfffe'],
    ],
  });
  expect(noted.sessions[0]?.tracks).toEqual([video, sound]);
  expect(noted.sessions[1]?.tracks[0]?.video).toEqual({ widthPixels: 320, heightPixels: 180 });
});

test('it arrives the same however its bytes are split', () => {
  const bytes = Buffer.concat(written());
  const whole = notedReceiver();
  whole.receiver.push(bytes);

  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 40 }), (sizes) => {
      const noted = notedReceiver();
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        noted.receiver.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(seen(noted)).toEqual(seen(whole));
    }),
    { numRuns: 60 },
  );
});

test('a group of pictures without end goes on in further clusters, and its times stay right', () => {
  const writer = new MediaWriter();
  const noted = notedReceiver();
  noted.receiver.push(writer.session([video], 'started'));
  const times = Array.from({ length: 100 }, (_, i) => i * 1_000);

  for (const atMs of times) {
    noted.clock.advance(1_000);
    noted.receiver.push(writer.unit(unitOf(1, atMs, { isKey: atMs === 0 })));
  }

  expect(noted.units.map((unit) => unit.presentationTimeUs / 1_000)).toEqual(times);
});

test('whatever bytes come, they are taken or the publisher is ended with a reason, and nothing follows its end', () => {
  const good = Buffer.concat(written());
  const damage = fc.record({ at: fc.nat(good.length - 1), with: fc.uint8Array({ minLength: 1, maxLength: 40 }) });

  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), damage), (how) => {
      const bytes = Uint8Array.from(how instanceof Uint8Array ? how : good);
      if (!(how instanceof Uint8Array)) bytes.set(how.with.subarray(0, bytes.length - how.at), how.at);
      const noted = notedReceiver();

      noted.receiver.push(bytes);
      const units = noted.units.length;
      if (noted.faults.length > 0) noted.receiver.push(good);

      if (noted.faults.length > 0) expect(noted.units).toHaveLength(units);
      for (const fault of noted.faults)
        expect(fault).toMatchObject({ reason: expect.any(String), hint: expect.any(String) });
    }),
    { numRuns: 500 },
  );
});

test('a codec that is not recorded ends the session with its name', () => {
  const noted = notedReceiver();
  const aac = aacTrack(2, Uint8Array.of(0x11, 0x88));

  noted.receiver.push(
    matroskaHead({ segmentUid: new Uint8Array(16), tracks: [video, aac], timecodeScaleNs: 1_000_000 }),
  );
  noted.receiver.push(Uint8Array.from([0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));

  expect(noted.sessions).toEqual([]);
  expect(noted.faults).toMatchObject([{ reason: 'unsupported-codec', message: expect.stringContaining('A_AAC') }]);
});

test('a picture that is none is left out, and the next one comes after a loss', () => {
  const writer = new MediaWriter();
  const noted = notedReceiver();
  noted.receiver.push(writer.session([video], 'started'));

  noted.receiver.push(writer.unit(unitOf(1, 0, { isKey: true })));
  noted.receiver.push(writer.unit(unitOf(1, 33, { bytes: Uint8Array.of(0, 0, 9, 9, 1) })));
  noted.receiver.push(writer.unit(unitOf(1, 66)));

  expect(noted.units.map((unit) => [unit.presentationTimeUs / 1_000, unit.isAfterLoss])).toEqual([
    [0, false],
    [66, true],
  ]);
  expect(noted.faults).toEqual([]);
});

test('a picture is key by what is in it, not by what its block says', () => {
  const writer = new MediaWriter();
  const noted = notedReceiver();
  noted.receiver.push(writer.session([video], 'started'));

  noted.receiver.push(writer.unit(unitOf(1, 0, { isKey: false, bytes: keyPicture })));
  noted.receiver.push(writer.unit(unitOf(1, 33, { isKey: true, bytes: joinNals([slice()]) })));

  expect(noted.units.map((unit) => unit.isKey)).toEqual([true, false]);
});

test.each([
  ['forward', whipLimits.aheadMsMax + 1_000],
  ['back', -whipLimits.stepBackMs - 1],
])('media time that jumps %s inside a session ends it', (_where, jumpMs) => {
  const writer = new MediaWriter();
  const noted = notedReceiver();
  noted.receiver.push(writer.session([video], 'started'));

  noted.receiver.push(writer.unit(unitOf(1, 60_000, { isKey: true })));
  noted.receiver.push(writer.unit(unitOf(1, 60_000 + jumpMs)));

  expect(noted.units).toHaveLength(1);
  expect(noted.faults).toMatchObject([{ reason: 'protocol-error' }]);
});

test('a publisher that sends thousands of units a second is ended', () => {
  const writer = new MediaWriter();
  const noted = notedReceiver();
  noted.receiver.push(writer.session([video, sound], 'started'));

  for (let i = 0; i <= whipLimits.unitsPerPeriodMax; i++) noted.receiver.push(writer.unit(unitOf(2, i / 100)));

  expect(noted.units).toHaveLength(whipLimits.unitsPerPeriodMax);
  expect(noted.faults).toMatchObject([{ reason: 'protocol-error' }]);
});

test('silence is told: before anything came, and of the picture while sound goes on', async () => {
  const never = notedReceiver();
  await never.clock.advance(whipLimits.firstUnitMs + 2_000);
  const writer = new MediaWriter();
  const stopped = notedReceiver();
  stopped.receiver.push(writer.session([video, sound], 'started'));
  stopped.receiver.push(writer.unit(unitOf(1, 0, { isKey: true })));
  for (let atMs = 0; atMs <= whipLimits.silenceMs + 2_000; atMs += 1_000) {
    stopped.receiver.push(writer.unit(unitOf(2, atMs)));
    await stopped.clock.advance(1_000);
  }

  expect(never.faults[0]).toMatchObject({
    reason: 'source-silent',
    message: expect.stringContaining('sent no picture'),
  });
  expect(stopped.faults[0]).toMatchObject({
    reason: 'source-silent',
    message: expect.stringContaining('no picture came'),
  });
});

test('what the sink throws is ours: it goes up as it is', () => {
  const noted = notedReceiver();
  const parts = written();
  for (const part of parts.slice(0, 2)) noted.receiver.push(part);
  const mistake = new Error('ours');
  noted.units.push = () => {
    throw mistake;
  };

  expect(() => noted.receiver.push(parts[2] ?? new Uint8Array(0))).toThrow(mistake);
  expect(noted.faults).toEqual([]);
});
