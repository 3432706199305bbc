import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { layBeside } from '../../../gateway/playback/hls/beside-main.ts';
import { numberFragments } from '../../../gateway/playback/hls/numbering.ts';
import { parseShift, shiftBetween, shiftToText } from '../../../gateway/playback/hls/shift.ts';
import { Hls, type PlayableFragment } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import {
  aacTrackOf48kHz,
  beginMs,
  h264Track,
  h265Track,
  type RunOptions,
  runOf,
  sourceOfStreams,
  streamId,
} from './fragments.ts';

const subId = 'stream-0002';
const smallTrack = { ...h264Track, video: { widthPixels: 640, heightPixels: 360 } };

const mainRun = (options: Partial<RunOptions> = {}) =>
  runOf({ runId: 'a', firstCounter: 1, atMs: beginMs, count: 30, wayMs: 40, ...options });
const subRun = (options: Partial<RunOptions> = {}) =>
  mainRun({ runId: 's', tracks: [smallTrack, aacTrackOf48kHz], ...options });

function camera(main: readonly PlayableFragment[], sub: readonly PlayableFragment[], nowMs = beginMs + 60_000) {
  const hls = new Hls({
    source: sourceOfStreams({ [streamId]: main, [subId]: sub }),
    clock: new SimulatedClock(nowMs),
  });
  return async (uri: string, options: { readonly isRecorded?: boolean; readonly isAlone?: boolean } = {}) => {
    const [file = '', query = ''] = uri.split('?');
    const { isRecorded = true, isAlone = false } = options;
    const beside = isAlone ? undefined : { streamId: subId, isRecorded };
    const answer = await hls.get({
      ...{ streamId, file, query: Object.fromEntries(new URLSearchParams(query)), sub: beside },
    });
    return String(answer.body);
  };
}

const recorded = `?begin=${beginMs}&end=${beginMs + 60_000}`;
const uriIn = (text: string, name: string) =>
  must(new RegExp(`(?<![a-z-])${name}\\.m3u8[^"\\n]*`).exec(text), `master names ${name}`)[0];
const tagsIn = (text: string, tag: string) => text.split('\n').filter((line) => line.startsWith(`#${tag}`));

describe('a master playlist of a camera with a sub stream', () => {
  test('lists both, the main one first, each with its own sound', async () => {
    const ask = camera(mainRun(), subRun());

    const text = await ask('master.m3u8');

    const [main = '', sub = ''] = tagsIn(text, 'EXT-X-STREAM-INF');
    expect(main).toMatch(/CODECS="avc1.4d4028,mp4a.40.2",RESOLUTION=1920x1080,.*AUDIO="audio-any"/);
    expect(sub).toMatch(/CODECS="avc1.4d4028,mp4a.40.2",RESOLUTION=640x360,.*AUDIO="audio-sub-any"/);
    expect(tagsIn(text, 'EXT-X-MEDIA')).toHaveLength(2);
    expect(text).not.toContain('SCORE');
  });

  test('lists the main stream alone when the sub stream is away, or not asked for', async () => {
    const gone = camera(mainRun(), subRun({ count: 3 }));
    const both = camera(mainRun(), subRun());

    expect(tagsIn(await gone('master.m3u8'), 'EXT-X-STREAM-INF')).toHaveLength(1);
    expect(tagsIn(await both('master.m3u8', { isAlone: true }), 'EXT-X-STREAM-INF')).toHaveLength(1);
    expect(tagsIn(await both(`master.m3u8${recorded}`), 'EXT-X-STREAM-INF')).toHaveLength(2);
    expect(tagsIn(await both(`master.m3u8${recorded}`, { isRecorded: false }), 'EXT-X-STREAM-INF')).toHaveLength(1);
    expect(tagsIn(await gone(`master.m3u8${recorded}`), 'EXT-X-STREAM-INF')).toHaveLength(1);
  });

  test('has sound in both or in none, so that players can go from one to the other', async () => {
    const mute = await camera(mainRun(), subRun({ tracks: [smallTrack] }))('master.m3u8');
    const loud = await camera(mainRun({ tracks: [h264Track] }), subRun())('master.m3u8');
    const silence = await camera(mainRun(), subRun({ tracks: [smallTrack] }))(uriIn(mute, 'sub-audio'));

    expect(tagsIn(mute, 'EXT-X-STREAM-INF')[1]).toMatch(/CODECS="avc1.4d4028,mp4a.40.2".*AUDIO="audio-sub-any"/);
    expect(silence).toContain('sub-silence-');
    expect(tagsIn(loud, 'EXT-X-MEDIA')).toEqual([]);
    expect(tagsIn(loud, 'EXT-X-STREAM-INF')[1]).toMatch(/CODECS="avc1.4d4028",/);
  });

  test('leaves the choice to players where one of them takes H.265 alone', async () => {
    const ask = camera(mainRun({ tracks: [h265Track, aacTrackOf48kHz] }), subRun());

    const codecs = tagsIn(await ask('master.m3u8'), 'EXT-X-STREAM-INF').map(
      (line) => /CODECS="([^"]*)"/.exec(line)?.[1],
    );

    expect(codecs).toEqual(['hvc1.1.6.L120.90,mp4a.40.2', 'avc1.4d4028,mp4a.40.2']);
  });
});

