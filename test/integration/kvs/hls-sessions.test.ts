/** Streaming session URLs of HLS by the AWS SDK, read as a player reads them. Numbers are those of the checklist. */

import { expect, test } from 'vitest';
import { must } from '../../../storage/base/assert.ts';
import { codedClip } from '../playback/coded-clips.ts';
import { fetched, mediaPlaylistOf, startPlaybackSite, TimedStream, urisOf } from './playback-kit.ts';

const nowMs = Math.floor(performance.timeOrigin / 1000) * 1000;
/** An hour ago: within the retention. */
const hourAgoMs = nowMs - 3_600_000;
const at = (ms: number) => new Date(ms);

function range(
  beginMs: number,
  endMs: number,
  FragmentSelectorType: 'SERVER_TIMESTAMP' | 'PRODUCER_TIMESTAMP' = 'SERVER_TIMESTAMP',
) {
  return { FragmentSelectorType, TimestampRange: { StartTimestamp: at(beginMs), EndTimestamp: at(endMs) } };
}

test('(81, 85) a recorded range is a master playlist with a sound group, and whole playlists of the oldest fragments', async () => {
  const stream = new TimedStream();
  const fragments = stream.addRun(await codedClip({ seconds: 8 }), { atMs: hourAgoMs });
  const site = await startPlaybackSite(stream);

  const url = await site.hlsUrl({
    PlaybackMode: 'ON_DEMAND',
    HLSFragmentSelector: range(hourAgoMs, hourAgoMs + 60_000),
    MaxMediaPlaylistFragmentResults: 5,
  });
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
  expect(text.split('\n').slice(0, 9)).toEqual([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-TARGETDURATION:1',
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    '#EXT-X-DISCONTINUITY',
    `#EXT-X-MAP:URI="getMP4InitFragment.mp4?SessionToken=${token}&TrackNumber=1&SequenceNumber=0"`,
    '#EXTINF:1.000,',
  ]);
  expect(text.trimEnd().endsWith('#EXT-X-ENDLIST')).toBe(true);
  expect(urisOf(text, mediaUrl).map((uri) => new URL(uri).searchParams.get('FragmentNumber'))).toEqual(
    fragments.slice(0, 5).map(({ fragment }) => fragment.number),
  );
  const init = await fetched(
    must(/MAP:URI="([^"]+)"/.exec(text)?.[1], 'has a map') &&
      new URL(must(/MAP:URI="([^"]+)"/.exec(text)?.[1], 'has a map'), mediaUrl).href,
  );
  const media = await fetched(urisOf(text, mediaUrl)[0] ?? '');
  expect([init.status, init.headers.get('content-type'), init.bytes.subarray(4, 8).toString()]).toEqual([
    200,
    'video/mp4',
    'ftyp',
  ]);
  expect([media.status, media.bytes.subarray(4, 8).toString()]).toEqual([200, 'moof']);
});
