import { describe, expect, test } from 'vitest';
import { aac, g711, numbersIn, numbersOf, player, RowStream, seconds, startMs, tag, video } from './sessions.ts';

const laterMs = startMs + 3_600_000;
const noFragments = 'No fragments found in the stream for the HLS streaming request.';

function recorded(from = 0, to: number | undefined = 600, more = {}) {
  return { PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(from, to), ...more };
}

describe('recorded sessions', () => {
  test('(85) a whole playlist has the oldest fragments that begin in the range, both ends included', async () => {
    const stream = new RowStream();
    const fragments = stream.run({ atMs: startMs, count: 10 });
    const { hls, playlist } = player(stream);

    const whole = await playlist(await hls(recorded(1, 8), laterMs), laterMs);
    const first = await playlist(await hls(recorded(0, 600, { MaxMediaPlaylistFragmentResults: 3 }), laterMs), laterMs);

    expect(numbersIn(whole)).toEqual(numbersOf(fragments.slice(1, 5)));
    expect(numbersIn(first)).toEqual(numbersOf(fragments.slice(0, 3)));
    expect([tag(whole, 'EXT-X-PLAYLIST-TYPE'), whole.at(-2)]).toEqual(['VOD', '#EXT-X-ENDLIST']);
  });

  test('(83) marks stand before every fragment, nowhere, or where more than 50 ms are missing, by mode', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 2 });
    stream.run({ atMs: startMs + 4_040, count: 2 });
    stream.run({ atMs: startMs + 8_100, count: 1 });
    const { hls, playlist } = player(stream);
    const marks = async (options: object) => {
      const lines = await playlist(await hls(recorded(0, 600, options), laterMs), laterMs);
      const shown = lines.filter((line) => line.startsWith('#EXT-X-DISCONTINUITY') || line.startsWith('#EXTINF'));
      return shown.map((line) => (line.startsWith('#EXTINF') ? '.' : '|')).join('');
    };

    expect(await marks({ DiscontinuityMode: 'ALWAYS' })).toBe('|.|.|.|.|.');
    expect(await marks({ DiscontinuityMode: 'NEVER' })).toBe('.....');
    expect(await marks({ DiscontinuityMode: 'ON_DISCONTINUITY' })).toBe('....|.');
    expect(await marks({})).toBe('|.|.|.|.|.');
    expect(await marks({ HLSFragmentSelector: seconds(-1, 600, 'PRODUCER_TIMESTAMP') })).toBe('.....');
  });

  test('(84) dates are of the selected time, and only there when they are asked for', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 2, producerMs: -777 });
    const { hls, playlist } = player(stream);
    const dates = async (options: object) =>
      (await playlist(await hls(recorded(0, 600, options), laterMs), laterMs)).filter((line) =>
        line.includes('DATE-TIME'),
      );

    expect(await dates({})).toEqual([]);
    expect(await dates({ DisplayFragmentTimestamp: 'NEVER' })).toEqual([]);
    expect(await dates({ DisplayFragmentTimestamp: 'ALWAYS' })).toEqual([
      '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.000Z',
      '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:02.000Z',
    ]);
    const byProducer = {
      DisplayFragmentTimestamp: 'ALWAYS',
      HLSFragmentSelector: seconds(-2, 600, 'PRODUCER_TIMESTAMP'),
    };
    expect(await dates(byProducer)).toEqual([
      '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T11:59:59.223Z',
      '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:01.223Z',
    ]);
  });

  test('(87) of fragments with the same producer time the newest is played', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 3, producerMs: 0 });
    const again = stream.run({ atMs: startMs + 60_000, count: 3, producerMs: -60_000 });
    const { hls, playlist } = player(stream);

    const url = await hls(recorded(0, 600, { HLSFragmentSelector: seconds(0, 50, 'PRODUCER_TIMESTAMP') }), laterMs);

    expect(numbersIn(await playlist(url, laterMs))).toEqual(numbersOf(again));
  });

  test('(88) another set-up of the camera is another initialization with a higher number', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 2 });
    stream.run({ atMs: startMs + 4_000, count: 1, tracks: [{ ...video, codecPrivate: Uint8Array.of(9) }, aac] });
    stream.run({ atMs: startMs + 6_000, count: 1 });
    const { hls, playlist } = player(stream);

    const lines = await playlist(await hls(recorded(), laterMs), laterMs);

    expect(lines.flatMap((line) => /SequenceNumber=(\d+)/.exec(line)?.[1] ?? [])).toEqual(['0', '1', '2']);
  });

  test('fragments that go on with the pictures before are neither marked nor shown without these', async () => {
    const stream = new RowStream();
    const first = stream.run({ atMs: startMs, count: 4, continuations: [1, 3] });
    stream.run({ atMs: startMs + 60_000, count: 2, continuations: [0, 1] });
    const last = stream.run({ atMs: startMs + 80_000, count: 2, continuations: [0] });
    const { hls, playlist } = player(stream);

    const lines = await playlist(await hls(recorded(0, 600, { DiscontinuityMode: 'ALWAYS' }), laterMs), laterMs);

    expect(numbersIn(lines)).toEqual(numbersOf([...first, ...last.slice(1)]));
    expect(lines.filter((line) => line === '#EXT-X-DISCONTINUITY')).toHaveLength(3);
    expect(lines).not.toContain('#EXT-X-INDEPENDENT-SEGMENTS');
  });

  test('sound that is missing for a while is silence, and G.711 is left out', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 1 });
    stream.run({ atMs: startMs + 2_000, count: 1, tracks: [video] });
    const other = new RowStream();
    other.run({ atMs: startMs, count: 1, tracks: [video, g711] });
    const { hls, playlist, get } = player(stream);
    const mute = player(other);

    const sound = await playlist(await hls(recorded(), laterMs), laterMs, 2);
    const master = await mute.get(await mute.hls(recorded(), laterMs), laterMs);
    const unlike = await get(await hls(recorded(), laterMs), laterMs);

    expect(sound.filter((line) => line.startsWith('getMP4Media'))[1]).toMatch(/&Silence=aac\.1188$/);
    expect(sound.filter((line) => line.includes('EXT-X-MAP'))).toHaveLength(1);
    expect(master.body).toContain('CODECS="avc1.42c01e"');
    expect(master.body).not.toContain('EXT-X-MEDIA');
    expect(unlike.body).toContain('CODECS="avc1.42c01e,mp4a.40.2"');
  });

  test('a range with nothing in it is told in the words that clients know', async () => {
    const { hls } = player(new RowStream());

    await expect(hls(recorded(), laterMs)).rejects.toMatchObject({
      message: noFragments,
      context: { awsName: 'ResourceNotFoundException' },
    });
  });

  test('of footage that was removed the same words are told, and that it was', async () => {
    const asked: unknown[] = [];
    const absence = (_: string, range: { beginMs: number; endMs: number }) => {
      asked.push(range);
      const text = 'removed: the disk was getting full';
      return { ...range, kind: 'removed' as const, reason: 'disk-full', removedMs: startMs, text };
    };
    const { hls } = player(Object.assign(new RowStream(), { absence }));

    await expect(hls(recorded(), laterMs)).rejects.toMatchObject({
      message: `${noFragments} The footage of that time was removed: the disk was getting full.`,
      context: { awsName: 'ResourceNotFoundException' },
    });
    expect(asked).toEqual([{ beginMs: startMs, endMs: startMs + 600_000 }]);
  });

  test('what is older than the retention is not there, in playlists and for those who know its number', async () => {
    const stream = new RowStream();
    const [old, ...kept] = stream.run({ atMs: startMs, count: 4 });
    const { hls, playlist, get } = player(stream, { retentionHours: 1 });
    const url = await hls(recorded(), startMs + 3_600_000);
    const lines = await playlist(url, startMs + 3_600_000);

    const nowMs = startMs + 3_601_000;

    expect(numbersIn(lines)).toEqual(numbersOf([old, ...kept].filter((one) => one !== undefined)));
    expect(numbersIn(await playlist(url, nowMs - 3_601_000 + 3_600_001))).toEqual(numbersOf(kept));
    const gone = new URL(lines.find((line) => line.includes(old?.number ?? '')) ?? '', url).href;
    await expect(get(gone, nowMs - 3_601_000 + 3_600_001)).rejects.toMatchObject({
      context: { awsName: 'ResourceNotFoundException' },
    });
  });
});

