/** Streaming sessions by the AWS SDK, read as players and ffmpeg read them. Numbers are those of the checklist. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { must } from '../../../storage/base/assert.ts';
import { probeFrames } from '../../kit/judge.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { codedClip } from '../playback/coded-clips.ts';
import { fetched, mediaPlaylistOf, startPlaybackSite, TimedStream, urisOf } from './playback-kit.ts';

const run = promisify(execFile);
/** Within the retention of a day. */
const hourAgoMs = Math.floor(performance.timeOrigin / 1000) * 1000 - 3_600_000;

function onDemand(more = {}) {
  const TimestampRange = { StartTimestamp: new Date(hourAgoMs), EndTimestamp: new Date(hourAgoMs + 1_800_000) };
  return {
    PlaybackMode: 'ON_DEMAND',
    HLSFragmentSelector: { FragmentSelectorType: 'SERVER_TIMESTAMP', TimestampRange },
    ...more,
  } as const;
}

async function recorded(clip: Parameters<typeof codedClip>[0] = { seconds: 4 }): Promise<TimedStream> {
  const stream = new TimedStream();
  stream.addRun(await codedClip(clip), { atMs: hourAgoMs });
  return stream;
}

test('(81, 85) a recorded range is a master playlist with a sound group, and whole playlists of the oldest fragments', async () => {
  const stream = await recorded({ seconds: 8 });
  const site = await startPlaybackSite(stream);

  const url = await site.hlsUrl(onDemand({ MaxMediaPlaylistFragmentResults: 5 }));
  const { master, text, url: mediaUrl } = await mediaPlaylistOf(url);

  const token = must(/SessionToken=([\w-]+)$/.exec(url)?.[1], 'has a token');
  expect(master.split('\n')).toEqual([
    '#EXTM3U',
    '#EXT-X-VERSION:1',
    `#EXT-X-MEDIA:AUTOSELECT=YES,FORCED=NO,TYPE=AUDIO,URI="getHLSMediaPlaylist.m3u8?SessionToken=${token}&TrackNumber=2",GROUP-ID="audio",DEFAULT=NO,NAME="audio"`,
    expect.stringMatching(
      /^#EXT-X-STREAM-INF:CODECS="avc1\.[0-9a-f]{6},mp4a\.40\.2",RESOLUTION=320x180,FRAME-RATE=25\.00,BANDWIDTH=\d+,AUDIO="audio"$/,
    ),
    `getHLSMediaPlaylist.m3u8?SessionToken=${token}&TrackNumber=1`,
    '',
  ]);
  const mapUri = `getMP4InitFragment.mp4?SessionToken=${token}&TrackNumber=1&SequenceNumber=0`;
  expect(text.split('\n').slice(0, 9)).toEqual([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-TARGETDURATION:1',
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    '#EXT-X-DISCONTINUITY',
    `#EXT-X-MAP:URI="${mapUri}"`,
    '#EXTINF:1.000,',
  ]);
  expect(text.trimEnd().endsWith('#EXT-X-ENDLIST')).toBe(true);
  const uris = urisOf(text, mediaUrl);
  expect(uris.map((uri) => new URL(uri).searchParams.get('FragmentNumber'))).toEqual(
    stream.fragments.slice(0, 5).map(({ fragment }) => fragment.number),
  );
  const init = await fetched(new URL(mapUri, mediaUrl).href);
  const media = await fetched(uris[0] ?? '');
  expect([init.status, init.headers.get('content-type'), init.bytes.toString('latin1', 4, 8)]).toEqual([
    200,
    'video/mp4',
    'ftyp',
  ]);
  expect([media.status, media.bytes.toString('latin1', 4, 8)]).toEqual([200, 'moof']);
});

test.each([
  ['fMP4', 0, {}],
  ['transport streams', 0, { ContainerFormat: 'MPEG_TS' }],
  ['transport streams with reordered pictures', 2, { ContainerFormat: 'MPEG_TS' }],
] as const)('(82) ffmpeg reads every picture of a session in %s', async (_, bFrames, options) => {
  const stream = await recorded({ seconds: 4, bFrames });
  const site = await startPlaybackSite(stream);

  const found = await probeFrames(await site.hlsUrl(onDemand({ ...options, DiscontinuityMode: 'ON_DISCONTINUITY' })));

  expect(found.find(({ codec_type }) => codec_type === 'video')).toMatchObject({
    codec_name: 'h264',
    nb_read_frames: '100',
  });
  // Sound is filled up to whole fragments; the last frames of a segment may be cut by the reader.
  const sound = found.find(({ codec_type }) => codec_type === 'audio');
  expect(Number(sound?.nb_read_frames)).toBeGreaterThan(180);
});

