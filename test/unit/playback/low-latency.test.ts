import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Hls, LowLatency } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { limits } from '../../../storage/model/limits.ts';
import { samplesOfChunks } from '../../kit/chunk-samples.ts';
import { type ReadPart, type ReadPlaylist, readPlaylist } from '../../kit/read-playlist.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { LiveStream, liveStreamId, liveTracks, unitsBetween } from './live-stream.ts';

const beginMs = Date.UTC(2026, 0, 1, 12);

/** A stream with one committed fragment of 2 s, that is live at media time 2.2 s. */
function startSite(tracks = liveTracks) {
  const clock = new SimulatedClock(beginMs);
  const stream = new LiveStream(beginMs, tracks);
  const lowLatency = new LowLatency({ clock, log: silentLog, source: stream, laneOf: () => stream });
  onTestFinished(() => lowLatency.close());
  const hls = new Hls({ clock, source: stream, lowLatency });
  const site = { clock, stream, lowLatency, hls, atMs: 0, tracks };
  /** Media arrive up to a time; fragments of 2 s are committed as soon as everything has passed their end. */
  const play = (untilMs: number) => {
    while (site.atMs < untilMs) {
      const nextMs = Math.min(untilMs, site.atMs + 40);
      stream.units(
        unitsBetween(site.atMs, nextMs).filter(({ trackNumber }) =>
          site.tracks.some(({ number }) => number === trackNumber),
        ),
      );
      site.atMs = nextMs;
      if (nextMs > 2_000 && nextMs % 2_000 === 120) stream.commit(nextMs - 120);
    }
  };
  play(2_200);
  return Object.assign(site, { play });
}

