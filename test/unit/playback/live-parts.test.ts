/** Live media one unit at a time: decode times, sound without holes, and the parts made of both. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeTimes } from '../../../gateway/playback/live-socket/decode-times.ts';
import { PartCutter } from '../../../gateway/playback/live-socket/part-cutter.ts';
import { SoundLine } from '../../../gateway/playback/live-socket/sound-line.ts';
import { silentFrame } from '../../../gateway/playback/silence.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { aacTrack, g711Track, h264Parameters, joinNals, opusTrack, videoTrack } from '../../../storage/media/index.ts';
import { samplesOfChunks } from '../../kit/chunk-samples.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';

const video = videoTrack(1, h264Parameters(sps, [pps]));
const aac = aacTrack(2, Uint8Array.of(0x11, 0x90));
const second = 1_000_000;

function decodeTimes(presentationUs: readonly number[], reorderedMax = 0): number[] {
  const times = new DecodeTimes({ reorderedMax });
  return presentationUs.map((timeUs) => times.next(timeUs));
}

/** Pictures of I, P and B-frames in decode order, by their place among those that are shown. */
const withBFrames = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11].map((place) => second + place * 40_000);

function cutter(tracks: ConstructorParameters<typeof PartCutter>[0]) {
  const parts: Uint8Array[] = [];
  const starts: boolean[] = [];
  const cut = new PartCutter(tracks);
  const add = (trackNumber: number, positionUs: number, isKey: boolean, bytes: Uint8Array) => {
    const part = cut.unit({ trackNumber, positionUs, isKey, bytes });
    if (part === undefined) return;
    parts.push(part.bytes);
    starts.push(part.isStart);
  };
  return {
    ...{ cut, parts, starts },
    picture: (positionUs: number, isKey = false) => add(1, positionUs, isKey, joinNals([slice({ isKey })])),
    sound: (positionUs: number, bytes = Uint8Array.of(0x21, 7)) => add(2, positionUs, true, bytes),
  };
}

describe('decode times', () => {
  test('are the times of presentation for a camera without B-frames', () => {
    const shown = [0, 40_000, 81_000, 300_000];
    expect(decodeTimes(shown)).toEqual(shown);
  });

  test('follow the promised reordering from the first picture on', () => {
    const decoded = decodeTimes(withBFrames, 1);
    expect(decoded.every((timeUs, i) => timeUs <= (withBFrames[i] ?? 0))).toBe(true);
    const shown = withBFrames.toSorted((a, b) => a - b);
    expect(decoded.slice(1)).toEqual(shown.slice(0, decoded.length - 1));
  });

  test('learn the reordering where it was not promised', () => {
    const later = withBFrames.map((timeUs) => timeUs + second);
    const decoded = decodeTimes([...withBFrames, ...later]).slice(-later.length);
    expect(decoded.every((timeUs, i) => timeUs <= (later[i] ?? 0))).toBe(true);
  });

  test('always go up, whatever comes', () => {
    const times = fc.array(fc.integer({ min: 0, max: 100 * second }), { maxLength: 60 });
    fc.assert(
      fc.property(times, fc.integer({ min: 0, max: 20 }), (shown, reorderedMax) => {
        const decoded = decodeTimes(shown, reorderedMax);
        return decoded.every((timeUs, i) => i === 0 || timeUs >= (decoded[i - 1] ?? 0) + 1_000);
      }),
    );
  });
});

describe('sound', () => {
  const frameUs = (1_024 * second) / 48_000;
  const frame = Uint8Array.of(0x21, 7);

  test('goes on at the codec’s own pace however its times jitter', () => {
    const line = new SoundLine(aac);
    const at = (i: number) => second + i * frameUs + (i % 2) * 15_000;
    const frames = Array.from({ length: 50 }, (_, i) => line.frame(at(i), frame)).flat();
    expect(frames).toHaveLength(50);
    expect(line.endUs).toBeCloseTo(second + 50 * frameUs, 0);
  });

  test('that is missing is silence, what comes twice is left out', () => {
    const line = new SoundLine(aac);
    line.frame(second, frame);
    const afterHole = line.frame(second + 11 * frameUs, frame);
    const again = line.frame(second + 5 * frameUs, frame);
    const silent = silentFrame(aac)?.bytes;
    expect(afterHole.map(({ bytes }) => bytes)).toEqual([...Array.from({ length: 10 }, () => silent), frame]);
    expect(again).toEqual([]);
  });

  test('of G.711 is FLAC, of Opus as it is', () => {
    const [pcm] = new SoundLine(g711Track(2, { law: 'pcmu', samplingFrequencyHz: 8_000, channels: 1 })).frame(
      second,
      new Uint8Array(160).fill(0xff),
    );
    const packet = Uint8Array.of(0xf8, 0xff, 0xfe);
    const [opus] = new SoundLine(opusTrack(2, { channels: 1 })).frame(second, packet);
    expect(Buffer.from(pcm?.bytes ?? []).readUInt16BE(0) >> 2).toBe(0x3ffe);
    expect(opus?.bytes).toBe(packet);
  });

  test('a hole of hours is not filled', () => {
    const line = new SoundLine(aac);
    line.frame(second, frame);
    expect(line.frame(3_600 * second, frame).length).toBeLessThan(3);
  });
});