describe('live sessions', () => {
  const live = { PlaybackMode: 'LIVE' };

  test('(78) a stream without a fragment in the last 30 seconds is not live', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 5 });
    const { hls } = player(stream);

    await expect(hls(live, startMs + 10_000 + 30_000)).resolves.toContain('/hls/v1/getHLSMasterPlaylist.m3u8?');
    await expect(hls({}, startMs + 10_000 + 30_001)).rejects.toMatchObject({ message: noFragments });
  });

  test('(85, 110) the newest fragments slide, with numbers that no restart changes', async () => {
    const stream = new RowStream();
    const first = stream.run({ atMs: startMs, count: 8 });
    const { hls, playlist, restart } = player(stream);
    const url = await hls({}, startMs + 16_000);

    const before = await playlist(url, startMs + 16_000);
    const second = stream.run({ atMs: startMs + 20_000, count: 4 });
    const after = await playlist(url, startMs + 28_000);
    restart();
    const again = await playlist(url, startMs + 28_000);

    expect(numbersIn(before)).toEqual(numbersOf(first.slice(3)));
    expect([tag(before, 'EXT-X-MEDIA-SEQUENCE'), tag(after, 'EXT-X-MEDIA-SEQUENCE')]).toEqual(['0', '4']);
    expect(numbersIn(after)).toEqual(numbersOf([...first.slice(7), ...second]));
    expect(tag(after, 'EXT-X-DISCONTINUITY-SEQUENCE')).toBe('4');
    expect(again).toEqual(after);
    expect(before.join()).not.toMatch(/ENDLIST|PLAYLIST-TYPE/);
  });

  test('(85) a fragment of an earlier producer time that comes late is not put in between', async () => {
    const stream = new RowStream();
    const first = stream.run({ atMs: startMs, count: 2, producerMs: 0 });
    const { hls, playlist } = player(stream);
    const url = await hls({ HLSFragmentSelector: { FragmentSelectorType: 'PRODUCER_TIMESTAMP' } }, startMs + 4_000);
    await playlist(url, startMs + 4_000);

    stream.run({ atMs: startMs + 4_000, count: 1, producerMs: -4_000 });
    const next = stream.run({ atMs: startMs + 6_000, count: 1, producerMs: 0 });

    expect(numbersIn(await playlist(url, startMs + 8_000))).toEqual(numbersOf([...first, ...next]));
  });

  test('goes on when a clock is set back: that of this machine, or that of a source', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 3, producerMs: 0 });
    const byProducer = { HLSFragmentSelector: { FragmentSelectorType: 'PRODUCER_TIMESTAMP' } };
    const { hls, playlist } = player(stream);
    const nowMs = startMs + 6_000;
    const [server = '', producer = ''] = [await hls({}, nowMs), await hls(byProducer, nowMs)];
    for (const url of [server, producer]) await playlist(url, nowMs);

    const back = stream.run({ atMs: startMs - 600_000, count: 2, producerMs: 606_000 });
    const told = stream.run({ atMs: startMs - 500_000, count: 2, producerMs: 0 });

    const laterMs = startMs - 490_000;
    expect(numbersIn(await playlist(server, laterMs)).slice(-4)).toEqual(numbersOf([...back, ...told]));
    const lines = await playlist(producer, laterMs);
    expect(numbersIn(lines).slice(-4)).toEqual(numbersOf([...back, ...told]));
    expect(lines.at(-2)).toMatch(/&Skipped=-\d+$/);
  });

  test('numbers go on where the beginning of the session was removed meanwhile', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 30 });
    const { hls, playlist, restart } = player(stream);
    const url = await hls({ Expires: 43_200 }, startMs + 60_000);
    const before = await playlist(url, startMs + 60_000);
    const next = stream.run({ atMs: startMs + 60_000, count: 6 });

    stream.references.splice(0, 31);
    restart();
    const after = await playlist(url, startMs + 72_000);

    expect(numbersIn(after)).toEqual(numbersOf(next.slice(1)));
    expect(Number(tag(after, 'EXT-X-MEDIA-SEQUENCE'))).toBeGreaterThanOrEqual(
      Number(tag(before, 'EXT-X-MEDIA-SEQUENCE')) + 6,
    );
  });
});

