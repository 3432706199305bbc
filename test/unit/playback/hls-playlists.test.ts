import { describe, expect, test } from 'vitest';
import { Hls, type PlayableFragment } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { g711Track } from '../../../storage/media/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { Track } from '../../../storage/model/track.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { aacTrackOf48kHz, beginMs, h264Track, h265Track, runOf, sourceOf, streamId } from './fragments.ts';

/** A fresh `Hls`, as another process has it, over the fragments there are so far. */
function hlsOver(fragments: readonly PlayableFragment[]): Hls {
  const last = must(fragments.at(-1), 'has fragments').fragment;
  return new Hls({ source: sourceOf(fragments), clock: new SimulatedClock(last.serverTimestampMs + last.durationMs) });
}

async function textOf(hls: Hls, uri: string, carried = {}): Promise<string> {
  const [file = '', query = ''] = uri.split('?');
  const answer = await hls.get({ streamId, file, query: Object.fromEntries(new URLSearchParams(query)), carried });
  return String(answer.body);
}

function uriIn(text: string, name: string): string {
  return must(new RegExp(`${name}\\.m3u8[^"\\n]*`).exec(text), `master names ${name}`)[0];
}

/** What a player knows of each segment: its media sequence number and discontinuity sequence number. */
function numbersIn(text: string): Map<string, { media: number; discontinuity: number }> {
  const numberOf = (tag: string) => Number(new RegExp(`#${tag}:(\\d+)`).exec(text)?.[1] ?? 0);
  let media = numberOf('EXT-X-MEDIA-SEQUENCE');
  let discontinuity = numberOf('EXT-X-DISCONTINUITY-SEQUENCE');
  const numbers = new Map<string, { media: number; discontinuity: number }>();
  for (const line of text.split('\n')) {
    if (line === '#EXT-X-DISCONTINUITY') discontinuity++;
    if (line.startsWith('#') || line === '') continue;
    numbers.set(line, { media: media++, discontinuity });
  }
  return numbers;
}

const threeRuns = [
  ...runOf({ runId: 'a', firstCounter: 1, atMs: beginMs, count: 40 }),
  ...runOf({ runId: 'b', firstCounter: 41, atMs: beginMs + 85_000, count: 10 }),
  // A restarted recorder goes on with the next block of numbers.
  ...runOf({ runId: 'c', firstCounter: 1_001, atMs: beginMs + 200_000, count: 60 }),
];

describe('a live playlist', () => {
  test('numbers each segment the same on every reload, in whichever process', async () => {
    const master = await textOf(hlsOver(threeRuns.slice(0, 30)), 'master.m3u8');
    const uri = uriIn(master, 'video');
    const staying = { fragments: threeRuns.slice(0, 30) };
    const seen = new Map<string, { media: number; discontinuity: number }>();

    for (let count = 30; count <= threeRuns.length; count++) {
      staying.fragments = threeRuns.slice(0, count);
      const text = await textOf(hlsOver(staying.fragments), uri);
      for (const [segment, numbers] of numbersIn(text)) {
        expect(seen.get(segment) ?? numbers).toEqual(numbers);
        seen.set(segment, numbers);
      }
    }

    const media = [...seen.values()].map((numbers) => numbers.media);
    expect(media).toEqual(Array.from({ length: media.length }, (_, at) => at));
    expect([...seen.values()].at(-1)?.discontinuity).toBe(2);
  });

  test('is the same from a process that has counted along as from one that begins to count', async () => {
    const growing = threeRuns.slice(0, 30);
    const clock = new SimulatedClock(must(growing.at(-1), 'fragment').fragment.serverTimestampMs);
    const staying = new Hls({ source: sourceOf(growing), clock });
    const uri = uriIn(await textOf(staying, 'master.m3u8'), 'audio');

    for (const next of threeRuns.slice(30)) {
      growing.push(next);
      expect(await textOf(staying, uri)).toBe(await textOf(hlsOver(growing), uri));
    }
  });

  test('shows a window that slides, with its wall time and one initialization per run', async () => {
    const uri = uriIn(await textOf(hlsOver(threeRuns.slice(0, 30)), 'master.m3u8'), 'video');

    const text = await textOf(hlsOver(threeRuns.slice(0, 45)), uri);

    const lines = text.split('\n');
    expect(lines.filter((line) => line.startsWith('media-')).length).toBe(limits.hlsWindowMs / 2_000 - 2);
    expect(lines.filter((line) => line.startsWith('#EXT-X-MAP')).length).toBe(2);
    expect(lines.filter((line) => line === '#EXT-X-DISCONTINUITY').length).toBe(1);
    expect(text).toContain(`#EXT-X-PROGRAM-DATE-TIME:${new Date(beginMs + 85_000).toISOString()}`);
    expect(text).not.toContain('#EXT-X-ENDLIST');
    expect(text).not.toContain('#EXT-X-PLAYLIST-TYPE');
    expect(text).toContain('#EXT-X-TARGETDURATION:2\n');
  });

  test('never goes back when retention has taken the beginning of the session and the server restarts', async () => {
    const uri = uriIn(await textOf(hlsOver(threeRuns.slice(0, 30)), 'master.m3u8'), 'video');
    const whole = numbersIn(await textOf(hlsOver(threeRuns), uri));

    const rest = numbersIn(await textOf(hlsOver(threeRuns.slice(50)), uri));

    for (const [segment, { media, discontinuity }] of rest) {
      expect(media).toBeGreaterThanOrEqual(must(whole.get(segment), 'the same window').media);
      expect(discontinuity).toBeGreaterThanOrEqual(must(whole.get(segment), 'the same window').discontinuity);
    }
  });

  test('keeps at least three segments when GOPs are long', async () => {
    const long = runOf({ runId: 'a', firstCounter: 1, atMs: beginMs, count: 10, durationMs: 20_000 });
    const uri = uriIn(await textOf(hlsOver(long), 'master.m3u8'), 'video');

    const text = await textOf(hlsOver(long), uri);

    expect(numbersIn(text).size).toBe(3);
    expect(text).toContain('#EXT-X-TARGETDURATION:20\n');
  });

  test('waits for the first fragment, for a bounded time', async () => {
    const clock = new SimulatedClock(beginMs);
    const hls = new Hls({ source: sourceOf([]), clock });

    const asked = hls.get({ streamId, file: 'master.m3u8', query: {} }).catch((error: unknown) => error);
    await clock.advance(limits.hlsFirstFragmentWaitMs + 1);

    expect(await asked).toMatchObject({ code: 'not_found', hint: expect.stringContaining('camera') });
  });

  test('of a camera that stopped long ago is an error, not a still picture', async () => {
    const clock = new SimulatedClock(beginMs + 3_600_000);
    const hls = new Hls({ source: sourceOf(threeRuns), clock });

    const asked = hls.get({ streamId, file: 'master.m3u8', query: {} }).catch((error: unknown) => error);
    await clock.advance(limits.hlsFirstFragmentWaitMs + 1);

    expect(await asked).toMatchObject({ code: 'unavailable' });
  });
});