test('(82) segments of a transport stream joined are one stream without a counter that breaks', async () => {
  const site = await startPlaybackSite(await recorded({ seconds: 5, bFrames: 2 }));
  const { text, url } = await mediaPlaylistOf(await site.hlsUrl(onDemand({ ContainerFormat: 'MPEG_TS' })));
  const parts: Buffer[] = [];
  for (const uri of urisOf(text, url)) {
    const part = await fetched(uri);
    expect([part.status, part.headers.get('content-type')]).toEqual([200, 'video/mp2t']);
    parts.push(part.bytes);
  }
  const path = join(await temporaryDirectory(), 'joined.ts');
  await writeFile(path, Buffer.concat(parts));

  const { stderr } = await run('ffmpeg', ['-v', 'debug', '-nostdin', '-i', path, '-map', '0', '-f', 'null', '-'], {
    maxBuffer: 2 ** 26,
  });
  const times = await run('ffprobe', [
    '-v',
    'error',
    '-select_streams',
    'v',
    '-show_entries',
    'packet=dts',
    '-of',
    'csv=p=0',
    path,
  ]);

  const complaints = stderr.split('\n').filter((line) => /continuity|monoton|corrupt|error while/i.test(line));
  expect(complaints).toEqual([]);
  const decode = times.stdout.trim().split(/\s+/).map(Number.parseFloat);
  expect(decode).toHaveLength(125);
  expect(decode).toEqual(decode.toSorted((a, b) => a - b));
});

test('(78, 79, 80, 89) what is asked for wrongly, or not there, is an exception of the model', async () => {
  const site = await startPlaybackSite(await recorded());

  const refusals = [
    [{ PlaybackMode: 'LIVE' }, 'ResourceNotFoundException', 404],
    [{ ...onDemand(), PlaybackMode: 'LIVE' }, 'InvalidArgumentException', 400],
    [{ PlaybackMode: 'ON_DEMAND' }, 'InvalidArgumentException', 400],
    [onDemand({ Expires: 299 }), 'InvalidArgumentException', 400],
    [{ StreamName: site.yard }, 'NoDataRetentionException', 400],
    [{ StreamName: 'nothing' }, 'ResourceNotFoundException', 404],
  ] as const;
  for (const [input, name, httpStatusCode] of refusals) {
    for (const open of [site.hlsUrl, site.dashUrl]) {
      await expect(open(input as Parameters<typeof site.hlsUrl>[0])).rejects.toMatchObject({
        name: open === site.dashUrl && input === refusals[1][0] ? 'ResourceNotFoundException' : name,
        $metadata: open === site.dashUrl && input === refusals[1][0] ? { httpStatusCode: 404 } : { httpStatusCode },
      });
    }
  }
});

test('(80, 93) any page may read, errors have the names of AWS, and no token is in the log', async () => {
  const site = await startPlaybackSite(await recorded());
  const url = await site.hlsUrl(onDemand());
  const token = new URL(url).searchParams.get('SessionToken') ?? '';

  const preflight = await fetched(url, {
    method: 'OPTIONS',
    headers: { origin: 'https://example.org', 'access-control-request-method': 'GET' },
  });
  const master = await fetched(url);
  const head = await fetched(url, { method: 'HEAD' });
  const forged = await fetched(url.replace(token, `${token.startsWith('A') ? 'B' : 'A'}${token.slice(1)}`));
  const none = await fetched(url.split('?')[0] ?? '');

  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
  expect(master.headers.get('access-control-allow-origin')).toBe('*');
  expect(master.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
  expect(master.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
  expect([head.status, head.bytes.length, head.headers.get('content-length')]).toEqual([
    200,
    0,
    String(master.bytes.length),
  ]);
  for (const refused of [forged, none]) {
    expect([refused.status, refused.headers.get('x-amzn-errortype')]).toEqual([403, 'AccessDeniedException']);
    expect(JSON.parse(refused.text)).toEqual({ Message: 'The streaming session token is not valid' });
  }
  const logged = site.site.transcript.join('');
  expect(logged).toContain('"kvs playback"');
  expect(logged).not.toContain(token.slice(0, 40));
});

test('a session ends with its access key, with the permission, and with the stream', async () => {
  const site = await startPlaybackSite(await recorded());
  const url = await site.hlsUrl(onDemand());
  const status = async () => (await fetched(url)).status;
  expect(await status()).toBe(200);
  const setPolicy = (effect: 'allow' | 'deny') =>
    site.admin.put('/api/policies/clients', {
      statements: [{ effect, actions: ['kinesisvideo:*'], resources: ['*'] }],
    });

  await setPolicy('deny');
  const denied = await status();
  await setPolicy('allow');
  const allowed = await status();
  await site.admin.patch(`/api/access-keys/${site.credentials.accessKeyId}`, { isDisabled: true });
  const disabled = await status();
  await site.admin.patch(`/api/access-keys/${site.credentials.accessKeyId}`, { isDisabled: false });
  await site.admin.delete(`/api/cameras/${site.cameraId}`);
  const removed = await status();

  expect([denied, allowed, disabled, removed]).toEqual([403, 200, 403, 403]);
});

test('sessions work below the path of the public URL', async () => {
  const site = await startPlaybackSite(await recorded(), { publicUrl: 'https://cameras.example.org/weir/' });

  const url = await site.hlsUrl(onDemand());

  expect(url).toMatch(/^https:\/\/cameras\.example\.org\/weir\/hls\/v1\/getHLSMasterPlaylist\.m3u8\?SessionToken=/);
  const there = url.replace('https://cameras.example.org', `http://127.0.0.1:${site.site.port}`);
  const { status, text, url: mediaUrl } = await mediaPlaylistOf(there);
  expect(status).toBe(200);
  expect((await fetched(urisOf(text, mediaUrl)[0] ?? '')).status).toBe(200);
});