describe('the sub stream beside the main one', () => {
  test('has the dates and times of the main stream when its packets take longer', async () => {
    const ask = camera(mainRun(), subRun({ atMs: beginMs + 300, wayMs: 340 }), beginMs + 60_300);

    const live = await ask(uriIn(await ask('master.m3u8'), 'sub-video'));
    const past = await ask(uriIn(await ask(`master.m3u8${recorded}`), 'sub-video'));

    for (const text of [live, past]) {
      expect(tagsIn(text, 'EXT-X-PROGRAM-DATE-TIME')[0]).toContain(new Date(beginMs).toISOString());
      expect(text).toMatch(/sub-media-\d+-1\.m4s\?shift=300%7E300/);
    }
  });

  test('breaks where the main stream does, and fills what it lacks with gaps', async () => {
    const main = [
      ...mainRun({ count: 10 }),
      ...mainRun({ runId: 'b', firstCounter: 11, atMs: beginMs + 30_000, count: 10 }),
    ];
    const sub = [
      ...subRun({ count: 8 }),
      ...subRun({ runId: 't', firstCounter: 9, atMs: beginMs + 18_000, count: 20 }),
    ];

    const ask = camera(main, sub, beginMs + 3_600_000);
    const master = await ask(`master.m3u8${recorded}`);
    const lines = (await ask(uriIn(master, 'sub-video'))).split('\n');

    const durationS = (part: readonly string[]) =>
      part.flatMap((line) => /^#EXTINF:([\d.]+)/.exec(line)?.[1] ?? []).reduce((sum, s) => sum + Number(s), 0);
    const at = lines.indexOf('#EXT-X-DISCONTINUITY');
    expect(lines.filter((line) => line === '#EXT-X-DISCONTINUITY')).toHaveLength(1);
    expect(durationS(lines.slice(0, at))).toBeCloseTo(20, 2);
    expect(durationS(lines.slice(at))).toBeCloseTo(20, 2);
    expect(lines.filter((line) => line === '#EXT-X-GAP')).toHaveLength(1);
    expect(lines).toContain('#EXT-X-ENDLIST');
  });

  test('has the sound of the main stream where it lacks pictures', async () => {
    const sub = [...subRun({ count: 8 }), ...subRun({ runId: 't', firstCounter: 9, atMs: beginMs + 21_000, count: 9 })];
    const other = { ...aacTrackOf48kHz, codecPrivate: Uint8Array.of(0x12, 0x10) };
    const soundOf = async (main: readonly PlayableFragment[]) => {
      const ask = camera(main, sub, beginMs + 3_600_000);
      return (await ask(uriIn(await ask(`master.m3u8${recorded}`), 'sub-audio'))).split('\n');
    };

    const same = await soundOf(mainRun());
    const another = await soundOf(mainRun({ tracks: [h264Track, other] }));

    for (const lines of [same, another]) {
      const files = lines.filter((line) => line.endsWith('.m4s'));
      const durations = lines.flatMap((line) => /^#EXTINF:([\d.]+)/.exec(line)?.[1] ?? []).map(Number);
      expect(lines).not.toContain('#EXT-X-GAP');
      // From 16 s on, where the main stream cuts at even seconds.
      expect(files.slice(7, 12).map((file) => file.startsWith('sub-'))).toEqual([true, false, false, false, true]);
      expect(durations.slice(7, 12)).toEqual([2, 2, 2, 1, 2]);
    }
    // Three there, and eleven behind its end.
    expect(same.filter((line) => /^media-\d+-2\.m4s$/.test(line))).toHaveLength(14);
    expect(another.filter((line) => /^silence-\d+-aac\.1190\.m4s$/.test(line))).toHaveLength(14);
  });

  test('begins with the fragment that the range begins in, and players begin where they were asked to', async () => {
    const ask = camera(mainRun({ durationMs: 1_000 }), subRun({ atMs: beginMs - 500, wayMs: 40, count: 20 }));
    const askedMs = beginMs + 12_300;

    const master = await ask(`master.m3u8?begin=${askedMs}&end=${beginMs + 25_000}`);

    for (const name of ['video', 'sub-video', 'sub-audio']) {
      const text = await ask(uriIn(master, name));
      const begin = tagsIn(text, 'EXT-X-PROGRAM-DATE-TIME')[0]?.split('TIME:')[1] ?? '';
      const [start = ''] = tagsIn(text, 'EXT-X-START');
      expect(Date.parse(begin)).toBe(beginMs + 11_000);
      expect(start).toContain('TIME-OFFSET=1.300');
    }
    const pictures = (await ask(uriIn(master, 'sub-video')))
      .split('\n')
      .filter((line) => /^#EXT(INF|-X-GAP)/.test(line));
    expect(pictures.slice(0, 3)).toEqual(['#EXT-X-GAP', '#EXTINF:0.500,', '#EXTINF:2.000,']);
  });

  test('shares no number of a segment with it, since hls.js knows sound by number alone', async () => {
    const ask = camera(mainRun({ durationMs: 1_000 }), subRun(), beginMs + 60_300);

    for (const query of ['', recorded]) {
      const master = await ask(`master.m3u8${query}`);
      const firsts = await Promise.all(
        ['audio', 'sub-audio'].map(async (name) =>
          Number(tagsIn(await ask(uriIn(master, name)), 'EXT-X-MEDIA-SEQUENCE')[0]?.split(':')[1]),
        ),
      );
      expect(firsts).toEqual([0, 1_200_000_000]);
    }
  });

  test('leaves nothing out where its server time was slewed', () => {
    const main = numberFragments({ firstMediaSequence: 0 }, mainRun({ durationMs: 1_000 }));
    const sub = subRun({ count: 12 }).map(({ fragment, segment }, at) => {
      const slewedMs = Math.min(1_900, at * 700);
      return { fragment: { ...fragment, serverTimestampMs: fragment.serverTimestampMs - slewedMs }, segment };
    });

    const laid = layBeside(main, sub, { isWhole: true, pieceMs: 1_000 });

    expect(laid.flatMap(({ reference }) => reference ?? [])).toEqual(sub);
    expect(laid.every(({ beginMs: from }, at) => at === 0 || from === laid[at - 1]?.endMs)).toBe(true);
  });

  test('waits for the main stream while the range still grows', () => {
    const main = numberFragments({ firstMediaSequence: 0 }, mainRun({ count: 3 }));
    const sub = subRun({ count: 10, durationMs: 1_000 });

    const growing = layBeside(main, sub, { isWhole: false, pieceMs: 2_000 });
    const whole = layBeside(main, sub.slice(0, 4), { isWhole: true, pieceMs: 2_000 });

    expect(growing.map(({ endMs }) => endMs - beginMs)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000, 6_000]);
    expect(whole.map(({ reference }) => reference !== undefined)).toEqual([true, true, true, true, false]);
  });

  test('covers the main stream without overlap, whatever both are made of', () => {
    const runs = fc.array(
      fc.record({ pauseMs: fc.integer({ min: 0, max: 9_000 }), count: fc.integer({ min: 1, max: 6 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    const streamOf = (parts: readonly { pauseMs: number; count: number }[], durationMs: number, name: string) => {
      let atMs = beginMs;
      return parts.flatMap(({ pauseMs, count }, i) => {
        const run = runOf({ runId: `${name}${i}`, firstCounter: 1 + i * 10, atMs: atMs + pauseMs, count, durationMs });
        atMs += pauseMs + count * durationMs;
        return run;
      });
    };
    fc.assert(
      fc.property(runs, runs, fc.integer({ min: 300, max: 4_000 }), (ofMain, ofSub, durationMs) => {
        const main = numberFragments({ firstMediaSequence: 0 }, streamOf(ofMain, 2_000, 'm'));
        const laid = layBeside(main, streamOf(ofSub, durationMs, 's'), { isWhole: true, pieceMs: 2_000 });

        const lengthMs = laid.reduce((sum, { beginMs: from, endMs }) => sum + endMs - from, 0);
        expect(lengthMs).toBe(main.reduce((sum, { reference }) => sum + reference.fragment.durationMs, 0));
        laid.forEach((entry, at) => {
          expect(entry.endMs).toBeGreaterThan(entry.beginMs);
          if (at > 0) expect(entry.beginMs).toBeGreaterThanOrEqual(must(laid[at - 1], 'one before').endMs);
        });
        expect(laid.at(-1)?.discontinuitySequence).toBe(main.at(-1)?.discontinuitySequence);
      }),
      {
        examples: [
          [
            [
              { pauseMs: 4_577, count: 1 },
              { pauseMs: 2_488, count: 4 },
              { pauseMs: 0, count: 1 },
            ],
            [
              { pauseMs: 0, count: 4 },
              { pauseMs: 1_996, count: 1 },
            ],
            3_766,
          ],
        ],
        numRuns: 500,
      },
    );
  });
});

describe('the shift of a sub stream', () => {
  test('is found by sender reports, and not by clocks that have nothing in common', () => {
    expect(shiftBetween(mainRun(), subRun({ wayMs: 340 }))).toEqual({ dateMs: 300, mediaMs: 300 });
    expect(shiftBetween(mainRun(), subRun({ wayMs: 3_600_040 }))).toEqual({ dateMs: 0, mediaMs: 0 });
    expect(shiftBetween(mainRun(), subRun({ wayMs: 0 }))).toEqual({ dateMs: 0, mediaMs: 0 });
  });

  test('counts what a run that began behind a backlog is ahead by', () => {
    const late = subRun({ wayMs: 40 }).map(({ fragment, segment }) => ({
      fragment: {
        ...fragment,
        serverTimestampMs: fragment.serverTimestampMs - 1_500,
        producerTimestampMs: fragment.producerTimestampMs - 1_500,
      },
      segment,
    }));

    expect(shiftBetween(mainRun(), late)).toEqual({ dateMs: 0, mediaMs: 1_500 });
  });

  test('is the same after a way through a URI, and nothing else is taken for one', () => {
    for (const shift of [
      { dateMs: -120, mediaMs: 35 },
      { dateMs: 0, mediaMs: 0 },
    ]) {
      expect(parseShift(shiftToText(shift))).toEqual(shift);
    }
    for (const text of ['', '1', '1~', '1~2~3', '1.5~2', '99999~1', 'NaN~1']) expect(parseShift(text)).toBeUndefined();
  });
});