describe('a recorded playlist', () => {
  const whole = `begin=${beginMs}&end=${beginMs + 110_000}`;

  test('is whole and ends', async () => {
    const hls = hlsOver(threeRuns);

    const text = await textOf(hls, uriIn(await textOf(hls, `master.m3u8?${whole}`), 'video'));

    expect(numbersIn(text).size).toBe(50);
    expect(text).toContain('#EXT-X-PLAYLIST-TYPE:VOD');
    expect(text.endsWith('#EXT-X-ENDLIST\n')).toBe(true);
  });

  test('of a range that still grows is an event without an end', async () => {
    const hls = hlsOver(threeRuns.slice(0, 50));
    const uri = uriIn(await textOf(hls, `master.m3u8?begin=${beginMs + 90_500}`), 'video');

    const text = await textOf(hls, uri);

    expect(text).toContain('#EXT-X-PLAYLIST-TYPE:EVENT');
    expect(text).toContain('#EXT-X-START:TIME-OFFSET=1.500,PRECISE=YES');
    expect(text).not.toContain('#EXT-X-ENDLIST');
    expect(numbersIn(await textOf(hlsOver(threeRuns), uri)).size).toBe(numbersIn(text).size + 60);
  });

  test('begins at the key frame before a continuation', async () => {
    const fragments = threeRuns
      .slice(0, 20)
      .map((one, at) => ({ ...one, fragment: { ...one.fragment, isKey: at % 5 === 0 } }));
    const hls = hlsOver(fragments);

    const text = await textOf(
      hls,
      uriIn(await textOf(hls, `master.m3u8?begin=${beginMs + 17_000}&end=${beginMs + 19_000}`), 'video'),
    );

    expect(numbersIn(text).size).toBe(5);
    expect(text).not.toContain('#EXT-X-INDEPENDENT-SEGMENTS');
  });

  test('gives silence in the codec of the other runs where a run has no sound', async () => {
    const fragments = [
      ...runOf({ runId: 'a', firstCounter: 1, atMs: beginMs, count: 3 }),
      ...runOf({ runId: 'b', firstCounter: 4, atMs: beginMs + 7_000, count: 3, tracks: [h264Track] }),
    ];
    const hls = hlsOver(fragments);

    const text = await textOf(hls, uriIn(await textOf(hls, `master.m3u8?${whole}`), 'audio'));

    expect(text.match(/^media-/gm)?.length).toBe(3);
    expect(text.match(/^silence-\d{47}-aac\.1190\.m4s$/gm)?.length).toBe(3);
    expect(text).toContain('#EXT-X-MAP:URI="init-silence-aac.1190.mp4"');
    const silence = await hls.get({ streamId, file: must(/^silence-.*$/m.exec(text), 'silence')[0], query: {} });
    expect(silence.isImmutable).toBe(true);
  });

  test('longer than a playlist may be is refused with a hint', async () => {
    const hls = hlsOver(threeRuns);

    const asked = textOf(hls, `master.m3u8?begin=0&end=${beginMs + 110_000}`);

    await expect(asked).rejects.toMatchObject({ code: 'invalid_argument', hint: expect.stringContaining('shorter') });
  });

  test('of a time without media tells where media lie', async () => {
    const hls = hlsOver(threeRuns);

    const asked = textOf(hls, `master.m3u8?begin=${beginMs + 120_000}&end=${beginMs + 130_000}`);

    await expect(asked).rejects.toMatchObject({
      code: 'not_found',
      context: { nearestBeforeMs: beginMs + 105_000, nearestAfterMs: beginMs + 200_000 },
    });
  });
});