describe('replays', () => {
  test('(86) each fragment is shown when the one before is over, as often as the playlist is asked for, and to the end', async () => {
    const stream = new RowStream();
    const fragments = stream.run({ atMs: startMs, count: 5 });
    const { hls, playlist, restart } = player(stream);
    const url = await hls({ PlaybackMode: 'LIVE_REPLAY', HLSFragmentSelector: seconds(0, 7) }, laterMs);
    const shown = async (afterMs: number) => numbersIn(await playlist(url, laterMs + afterMs)).length;

    expect([await shown(0), await shown(1_999), await shown(2_000), await shown(4_500)]).toEqual([1, 1, 2, 3]);
    restart();
    expect(await shown(4_500)).toBe(3);
    const last = await playlist(url, laterMs + 60_000);
    expect(numbersIn(last)).toEqual(numbersOf(fragments.slice(0, 4)));
    expect(last).toContain('#EXT-X-ENDLIST');
  });

  test('(86) without an end it goes over into what is live', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 3 });
    const nowMs = startMs + 6_000;
    const { hls, playlist } = player(stream);
    const url = await hls({ PlaybackMode: 'LIVE_REPLAY', HLSFragmentSelector: seconds(0, undefined) }, nowMs);

    const caughtUp = await playlist(url, nowMs + 5_000);
    const added = stream.run({ atMs: nowMs, count: 4 });
    const later = await playlist(url, nowMs + 8_000);

    expect(numbersIn(caughtUp)).toHaveLength(3);
    expect(numbersIn(later)).toHaveLength(5);
    expect(numbersIn(later).slice(-1)).toEqual(numbersOf(added.slice(1, 2)));
    expect(later).not.toContain('#EXT-X-ENDLIST');
  });
});