type Site = ReturnType<typeof startSite>;

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function load(
  { hls }: Pick<Site, 'hls'>,
  uri: string,
  more: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<string | Uint8Array> {
  const [file = '', query = ''] = uri.split('?');
  const whole = { ...Object.fromEntries(new URLSearchParams(query)), ...more };
  return (await hls.get({ streamId: liveStreamId, file, query: whole, signal })).body;
}

async function uriOf(site: Site, name: 'video' | 'audio', query = '?latency=low'): Promise<string> {
  const master = String(await load(site, `master.m3u8${query}`));
  return must(new RegExp(`${name}\\.m3u8[^"\\n]*`).exec(master), `the master playlist names ${name}`)[0];
}

const read = async (site: Site, uri: string, more: Record<string, string> = {}, signal?: AbortSignal) =>
  readPlaylist(String(await load(site, uri, more, signal)));

/** Sees to it that a promise is still open after everything had its turn. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  const note = () => {
    isSettled = true;
  };
  promise.then(note, note);
  await settled();
  return !isSettled;
}

/** Every part of a playlist with the place that it has for players. */
function placesIn({ segments, open }: ReadPlaylist): (ReadPart & { place: string; isLast: boolean })[] {
  const next = (segments.at(-1)?.mediaSequence ?? -1) + 1;
  return [...segments, { mediaSequence: next, parts: open, isOpen: true }].flatMap((segment) =>
    segment.parts.map((part, at) => ({
      ...part,
      place: `${segment.mediaSequence}.${at}`,
      isLast: !('isOpen' in segment) && at === segment.parts.length - 1,
    })),
  );
}

describe('a playlist with parts', () => {
  test.each(['video', 'audio'] as const)('keeps the rules of RFC 8216bis while %s arrives', async (name) => {
    const site = startSite();
    const uri = await uriOf(site, name);
    const told = new Map<string, string>();
    let hint: string | undefined;
    let end = '';
    for (let atMs = 2_240; atMs <= 9_000; atMs += 40) {
      site.play(atMs);
      await settled();

      const playlist = await read(site, uri);

      const targetS = must(playlist.partTargetS, 'has a part target');
      expect(Number(/PART-HOLD-BACK=([\d.]+)/.exec(playlist.text)?.[1])).toBeGreaterThanOrEqual(3 * targetS);
      expect(playlist.text).toContain('CAN-BLOCK-RELOAD=YES');
      expect(playlist.text.match(/#EXT-X-PRELOAD-HINT/g)).toHaveLength(1);
      const places = placesIn(playlist);
      for (const { place, uri: part, durationS, isLast } of places) {
        expect(told.get(place) ?? part).toBe(part);
        told.set(place, part);
        expect(durationS).toBeLessThanOrEqual(targetS);
        if (!isLast) expect(durationS).toBeGreaterThanOrEqual(0.85 * targetS);
      }
      const newest = must(places.at(-1), 'has parts');
      if (newest.place !== end && end !== '') expect(places.map((part) => part.uri)).toContain(hint);
      expect(places.map((part) => part.uri)).not.toContain(playlist.hintUri);
      hint = playlist.hintUri;
      end = newest.place;
      for (const { durationS, parts } of playlist.segments) {
        expect(parts.length).toBeGreaterThan(3);
        expect(Math.abs(parts.reduce((sum, part) => sum + part.durationS, 0) - durationS)).toBeLessThan(0.05);
        if (name === 'video') expect(parts.map((part) => part.isIndependent)).toEqual(parts.map((_, at) => at === 0));
      }
      const report = /#EXT-X-RENDITION-REPORT:URI="([^"]+)",LAST-MSN=(\d+),LAST-PART=(\d+)/.exec(playlist.text);
      const other = await read(site, must(report?.[1], 'reports the other rendition'));
      expect(report?.[1]).toBe(await uriOf(site, name === 'video' ? 'audio' : 'video'));
      expect(`${report?.[2]}.${report?.[3]}`).toBe(placesIn(other).at(-1)?.place);
    }
    expect(told.size).toBeGreaterThan(15);
  });

  test('has segments and numbers of the plain one', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    const plainUri = uri.replace('&latency=low', '');
    site.play(7_000);
    await settled();

    const [low, plain] = [await read(site, uri), await read(site, plainUri)];

    expect(low.segments.map(({ parts: _, ...segment }) => segment)).toEqual(
      plain.segments.map(({ parts: _, ...segment }) => segment),
    );
    expect(plain.text).not.toMatch(/PART|SERVER-CONTROL|PRELOAD|REPORT/);
  });

  test('has one date for a run: times between its segments are what lasts between them, though server time is slewed', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    const { fragment, segment } = must(site.stream.fragments[0], 'has a fragment');
    const late = { ...fragment, serverTimestampMs: fragment.serverTimestampMs + 1_700 };
    site.stream.fragments[0] = { fragment: late, segment };
    site.play(6_080);
    await settled();
    site.stream.commit(6_080);
    site.stream.newRun(6_500);
    site.atMs = 0;
    site.play(2_600);
    await settled();

    const low = await read(site, uri);
    const plain = await read(site, uri.replace('&latency=low', ''));

    const datesIn = ({ text }: ReadPlaylist) =>
      text.match(/(?<=DATE-TIME:).*/g)?.map((date) => Date.parse(date) - beginMs);
    expect(datesIn(low)).toEqual([1_700, 6_500]);
    expect(datesIn(plain)).toEqual([1_700, 2_000, 6_500]);
  });

  test('is for live sessions alone, and for who asks in a word that is known', async () => {
    const site = startSite();

    const recorded = await uriOf(site, 'video', `?latency=low&begin=${beginMs}`);

    expect(recorded).not.toContain('latency');
    await expect(uriOf(site, 'video', '?latency=high')).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('is of one stream: the sub stream has a session of its own', async () => {
    const { hls } = startSite();
    const sub = { streamId: liveStreamId, isRecorded: true };
    const masterOf = async (query: Record<string, string>) =>
      String((await hls.get({ streamId: liveStreamId, file: 'master.m3u8', query, sub })).body);

    expect(await masterOf({ latency: 'low' })).not.toContain('sub-');
    expect(await masterOf({})).toContain('sub-');
  });

  test('of sound alone has parts of sound', async () => {
    const [, aac] = liveTracks;
    const site = startSite([must(aac, 'there is sound')]);
    const uri = await uriOf(site, 'audio');
    site.play(3_000);
    await settled();

    const { segments, open } = await read(site, uri);

    expect(segments.at(-1)?.parts.length).toBeGreaterThan(3);
    expect(open.length).toBeGreaterThan(1);
  });
});

describe('parts', () => {
  test.each(['video', 'audio'] as const)('of %s are the segment, sample by sample', async (name) => {
    const site = startSite();
    const uri = await uriOf(site, name);
    const bytes = new Map<string, Uint8Array>();
    for (let atMs = 2_240; atMs <= 8_200; atMs += 80) {
      site.play(atMs);
      await settled();
      for (const { uri: part } of (await read(site, uri)).open) bytes.set(part, (await load(site, part)) as Uint8Array);
    }

    const { segments } = await read(site, uri);

    expect(segments).toHaveLength(4);
    for (const { uri: segment, parts } of segments.slice(1)) {
      expect(parts.filter((part) => bytes.has(part.uri)).length).toBeGreaterThan(2);
      const pieces: Uint8Array[] = [];
      for (const part of parts) pieces.push(bytes.get(part.uri) ?? ((await load(site, part.uri)) as Uint8Array));
      expect(pieces.flatMap(samplesOfChunks)).toEqual(samplesOfChunks((await load(site, segment)) as Uint8Array));
    }
  });

  test('that come next are waited for, those that are gone or far away are not there', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    const { hintUri, segments } = await read(site, uri);
    const hint = must(hintUri, 'has a hint');
    const waiting = load(site, hint);
    expect(await isOpen(waiting)).toBe(true);

    site.play(site.atMs + 800);

    expect(samplesOfChunks((await waiting) as Uint8Array)).toHaveLength(10);
    await expect(load(site, hint.replace(/v\d+/, 'v999'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(load(site, hint.replace('part-', 'part-x'))).rejects.toMatchObject({ code: 'not_found' });
    site.play(40_000);
    await settled();
    const old = must(segments.at(-1)?.parts[0], 'had parts').uri;
    await expect(load(site, old)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a playlist that is waited for', () => {
  test('comes with the part, or the segment, that was asked for', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    const { segments, open } = await read(site, uri);
    const next = must(segments.at(-1), 'has segments').mediaSequence + 1;
    const forPart = read(site, uri, { _HLS_msn: `${next}`, _HLS_part: `${open.length + 1}` });
    const forSegment = read(site, uri, { _HLS_msn: `${next}` });
    site.play(site.atMs + 440);
    expect(await isOpen(forPart)).toBe(true);

    site.play(site.atMs + 440);

    expect((await forPart).open.length).toBeGreaterThan(open.length + 1);
    expect(await isOpen(forSegment)).toBe(true);
    site.play(4_120);
    expect((await forSegment).segments.at(-1)?.mediaSequence).toBe(next);
    const past = await read(site, uri, { _HLS_msn: `${next}`, _HLS_part: '99' });
    expect(past.segments.at(-1)?.mediaSequence).toBe(next);
  });

  test('comes as it is when nothing happens, and at once when too many wait', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    const before = await read(site, uri);
    const ask = { _HLS_msn: `${must(before.segments.at(-1), 'has segments').mediaSequence + 1}`, _HLS_part: '2' };
    const waiting = Array.from({ length: limits.hlsBlockedMax }, () => read(site, uri, ask));
    await settled();
    expect(site.lowLatency.figures.waiting).toBe(limits.hlsBlockedMax);

    const beyond = await read(site, uri, ask);
    await site.clock.advance(limits.hlsBlockedMsMax);

    expect(beyond.text).toBe(before.text);
    expect(new Set((await Promise.all(waiting)).map(({ text }) => text))).toEqual(new Set([before.text]));
    expect(site.lowLatency.figures.waiting).toBe(0);
  });

  test('is not waited for any more when the player has left', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    const next = must((await read(site, uri)).segments.at(-1), 'has segments').mediaSequence + 1;
    const gone = new AbortController();
    const waiting = read(site, uri, { _HLS_msn: `${next}`, _HLS_part: '2' }, gone.signal);
    expect(await isOpen(waiting)).toBe(true);

    gone.abort();

    await waiting;
    expect(site.lowLatency.figures.waiting).toBe(0);
  });

  test('is refused or answered, whatever stands in its directives', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    const last = must((await read(site, uri)).segments.at(-1), 'has segments').mediaSequence;
    const number = fc.oneof(
      fc.nat().map(String),
      fc.bigInt().map(String),
      fc.string({ maxLength: 40 }),
      fc.double().map(String),
    );

    await fc.assert(
      fc.asyncProperty(
        fc.option(number, { nil: undefined }),
        fc.option(number, { nil: undefined }),
        async (msn, part) => {
          const isPlain = (text: string | undefined) => text === undefined || /^\d{1,15}$/.test(text);
          const isNear = msn === undefined || (Number(msn) <= last + 2 && Number(part ?? 0) < 20);
          const isRefused = !isPlain(msn) || !isPlain(part) || (msn === undefined && part !== undefined) || !isNear;
          const ask = {
            ...(msn === undefined ? {} : { _HLS_msn: msn }),
            ...(part === undefined ? {} : { _HLS_part: part }),
          };
          const gone = new AbortController();
          const answer = read(site, uri, ask, gone.signal).then(
            () => 'answered',
            (error: { code: string }) => error.code,
          );
          await settled();
          gone.abort();
          const told = await answer;
          if (isRefused && !(Number(msn) <= last && isPlain(msn) && isPlain(part)))
            expect(told).toBe('invalid_argument');
          else expect(['answered', 'invalid_argument']).toContain(told);
        },
      ),
      { numRuns: 150 },
    );
    for (const ask of [{ _HLS_msn: `${last + 3}` }, { _HLS_msn: `${last + 1}`, _HLS_part: '40' }, { _HLS_msn: '-1' }]) {
      await expect(read(site, uri, ask)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
  });
});

test('a run without sound has parts of silence, as long as those of its pictures', async () => {
  const site = startSite();
  const uri = await uriOf(site, 'audio');
  site.stream.commit(2_200);
  site.tracks = liveTracks.slice(0, 1);
  site.stream.newRun(9_000, site.tracks);
  site.atMs = 0;
  site.play(2_200);
  await settled();
  site.play(3_600);
  await settled();

  const { segments, open } = await read(site, uri);

  const silent = must(segments.at(-1), 'has segments');
  expect(silent.uri).toContain('silence-');
  expect(open.length).toBeGreaterThan(1);
  const pieces: Uint8Array[] = [];
  for (const part of silent.parts) pieces.push((await load(site, part.uri)) as Uint8Array);
  const samples = pieces.flatMap(samplesOfChunks);
  expect(samples).toEqual(samplesOfChunks((await load(site, silent.uri)) as Uint8Array));
});

describe('the lane of a stream', () => {
  test('is one for all players, and closed a while after the last request', async () => {
    const site = startSite();

    const uris = await Promise.all(Array.from({ length: 20 }, () => uriOf(site, 'video')));
    for (const uri of uris) await read(site, uri);

    expect(site.stream.lanesOpened).toBe(1);
    await site.clock.advance(limits.hlsPartsLingerMs - 1);
    expect(site.stream.lanes.size).toBe(1);
    await site.clock.advance(2);
    await settled();
    expect(site.stream.lanes.size).toBe(0);
    expect(site.lowLatency.figures).toEqual({ streams: 0, bytes: 0, waiting: 0 });
  });

  test('is not opened for players of plain playlists', async () => {
    const site = startSite();

    await read(site, await uriOf(site, 'video', ''));

    expect(site.stream.lanesOpened).toBe(0);
  });

  test('holds no more than the parts of some seconds', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');

    let most = 0;
    for (let atMs = 4_000; atMs < 80_000; atMs += 2_000) {
      site.play(atMs);
      await settled();
      await read(site, uri);
      if (atMs === 30_000) most = site.lowLatency.figures.bytes;
    }

    expect(site.lowLatency.figures.bytes).toBeLessThan(1.3 * most);
  });

  test('that dropped units is joined anew, and the fragment has the parts of its cluster', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    site.play(3_000);
    await settled();
    site.stream.drop(unitsBetween(3_000, 3_400));
    site.atMs = 3_400;
    site.play(4_200);
    await settled();

    const { segments, open } = await read(site, uri);

    const newest = must(segments.at(-1), 'has segments');
    const pieces: Uint8Array[] = [];
    for (const part of newest.parts) pieces.push((await load(site, part.uri)) as Uint8Array);
    expect(pieces.flatMap(samplesOfChunks)).toEqual(samplesOfChunks((await load(site, newest.uri)) as Uint8Array));
    site.play(5_000);
    await settled();
    expect((await read(site, uri)).open.length).toBeGreaterThan(open.length);
    expect(site.stream.lanesOpened).toBe(2);
  });

  test('that stays away leaves plain segments, and parts again when it is back', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    site.stream.breakLanes();
    site.stream.isOwnerAway = true;
    for (let atMs = 4_200; atMs <= 10_200; atMs += 2_000) {
      site.play(atMs);
      await settled();
    }
    const plain = await read(site, uri);
    expect(plain.segments).toHaveLength(5);
    expect(plain.text).not.toMatch(/EXT-X-PART|PRELOAD/);
    expect(plain.text).toContain('CAN-BLOCK-RELOAD=YES');
    const waiting = read(site, uri, { _HLS_msn: '5' });
    expect(await isOpen(waiting)).toBe(true);

    site.stream.isOwnerAway = false;
    site.play(12_200);
    expect((await waiting).segments).toHaveLength(6);
    site.play(13_000);
    await settled();

    expect((await read(site, uri)).open.length).toBeGreaterThan(0);
  });

  test('that brings a broken picture costs the parts of its fragment', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    site.play(4_000);
    const [broken, ...rest] = unitsBetween(4_000, 6_120);
    site.stream.units([{ ...must(broken, 'is a key frame'), bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x65) }]);
    site.stream.commit(4_000);
    site.stream.units(rest);
    await settled();
    site.atMs = 6_120;
    site.stream.commit(6_000);
    await settled();

    const after = await read(site, uri);

    expect(after.segments.at(-1)).toMatchObject({ mediaSequence: 2, parts: [] });
    site.play(8_200);
    await settled();
    site.play(9_000);
    await settled();
    const later = await read(site, uri);
    expect(later.segments.at(-1)?.parts.length).toBeGreaterThan(3);
    expect(later.open.length).toBeGreaterThan(0);
  });

  test('of a camera that begins anew goes on with a discontinuity, and its second fragment has open parts', async () => {
    const site = startSite();
    const uri = await uriOf(site, 'video');
    site.play(4_800);
    await settled();
    const before = await read(site, uri);
    site.stream.commit(4_800);
    site.stream.newRun(9_000);
    site.atMs = 0;
    site.play(2_600);
    await settled();
    site.play(3_000);
    await settled();

    const after = await read(site, uri);

    expect(after.segments.map(({ isDiscontinuity }) => isDiscontinuity)).toEqual([false, false, false, true]);
    expect(after.segments[2]?.parts.slice(0, before.open.length)).toEqual(before.open);
    expect(after.segments[3]?.parts.length).toBeGreaterThan(3);
    expect(after.open.length).toBeGreaterThan(0);
  });
});
