import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SessionTokens } from '../../../../gateway/kvs/index.ts';
import { isAppError } from '../../../../storage/base/errors.ts';
import { fragmentNumber } from '../../../../storage/model/fragment-number.ts';
import { player, RowStream, seconds, startMs } from './sessions.ts';

const nowMs = startMs + 3_600_000;

const session = fc.record({
  streamId: fc.string({ maxLength: 40 }),
  streamName: fc.stringMatching(/^[a-zA-Z0-9_.-]{1,256}$/),
  owner: fc.string({ maxLength: 400 }),
  protocol: fc.constantFrom('hls' as const, 'dash' as const),
  mode: fc.constantFrom('live' as const, 'live-replay' as const, 'on-demand' as const),
  axis: fc.constantFrom('server' as const, 'producer' as const),
  range: fc.option(fc.record({ beginMs: fc.nat(), endMs: fc.option(fc.nat(), { nil: undefined }) }), {
    nil: undefined,
  }),
  container: fc.constantFrom('fmp4' as const, 'ts' as const),
  discontinuity: fc.constantFrom('always' as const, 'never' as const, 'on-discontinuity' as const),
  showsTimestamps: fc.boolean(),
  showsNumbers: fc.boolean(),
  resultsMax: fc.integer({ min: 1, max: 5_000 }),
  startedMs: fc.constant(nowMs),
  expiresMs: fc.constant(nowMs + 300_000),
  anchor: fc.option(
    fc.nat(1_000_000).map((counter) => fragmentNumber(counter, startMs, 3)),
    { nil: undefined },
  ),
  leadMs: fc.nat(),
});

function tokens(secret = 1): SessionTokens {
  let nonce = 0;
  return new SessionTokens(
    { random: (bytes) => new Uint8Array(bytes).fill(++nonce) },
    { secret: new Uint8Array(32).fill(secret) },
  );
}

const refused = { context: { awsName: 'AccessDeniedException' }, message: 'The streaming session token is not valid' };

describe('session tokens', () => {
  test('give back what was sealed, in letters that a URL takes as they are', () => {
    fc.assert(
      fc.property(session, (sealed) => {
        const token = tokens().seal(sealed);

        expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(tokens().open(token, nowMs)).toEqual(sealed);
      }),
    );
  });

  test('of which one character is another one, is missing or is too much, open nothing', () => {
    fc.assert(
      fc.property(session, fc.nat(), fc.constantFrom('A', 'b', '9', '-', '_', '~', '=', '%'), (sealed, at, letter) => {
        const token = tokens().seal(sealed);
        const place = at % token.length;
        const spoiled = [
          token.slice(0, place) + letter + token.slice(place + 1),
          token.slice(0, place) + token.slice(place + 1),
          token.slice(0, place) + letter + token.slice(place),
        ].filter((one) => one !== token);

        for (const one of spoiled) expect(() => tokens().open(one, nowMs)).toThrow(expect.objectContaining(refused));
      }),
    );
  });

  test('are refused whatever else they are', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 7_000 }), (text) => {
        try {
          tokens().open(text, nowMs);
          expect.unreachable();
        } catch (error) {
          expect(isAppError(error, 'permission_denied')).toBe(true);
        }
      }),
    );
  });

  test('open nothing under another key', () => {
    const [sealed] = fc.sample(session, 1);

    if (sealed === undefined) expect.unreachable();
    expect(() => tokens(2).open(tokens(1).seal(sealed), nowMs)).toThrow(expect.objectContaining(refused));
  });
});

describe('an expired session', () => {
  test('(80) opens none of what it named: playlists, initialization, media', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 2 });
    const { hls, dash, get } = player(stream);
    const range = { PlaybackMode: 'ON_DEMAND', Expires: 300 };
    const hlsUrl = await hls({ ...range, HLSFragmentSelector: seconds(0, 60) }, nowMs);
    const dashUrl = await dash({ ...range, DASHFragmentSelector: seconds(0, 60) }, nowMs);
    const number = stream.references[0]?.fragment.number;
    const urls = [
      hlsUrl,
      `${hlsUrl.replace('Master', 'Media')}&TrackNumber=1`,
      `${hlsUrl.replace('getHLSMasterPlaylist.m3u8', 'getMP4MediaFragment.mp4')}&TrackNumber=1&FragmentNumber=${number}`,
      `${hlsUrl.replace('getHLSMasterPlaylist.m3u8', 'getTSFragment.ts')}&FragmentNumber=${number}`,
      dashUrl,
      `${dashUrl.replace('getDASHManifest.mpd', 'getMP4InitFragment.mp4')}&TrackNumber=1`,
    ];

    for (const url of urls) {
      await expect(get(url, nowMs + 300_000)).rejects.toMatchObject({
        message: 'Streaming session token is expired',
        context: { awsName: 'AccessDeniedException' },
      });
    }
    await expect(get(hlsUrl, nowMs + 299_999)).resolves.toBeDefined();
  });
});

