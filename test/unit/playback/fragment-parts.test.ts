import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mediaSegments } from '../../../gateway/playback/index.ts';
import { partsOfCluster } from '../../../gateway/playback/low-latency/fragment-cutter.ts';
import { FragmentParts, type PartPace } from '../../../gateway/playback/low-latency/fragment-parts.ts';
import { type Part, partBytes } from '../../../gateway/playback/low-latency/part.ts';
import { must } from '../../../storage/base/assert.ts';
import { samplesOfChunks } from '../../kit/chunk-samples.ts';
import { clusterOf, LiveStream, type LiveUnit, liveTracks, picture, sound } from './live-stream.ts';

const beginMs = Date.UTC(2026, 0, 1, 12);
const [video, audio] = liveTracks;

/** Pictures of groups that are shown in another order than they are decoded in: the last of a group is decoded first. */
function reordered(groups: readonly number[], pictureMs: number, jitterMs: readonly number[]): LiveUnit[] {
  const units: LiveUnit[] = [picture(0, true)];
  let shown = 1;
  for (const size of groups) {
    const order = [shown + size - 1, ...Array.from({ length: size - 1 }, (_, at) => shown + at)];
    for (const at of order) units.push(picture(at * pictureMs + (jitterMs[at % jitterMs.length] ?? 0)));
    shown += size;
  }
  return units;
}

test('parts cut while media arrive are the segment, whatever arrives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 60 }),
      fc.integer({ min: 16, max: 250 }),
      fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 9 }),
      fc.array(fc.integer({ min: 0, max: 160 }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 0, max: 5 }),
      async (groups, pictureMs, jitterMs, soundMs, reorderedMax) => {
        const pictures = reordered(groups, pictureMs, jitterMs);
        let atMs = 0;
        const sounds = soundMs.map((stepMs) => {
          atMs += 21 + (stepMs > 150 ? stepMs : stepMs % 3);
          return sound(atMs);
        });
        const endMs = Math.max(...pictures.map(({ mediaMs }) => mediaMs), atMs) + pictureMs;
        const stream = new LiveStream(beginMs);
        // In the order of their decoding and arrival.
        const units = [
          ...pictures.map((unit, at) => ({ unit, atMs: at * pictureMs })),
          ...sounds.map((unit) => ({ unit, atMs: unit.mediaMs })),
        ]
          .sort((a, b) => a.atMs - b.atMs)
          .map(({ unit }) => unit);
        stream.units(units);
        const reference = stream.commit(endMs);
        const pace: PartPace = { targetUs: 440_000, reorderedMax };
        const parts = new FragmentParts(reference.segment, { video, audio }, pace);
        const told: Part[] = [];
        for (const { trackNumber, mediaMs, isKey, bytes } of units) {
          parts.add(trackNumber === 1 ? 'video' : 'audio', { presentationTimeUs: mediaMs * 1000, isKey, bytes });
          parts.grow();
          for (const part of [...parts.video, ...parts.audio]) if (!told.includes(part)) told.push(part);
        }

        const isWhole = parts.finish(reference.fragment);

        const cluster = clusterOf(0, units);
        const lists = isWhole ? parts : must(partsOfCluster(reference, cluster, { ...pace }), 'a cluster has parts');
        if (isWhole) for (const part of told) expect([...parts.video, ...parts.audio]).toContain(part);
        const whole = mediaSegments(reference, cluster);
        for (const [track, list] of [
          [video, lists.video],
          [audio, lists.audio],
        ] as const) {
          const pieces = list.flatMap((part) => samplesOfChunks(partBytes(part, { sequenceNumber: 1, shiftMs: 0 })));
          expect(pieces).toEqual(samplesOfChunks(must(whole.get(track?.number ?? 0), 'has the track')));
        }
        if (reorderedMax >= 1) expect(isWhole).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

test('nothing is told of a fragment before each of its tracks has something: without sound it would be another run', () => {
  const stream = new LiveStream(beginMs);
  stream.units([picture(0, true), sound(0)]);
  const { segment } = stream.commit(40);
  const parts = new FragmentParts(segment, { video, audio }, { targetUs: 440_000, reorderedMax: 0 });
  const add = (kind: 'video' | 'audio', { mediaMs, isKey, bytes }: LiveUnit) => {
    parts.add(kind, { presentationTimeUs: mediaMs * 1000, isKey, bytes });
    return parts.grow();
  };

  const toldOfPictures = Array.from({ length: 50 }, (_, at) => add('video', picture(at * 40, at === 0)));
  const toldOfSound = add('audio', sound(0));

  expect(toldOfPictures).not.toContain(true);
  expect(toldOfSound).toBe(true);
  expect(parts.video.length).toBeGreaterThan(2);
});