describe('a master playlist', () => {
  const range = `master.m3u8?begin=${beginMs}&end=${beginMs + 60_000}`;

  function masterOf(tracks: readonly Track[]): Promise<string> {
    return textOf(hlsOver(runOf({ runId: 'a', firstCounter: 1, atMs: beginMs, count: 5, tracks })), range);
  }

  test('tells codecs, size, picture rate and bit rates', async () => {
    const text = await masterOf([h264Track, aacTrackOf48kHz]);

    expect(text).toContain('CODECS="avc1.4d4028,mp4a.40.2"');
    expect(text).toContain('RESOLUTION=1920x1080,FRAME-RATE=25.000');
    expect(Number(/[:,]BANDWIDTH=(\d+)/.exec(text)?.[1])).toBeGreaterThan(4_064_000);
    expect(text).toContain(
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-any",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"',
    );
  });

  test('offers G.711 as FLAC', async () => {
    const g711 = g711Track(2, { law: 'pcmu', samplingFrequencyHz: 8_000, channels: 1 });

    expect(await masterOf([h264Track, g711])).toContain('CODECS="avc1.4d4028,fLaC"');
  });

  test('leaves out what players cannot decode, and says why', async () => {
    const other: Track = {
      number: 3,
      kind: 'audio',
      codec: 'other',
      codecId: 'A_G726',
      codecPrivate: new Uint8Array(),
      codecString: undefined,
    };

    const text = await masterOf([h264Track, other]);

    expect(text).toContain('# track 3 is left out: players cannot decode A_G726');
    expect(text).not.toContain('TYPE=AUDIO');
  });

  test('of a stream that nobody can play is an error with the reasons', async () => {
    const other: Track = {
      number: 1,
      kind: 'video',
      codec: 'other',
      codecId: 'V_MJPEG',
      codecPrivate: new Uint8Array(),
      codecString: undefined,
    };

    await expect(masterOf([other])).rejects.toMatchObject({
      code: 'failed_precondition',
      hint: expect.stringContaining('V_MJPEG'),
    });
  });

  test('of audio alone has a variant without video', async () => {
    const text = await masterOf([{ ...aacTrackOf48kHz, number: 1 }]);

    expect(text).toContain('CODECS="mp4a.40.2"');
    expect(text).not.toContain('RESOLUTION');
    expect(text).toMatch(/^audio\.m3u8\?.*video=none/m);
  });

  test('of a range in which the video codec changed offers each codec alone, too', async () => {
    const fragments = [
      ...runOf({ runId: 'a', firstCounter: 1, atMs: beginMs, count: 5 }),
      ...runOf({ runId: 'b', firstCounter: 6, atMs: beginMs + 11_000, count: 5, tracks: [h265Track, aacTrackOf48kHz] }),
    ];
    const hls = hlsOver(fragments);

    const text = await textOf(hls, range);

    expect(text.match(/^video\.m3u8/gm)?.length).toBe(3);
    const h264Uri = must(/^video\.m3u8.*video=h264.*$/m.exec(text), 'variant of H.264')[0];
    expect(numbersIn(await textOf(hls, h264Uri)).size).toBe(5);
  });

  test('carries what it is told to in every URI', async () => {
    const hls = hlsOver(runOf({ runId: 'a', firstCounter: 1, atMs: beginMs, count: 5 }));

    const text = await textOf(hls, range, { SessionToken: 'abc~' });
    const media = await textOf(hls, uriIn(text, 'video'), { SessionToken: 'abc~' });

    const uris = [...`${text}${media}`.matchAll(/[^"\n]*\.(?:m3u8|mp4|m4s)[^"\n]*/gm)].map(([uri]) => uri);
    expect(uris.length).toBe(8);
    for (const uri of uris) expect(uri).toContain('SessionToken=abc%7E');
  });
});

test.each([
  ['video.m3u8'],
  ['video.m3u8?from=12&target=2&video=any'],
  [`video.m3u8?begin=${beginMs}&target=0&video=any`],
  [`video.m3u8?begin=${beginMs}&target=2&video=vp9`],
  ['master.m3u8?begin=yesterday'],
  ['master.m3u8?begin=9&end=3'],
  ['silence-1-aac.1190.m4s'],
  [`init-silence-pcmu.96000.1.mp4`],
  ['../etc/passwd'],
])('refuses %s as not one of our files', async (uri) => {
  const asked = textOf(hlsOver(threeRuns), uri);

  await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/invalid_argument|not_found/) });
});