describe('parts', () => {
  test('have one picture each, as long as until the next one, beginning with a key frame', () => {
    const site = cutter({ video, audio: undefined });
    site.picture(second);
    for (const [i, atUs] of [0, 40_000, 81_000, 200_000, 240_000].entries()) site.picture(second + atUs, i % 3 === 0);
    const samples = site.parts.flatMap(samplesOfChunks);
    expect(samples.map(({ duration }) => duration)).toEqual([3_600, 3_690, 10_710, 3_600]);
    expect(samples.map(({ decodeTime }) => decodeTime)).toEqual([90_000, 93_600, 97_290, 108_000]);
    expect(site.starts).toEqual([true, false, false, true]);
    expect(site.cut.mime).toBe('video/mp4; codecs="avc1.42c01e"');
  });

  test('have B-frames at their times', () => {
    const site = cutter({ video, audio: undefined });
    for (const [i, atUs] of withBFrames.entries()) site.picture(atUs, i === 0);
    const samples = site.parts.flatMap(samplesOfChunks);
    const shown = samples.map(({ decodeTime, offset }) => decodeTime + offset);
    expect(shown).toEqual(withBFrames.slice(0, -1).map((timeUs) => Math.round((timeUs / second) * 90_000)));
    // Players take a step of more than two durations for a hole.
    const isStep = samples.slice(1).every(({ decodeTime }, i) => {
      const { decodeTime: before = 0, duration = 0 } = samples[i] ?? {};
      return decodeTime - before <= 2 * duration;
    });
    expect(isStep).toBe(true);
  });

  test('have silence where sound was promised and never comes', () => {
    const site = cutter({ video, audio: aac });
    for (let i = 0; i <= 100; i++) site.picture(second + i * 40_000, i === 0);
    const silent = Buffer.from(silentFrame(aac)?.bytes ?? []).toString('hex');
    const sound = site.parts.flatMap(samplesOfChunks).filter(({ hex }) => hex === silent);
    const endS = ((sound.at(-1)?.decodeTime ?? 0) + 1_024) / 48_000;
    // Up to the newest picture, once nobody waits for it any more.
    expect(endS).toBeGreaterThan(5 - 0.1);
  });

  test('wait for sound that comes later than its pictures', () => {
    const site = cutter({ video, audio: aac });
    const frameUs = (1_024 * second) / 48_000;
    let next = 0;
    for (let i = 0; i <= 250; i++) {
      site.picture(second + i * 40_000, i === 0);
      // A second late: more than is waited for at first.
      for (; next * frameUs < i * 40_000 - second; next++) site.sound(second + next * frameUs);
    }
    const real = site.parts
      .slice(-100)
      .flatMap(samplesOfChunks)
      .filter(({ hex }) => hex === '2107');
    expect(real.length).toBeGreaterThan(4 * 40);
  });

  test('of sound alone come ten times a second, each a beginning', () => {
    const site = cutter({ video: undefined, audio: aac });
    for (let i = 0; i < 94; i++) site.sound(second + (i * 1_024 * second) / 48_000);
    expect(site.parts.length).toBeGreaterThanOrEqual(15);
    expect(site.parts.length).toBeLessThanOrEqual(20);
    expect(new Set(site.starts)).toEqual(new Set([true]));
    expect(site.cut.mime).toMatch(/^audio\/mp4/);
  });

  test('are made of any units, or an error says what is wrong with them', () => {
    const unit = fc.record({
      trackNumber: fc.constantFrom(1, 2, 3),
      positionUs: fc.integer({ min: 0, max: 1_000 * second }),
      isKey: fc.boolean(),
      bytes: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 40 }), (units) => {
        const site = new PartCutter({ video, audio: opusTrack(2, { channels: 1 }) });
        for (const one of units) {
          try {
            samplesOfChunks(site.unit(one)?.bytes ?? new Uint8Array());
          } catch (error) {
            if (!isAppError(error)) throw error;
          }
        }
      }),
    );
  });
});
