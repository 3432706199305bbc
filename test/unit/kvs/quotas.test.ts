import { expect, test } from 'vitest';
import { Quotas, thingOf } from '../../../gateway/kvs/quotas/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const clock = () => new SimulatedClock(1_800_000_000_000);

function admitted(quotas: Quotas, times: number, path = '/describeStream', input: Record<string, unknown> = {}) {
  let count = 0;
  for (let i = 0; i < times; i++) {
    try {
      quotas.admit(path, input, thingOf({ StreamName: 'gate', ...input }));
      count++;
    } catch (error) {
      expect(error).toMatchObject({ context: { awsName: 'ClientLimitExceededException' } });
    }
  }
  return count;
}

test('(109) with the factor 1 it is what AWS allows: five describes of a stream in a second, and five more a second later', async () => {
  const time = clock();
  const quotas = new Quotas({ clock: time }, { factor: 1 });

  expect(admitted(quotas, 20)).toBe(5);
  expect(admitted(quotas, 20, '/describeStream', { StreamName: 'yard' })).toBe(5);
  await time.advance(1_000);
  expect(admitted(quotas, 20)).toBe(5);
});

test('all streams together have a quota of their own', () => {
  const quotas = new Quotas({ clock: clock() }, { factor: 1 });
  let count = 0;
  for (let i = 0; i < 1_000; i++) count += admitted(quotas, 1, '/describeStream', { StreamName: `stream-${i}` });

  expect(count).toBe(300);
});

test('fragments are counted by what a request asks for, and one large request is allowed', async () => {
  const time = clock();
  const quotas = new Quotas({ clock: time }, { factor: 1 });
  const list = { Fragments: Array.from({ length: 1_000 }, () => '1') };

  expect(admitted(quotas, 3, '/getMediaForFragmentList', list)).toBe(1);
  await time.advance(1_000);
  expect(admitted(quotas, 3, '/getMediaForFragmentList', list)).toBe(0);
  await time.advance(1_000);
  expect(admitted(quotas, 3, '/getMediaForFragmentList', list)).toBe(1);
  expect(admitted(quotas, 20, '/listFragments', { MaxResults: 1_000 })).toBe(10);
});

test('a request that asks for more than any list has costs what the longest one does, and nobody waits for it for hours', async () => {
  const time = clock();
  const quotas = new Quotas({ clock: time }, { factor: 1 });

  admitted(quotas, 1, '/listFragments', { MaxResults: Number.MAX_VALUE });
  admitted(quotas, 1, '/getImages', { StreamName: 'yard', MaxResults: 1e12 });
  admitted(quotas, 1, '/getMediaForFragmentList', { StreamName: 'hall', Fragments: Array(30_000).fill('1') });
  await time.advance(2_000);

  expect(admitted(quotas, 1, '/listFragments')).toBe(1);
  expect(admitted(quotas, 1, '/getImages', { StreamName: 'yard' })).toBe(1);
  expect(admitted(quotas, 1, '/getMediaForFragmentList', { StreamName: 'hall', Fragments: ['1'] })).toBe(1);
});

test('what is given back was not asked for', () => {
  const quotas = new Quotas({ clock: clock() }, { factor: 1 });

  for (let i = 0; i < 20; i++) quotas.admit('/describeStream', {}, 'stream gate').giveBack();

  expect(admitted(quotas, 20)).toBe(5);
});

test('the factor 0 bounds nothing, a tiny one lets a first request in', () => {
  expect(admitted(new Quotas({ clock: clock() }, { factor: 0 }), 10_000)).toBe(10_000);
  expect(admitted(new Quotas({ clock: clock() }, { factor: 0.001 }), 100)).toBe(1);
});

test('a stream is the same by its name and by its ARN, and a channel of that name is another thing', () => {
  const arn = (type: string) => `arn:aws:kinesisvideo:eu-west-1:000000000000:${type}/gate/1795263502114`;

  expect(thingOf({ StreamARN: arn('stream') })).toBe(thingOf({ StreamName: 'gate' }));
  expect(thingOf({ ChannelARN: arn('channel') })).toBe(thingOf({ ChannelName: 'gate' }));
  expect(thingOf({ ChannelName: 'gate' })).not.toBe(thingOf({ StreamName: 'gate' }));
  expect(thingOf({ StreamName: 7, Tags: {} })).toBeUndefined();
});

test('playlists and manifests cost their stream what they may show, media fragments one each, in all sessions together', async () => {
  const time = clock();
  const quotas = new Quotas({ clock: time }, { factor: 1 });
  let sessions = 0;
  const played = (path: string, resultsMax: number, times: number, stream = 'stream gate') => {
    let count = 0;
    for (let i = 0; i < times; i++) {
      try {
        quotas.admit(path, { MaxResults: resultsMax }, `session ${sessions++}`, { stream });
        count++;
      } catch {}
    }
    return count;
  };

  expect(played('/hls/v1/getHLSMediaPlaylist.m3u8', 1_000, 20)).toBe(10);
  // The same points as those of other operations, whatever the stream is called by.
  expect(admitted(quotas, 1, '/listFragments')).toBe(0);
  expect(played('/dash/v1/getDASHManifest.mpd', 1, 1)).toBe(0);
  expect(played('/dash/v1/getDASHManifest.mpd', 5_000, 5, 'stream yard')).toBe(2);
  expect(played('/hls/v1/getHLSMasterPlaylist.m3u8', 100, 200, 'stream hall')).toBe(100);
  await time.advance(500);
  expect(played('/hls/v1/getHLSMediaPlaylist.m3u8', 1_000, 20)).toBe(5);

  expect(played('/hls/v1/getMP4MediaFragment.mp4', 1_000, 300)).toBe(300);
  expect(played('/hls/v1/getTSFragment.ts', 1_000, 100)).toBe(100);
  expect(played('/dash/v1/getMP4MediaFragment.mp4', 1_000, 300)).toBe(100);
  expect(played('/hls/v1/getMP4InitFragment.mp4', 1_000, 50)).toBe(50);
  expect(admitted(quotas, 1, '/getClip')).toBe(0);
});

test('one session asks five times in a second for playlists, and twenty times for media', () => {
  const quotas = new Quotas({ clock: clock() }, { factor: 1 });
  const asked = (path: string, session: string) => {
    let count = 0;
    for (let i = 0; i < 50; i++) {
      try {
        quotas.admit(path, { MaxResults: 5 }, session, { stream: 'stream gate' });
        count++;
      } catch {}
    }
    return count;
  };

  expect(asked('/hls/v1/getHLSMediaPlaylist.m3u8', 'session a')).toBe(5);
  expect(asked('/hls/v1/getHLSMediaPlaylist.m3u8', 'session b')).toBe(5);
  expect(asked('/hls/v1/getMP4MediaFragment.mp4', 'session a')).toBe(20);
});