describe('a session', () => {
  test('ends when its owner may not any more, who is asked about at each request', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 2 });
    const { hls, get, admitted } = player(stream);
    const url = await hls({ PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(0, 60) }, nowMs);
    await get(url, nowMs);

    admitted.isAdmitted = false;

    expect(admitted.owners).toEqual(['somebody']);
    await expect(get(url, nowMs)).rejects.toMatchObject({ context: { awsName: 'AccessDeniedException' } });
    // What it asks for now takes nothing from the stream's quota.
    expect(admitted.counted).toEqual(['/hls/v1/getHLSMasterPlaylist.m3u8 gate 1000']);
  });

  test('opens no fragment outside of its range, and nothing of the other protocol', async () => {
    const stream = new RowStream();
    const [first, , third] = stream.run({ atMs: startMs, count: 3 });
    const { hls, get } = player(stream);
    const url = await hls({ PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(1, 3) }, nowMs);
    const media = url.replace('getHLSMasterPlaylist.m3u8', 'getMP4MediaFragment.mp4');

    for (const number of [first?.number, third?.number]) {
      await expect(get(`${media}&FragmentNumber=${number}&TrackNumber=1`, nowMs)).rejects.toMatchObject({
        context: { awsName: 'ResourceNotFoundException' },
      });
    }
    await expect(
      get(url.replace('/hls/v1/getHLSMasterPlaylist.m3u8', '/dash/v1/getDASHManifest.mpd'), nowMs),
    ).rejects.toMatchObject({
      context: { awsName: 'ResourceNotFoundException' },
    });
  });

  test('refuses parameters that are none of ours, by the name of what is wrong', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 1 });
    const { hls, get } = player(stream);
    const url = await hls({ PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(0, 60) }, nowMs);
    const media = url.replace('getHLSMasterPlaylist.m3u8', 'getMP4MediaFragment.mp4');
    const init = url.replace('getHLSMasterPlaylist.m3u8', 'getMP4InitFragment.mp4');

    for (const wrong of [
      `${media}&FragmentNumber=1&TrackNumber=1`,
      `${media}&FragmentNumber=${'9'.repeat(47)}&TrackNumber=1`,
      `${media}&FragmentNumber=${stream.references[0]?.fragment.number}&TrackNumber=7`,
      `${media}&FragmentNumber=${stream.references[0]?.fragment.number}&TrackNumber=1&Skipped=x`,
      `${init}&SequenceNumber=-1`,
      `${init}&SequenceNumber=x`,
    ]) {
      await expect(get(wrong, nowMs)).rejects.toMatchObject({ context: { awsName: 'InvalidArgumentException' } });
    }
  });

  test('answers whatever is asked of it by what it names or by a refusal of AWS', async () => {
    const stream = new RowStream();
    stream.run({ atMs: startMs, count: 3 });
    const { hls, dash, get } = player(stream);
    const urls = [
      await hls({ PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(0, 60) }, nowMs),
      await hls(
        { PlaybackMode: 'LIVE_REPLAY', ContainerFormat: 'MPEG_TS', HLSFragmentSelector: seconds(0, 60) },
        nowMs,
      ),
      await dash({ PlaybackMode: 'ON_DEMAND', DASHFragmentSelector: seconds(0, 60) }, nowMs),
    ];
    const names = [
      'getHLSMasterPlaylist.m3u8',
      'getHLSMediaPlaylist.m3u8',
      'getMP4InitFragment.mp4',
      'getTSFragment.ts',
    ];
    const file = fc.constantFrom(...names, 'getMP4MediaFragment.mp4', 'getDASHManifest.mpd');
    const known = stream.references.map(({ fragment }): string => fragment.number);
    const value = fc.oneof(fc.string({ maxLength: 60 }), fc.constantFrom('0', '1', '2', '-1', '1e9', ...known));
    const query = fc.dictionary(
      fc.constantFrom('TrackNumber', 'SequenceNumber', 'FragmentNumber', 'Silence', 'Skipped', 'SessionToken'),
      value,
    );

    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...urls), file, query, async (url, name, parameters) => {
        const asked = new URL(url);
        asked.pathname = asked.pathname.replace(/[^/]+$/, name);
        for (const [key, text] of Object.entries(parameters)) asked.searchParams.append(key, text);
        try {
          await get(asked.href, nowMs);
        } catch (error) {
          // Rows have no bytes: whatever got so far would have been answered.
          expect(
            isAppError(error) &&
              ['invalid_argument', 'not_found', 'permission_denied', 'unimplemented', 'failed_precondition'].includes(
                error.code,
              ),
          ).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