describe('what is wrong with a stream', () => {
  const withTracks = (tracks: Parameters<RowStream['run']>[0]['tracks']) => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 1, ...(tracks === undefined ? {} : { tracks }) });
    return player(stream);
  };
  const other = { ...video, codec: 'other', codecString: undefined } as const;

  test.each([
    ['no codec private data', [{ ...other, codecPrivate: new Uint8Array() }], {}, 'MissingCodecPrivateDataException'],
    ['codec private data that is garbage', [other], {}, 'InvalidCodecPrivateDataException'],
    ['a codec of its own', [{ ...other, codecId: 'V_VP8' }], {}, 'UnsupportedStreamMediaTypeException'],
    ['G.711 alone', [g711], {}, 'UnsupportedStreamMediaTypeException'],
    [
      'H.265 in a transport stream',
      [{ ...video, codec: 'h265', codecId: 'V_MPEGH/ISO/HEVC', codecString: 'hvc1.1.6.L93.B0' } as const],
      { ContainerFormat: 'MPEG_TS' },
      'UnsupportedStreamMediaTypeException',
    ],
  ])('(89) %s', async (_, tracks, options, name) => {
    await expect(withTracks(tracks).hls(recorded(0, 600, options), laterMs)).rejects.toMatchObject({
      context: { awsName: name },
    });
  });

  test('(89) a stream without retention has nothing to be played', async () => {
    const { hls } = player(new RowStream(), { retentionHours: 0 });

    await expect(hls({}, laterMs)).rejects.toMatchObject({ context: { awsName: 'NoDataRetentionException' } });
  });
});
