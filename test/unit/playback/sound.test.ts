import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contiguousSound, continuousSound } from '../../../gateway/playback/media-samples.ts';
import { silenceFormatOf, silentFrame, silentTrack } from '../../../gateway/playback/silence.ts';
import { aacTrack, audioFrameSamples, g711Track, opusTrack } from '../../../storage/media/index.ts';

const aac = aacTrack(2, Uint8Array.of(0x11, 0x90));
const frameUs = (1024 * 1_000_000) / 48_000;
const frame = Uint8Array.of(1, 2, 3);

/** Frames of AAC from a time on, as stored: rounded to milliseconds. */
function storedFrames(beginUs: number, count: number) {
  return Array.from({ length: count }, (_, at) => ({
    presentationTimeUs: Math.round((beginUs + at * frameUs) / 1_000) * 1_000,
    isKey: true,
    bytes: frame,
  }));
}

describe('sound of a fragment', () => {
  test('begins where all its frames together say, within a fifth of a millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30_000_000 }), (beginUs) => {
        const samples = storedFrames(beginUs, 94);

        const sound = continuousSound(aac, samples, { beginUs, endUs: beginUs + 94 * frameUs });

        expect(sound.length).toBe(94);
        expect(Math.abs((sound[0]?.presentationTimeUs ?? 0) - beginUs)).toBeLessThan(200);
        expect(Math.abs((contiguousSound(aac, samples)[0]?.presentationTimeUs ?? 0) - beginUs)).toBeLessThan(400);
      }),
    );
  });

  test('has silence where packets were lost, and stays in step after it', () => {
    const all = storedFrames(0, 94);
    const lossy = [...all.slice(0, 30), ...all.slice(50)];

    const sound = continuousSound(aac, lossy, { beginUs: 0, endUs: 94 * frameUs });

    expect(sound.length).toBe(94);
    expect(sound[29]?.bytes).toBe(frame);
    expect(sound[30]?.bytes).not.toBe(frame);
    expect(Math.abs((sound[50]?.presentationTimeUs ?? 0) - 50 * frameUs)).toBeLessThan(1_000);
    expect(sound[50]?.bytes).toBe(frame);
  });

  test('is filled up to both ends of the fragment', () => {
    const sound = continuousSound(aac, storedFrames(500_000, 20), { beginUs: 0, endUs: 2_000_000 });

    const first = sound[0]?.presentationTimeUs ?? 0;
    const end = (sound.at(-1)?.presentationTimeUs ?? 0) + frameUs;
    expect(first).toBeGreaterThanOrEqual(0);
    expect(first).toBeLessThan(70_000);
    expect(end).toBeLessThanOrEqual(2_000_000);
    expect(end).toBeGreaterThan(1_930_000);
  });

  test('that is all silence joins the silence of the next fragment', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 100, max: 10_000 }), (middleMs, lengthMs) => {
        const endMs = middleMs + lengthMs;
        const first = continuousSound(aac, [], { beginUs: 0, endUs: middleMs * 1_000 });
        const second = continuousSound(aac, [], { beginUs: middleMs * 1_000, endUs: endMs * 1_000 });

        const joinUs = (first.at(-1)?.presentationTimeUs ?? 0) + frameUs;
        if (middleMs > 22) expect(second[0]?.presentationTimeUs).toBeCloseTo(joinUs, 3);
      }),
    );
  });
});

test.each([
  aac,
  aacTrack(2, Uint8Array.of(0x12, 0x08)),
  aacTrack(2, Uint8Array.of(0x11, 0xb0)),
  opusTrack(2, { channels: 1 }),
  opusTrack(2, { channels: 2 }),
  g711Track(2, { law: 'pcmu', samplingFrequencyHz: 8_000, channels: 1 }),
  g711Track(2, { law: 'pcma', samplingFrequencyHz: 16_000, channels: 2 }),
])('the format of silence of %o comes back from a URI as the same track', (track) => {
  const format = silenceFormatOf(track);

  const back = silentTrack(format ?? '', track.number);

  expect({ ...back, codecPrivate: [...back.codecPrivate] }).toEqual({
    ...track,
    codecPrivate: [...track.codecPrivate],
  });
  const silent = silentFrame(track);
  expect(silent?.samples).toBe(audioFrameSamples(track, silent?.bytes ?? new Uint8Array()));
});
