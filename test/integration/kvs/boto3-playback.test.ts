/** Streaming sessions, clips and images by boto3 and the AWS CLI. Numbers are those of the checklist. Skipped, visibly, where they are not there. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { codedClip } from '../playback/coded-clips.ts';
import { fetched, startPlaybackSite, TimedStream } from './playback-kit.ts';
import { askPython, authorityFile, pythonWith } from './python.ts';

/** Within the retention of a day. */
const hourAgoMs = Math.floor(performance.timeOrigin / 1000) * 1000 - 3_600_000;

/**
 * Opens sessions and reads them as a player does: playlists or manifest, initialization, one piece of media. What boto3 itself would
 * refuse is sent. Nothing is tried again. Clips and images come in turns before: boto3 keeps its connection, and sends heads and bodies apart.
 */
const script = `
import base64, boto3, json, re, ssl, sys, urllib.error, urllib.parse, urllib.request
from botocore.config import Config
given = json.load(sys.stdin)
archive = boto3.client('kinesis-video-archived-media', endpoint_url=given['endpoint'], region_name='eu-west-1', verify=given['ca'],
    aws_access_key_id=given['accessKeyId'], aws_secret_access_key=given['secretAccessKey'], config=Config(retries={'total_max_attempts': 1}, parameter_validation=False))
context = ssl.create_default_context(cafile=given['ca'])
stream = given['stream']
times = {'StartTimestamp': given['begin'], 'EndTimestamp': given['end']}
selector = {'FragmentSelectorType': 'SERVER_TIMESTAMP', 'TimestampRange': times}
def got(url):
    try:
        with urllib.request.urlopen(url, context=context) as answer: return answer.read()
    except urllib.error.HTTPError as error: return error.code
def refusal(call):
    try: call()
    except archive.exceptions.ClientError as error: return [type(error).__name__, error.response['ResponseMetadata']['HTTPStatusCode']]
def hls(**change):
    asked = dict(StreamName=stream, PlaybackMode='ON_DEMAND', HLSFragmentSelector=selector); asked.update(change)
    return archive.get_hls_streaming_session_url(**asked)['HLSStreamingSessionURL']
def dash(**change):
    asked = dict(StreamName=stream, PlaybackMode='ON_DEMAND', DASHFragmentSelector=selector); asked.update(change)
    return archive.get_dash_streaming_session_url(**asked)['DASHStreamingSessionURL']
def clip(**change):
    asked = dict(StreamName=stream, ClipFragmentSelector=selector); asked.update(change)
    return archive.get_clip(**asked)
def images(**change):
    asked = dict(StreamName=stream, ImageSelectorType='SERVER_TIMESTAMP', Format='JPEG', SamplingInterval=3000, WidthPixels=64, HeightPixels=36, **times); asked.update(change)
    return archive.get_images(**asked)
def last_uri(playlist): return [line for line in playlist.splitlines() if line and not line.startswith('#')][-1]
def played(**options):
    url = hls(**options)
    master = got(url).decode()
    list_url = urllib.parse.urljoin(url, last_uri(master))
    playlist = got(list_url).decode()
    start = re.search('EXT-X-MAP:URI="([^"]+)"', playlist)
    return {
        'codecs': re.search('CODECS="([^"]+)"', master)[1], 'size': re.search('RESOLUTION=([0-9x]+)', master)[1],
        'media': playlist.count('#EXTINF'), 'ends': playlist.rstrip().endswith('#EXT-X-ENDLIST'), 'dates': playlist.count('PROGRAM-DATE-TIME'),
        'discontinuities': playlist.count('#EXT-X-DISCONTINUITY\\n'),
        'init': start and got(urllib.parse.urljoin(list_url, start[1]))[4:8].decode(),
        'first': got(urllib.parse.urljoin(list_url, last_uri(playlist)))[:8].hex(),
    }
def manifest(**options):
    url = dash(**options)
    text = got(url).decode()
    return [text.count('<MPD '), 'type="static"' in text, 'kvs:fn' in text, 'kvs:ts' in text]
for _ in range(given['rounds']):
    clip()['Payload'].read(); images(MaxResults=1)
made = clip()
payload = made['Payload'].read()
open(given['path'], 'wb').write(payload)
first = images(MaxResults=1)
pages = [page['Images'] for page in archive.get_paginator('get_images').paginate(StreamName=stream, ImageSelectorType='SERVER_TIMESTAMP',
    Format='PNG', SamplingInterval=3000, PaginationConfig={'PageSize': 1}, **dict(times, EndTimestamp=given['end'] + 1))]
listed = [image for page in pages for image in page]
altered = hls(); altered = altered[:-4] + ('AAAA' if altered[-4:] != 'AAAA' else 'BBBB')
print(json.dumps({
    'fMP4': played(), 'TS': played(ContainerFormat='MPEG_TS'),
    'dated': played(DisplayFragmentTimestamp='ALWAYS', DiscontinuityMode='NEVER', MaxMediaPlaylistFragmentResults=2),
    'dash': [manifest(), manifest(DisplayFragmentNumber='ALWAYS', DisplayFragmentTimestamp='ALWAYS')],
    'altered': got(altered),
    'clip': made['ContentType'],
    'images': [base64.b64decode(first['Images'][0]['ImageContent'])[:3].hex(), 'NextToken' in first,
        [round(image['TimeStamp'].timestamp() - given['begin']) for image in listed], [image.get('Error') for image in listed]],
    'refusals': [refusal(call) for call in [
        lambda: hls(PlaybackMode='LIVE', HLSFragmentSelector={'FragmentSelectorType': 'SERVER_TIMESTAMP'}),
        lambda: dash(PlaybackMode='LIVE', DASHFragmentSelector={'FragmentSelectorType': 'SERVER_TIMESTAMP'}),
        lambda: archive.get_hls_streaming_session_url(StreamName=stream, PlaybackMode='ON_DEMAND'),
        lambda: hls(Expires=299), lambda: dash(Expires=43201),
        lambda: hls(StreamName=given['other']), lambda: clip(StreamName=given['other']),
        lambda: clip(ClipFragmentSelector={'FragmentSelectorType': 'SERVER_TIMESTAMP', 'TimestampRange': {'StartTimestamp': given['end'] + 1000, 'EndTimestamp': given['end'] + 1060}}),
        lambda: images(SamplingInterval=1),
        lambda: images(StreamName='nothing'),
    ]],
}))`;

async function recordedSite() {
  const stream = new TimedStream();
  stream.addRun(await codedClip({ seconds: 6 }), { atMs: hourAgoMs });
  const site = await startPlaybackSite(stream);
  return { ...site, ca: await authorityFile(site.site.ca), path: join(await temporaryDirectory(), 'clip.mp4') };
}

test('(78, 79, 80, 81, 83, 84, 85, 89, 90, 91, 92) boto3 opens sessions and reads them, cuts clips and takes images', async (context) => {
  const python = await pythonWith('boto3');
  if (python === undefined) return context.skip('no Python here has boto3');
  const { endpoint, credentials, front, yard, ca, path } = await recordedSite();
  const begin = hourAgoMs / 1_000;

  const told = await askPython(python, script, {
    ...{ ...credentials, endpoint, ca, path, begin },
    ...{ stream: front, other: yard, end: begin + 6, rounds: 40 },
  });

  const list = {
    codecs: expect.stringMatching(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/),
    size: '320x180',
    ends: true,
    dates: 0,
  };
  expect(told).toEqual({
    fMP4: { ...list, media: 6, discontinuities: 6, init: 'ftyp', first: expect.stringMatching(/6d6f6f66$/) },
    TS: { ...list, media: 6, discontinuities: 6, init: null, first: expect.stringMatching(/^47/) },
    dated: { ...list, media: 2, dates: 2, discontinuities: 0, init: 'ftyp', first: expect.stringMatching(/6d6f6f66$/) },
    dash: [
      [1, true, false, false],
      [1, true, true, true],
    ],
    altered: 403,
    clip: 'video/mp4',
    images: ['ffd8ff', true, [0, 3, 6], [null, null, 'NO_MEDIA']],
    refusals: [
      ['ResourceNotFoundException', 404],
      ['ResourceNotFoundException', 404],
      ['InvalidArgumentException', 400],
      ['InvalidArgumentException', 400],
      ['InvalidArgumentException', 400],
      ['NoDataRetentionException', 400],
      ['NoDataRetentionException', 400],
      ['ResourceNotFoundException', 404],
      ['InvalidArgumentException', 400],
      ['ResourceNotFoundException', 404],
    ],
  });
  // Another test has ffprobe count its pictures.
  expect((await readFile(path)).toString('latin1', 4, 8)).toBe('ftyp');
});

test('(78, 81, 90, 91, 92) the AWS CLI opens sessions, writes a clip and gets an image', async (context) => {
  const found = await runCommand('aws', ['--version']).catch(() => undefined);
  if (found?.code !== 0) return context.skip('no AWS CLI here');
  const { endpoint, credentials, front, ca, path, site } = await recordedSite();
  const env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_DEFAULT_REGION: 'eu-west-1',
    AWS_CA_BUNDLE: ca,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
  };
  const to = ['--endpoint-url', endpoint, '--stream-name', front, '--output', 'json'];
  const aws = async (operation: string, ...args: string[]) => {
    const { out, err } = await runCommand('aws', ['kinesis-video-archived-media', operation, ...to, ...args], { env });
    return { ...(out === '' ? {} : JSON.parse(out)), err };
  };
  const times = { begin: hourAgoMs / 1_000, end: hourAgoMs / 1_000 + 6 };
  const range = `TimestampRange={StartTimestamp=${times.begin},EndTimestamp=${times.end}}`;
  const selector = `FragmentSelectorType=SERVER_TIMESTAMP,${range}`;
  // The interval is required by earlier CLIs.
  const every = ['--sampling-interval', '3000'];
  const moments = ['--start-timestamp', `${times.begin}`, '--end-timestamp', `${times.end}`];
  const recorded = ['--playback-mode', 'ON_DEMAND'];

  const [hls, dash, live, clip, images] = await Promise.all([
    aws('get-hls-streaming-session-url', ...recorded, '--hls-fragment-selector', selector),
    aws('get-dash-streaming-session-url', ...recorded, '--dash-fragment-selector', selector),
    aws('get-hls-streaming-session-url', '--playback-mode', 'LIVE'),
    aws('get-clip', '--clip-fragment-selector', selector, path),
    aws(
      'get-images',
      '--image-selector-type',
      'SERVER_TIMESTAMP',
      '--format',
      'PNG',
      '--max-items',
      '1',
      ...every,
      ...moments,
    ),
  ]);

  // The test's own requests know no authority of ours.
  const plain = (url: string) => url.replace(/^https:\/\/localhost:\d+/, `http://127.0.0.1:${site.port}`);
  expect([hls.err, dash.err, clip.err, images.err]).toEqual(['', '', '', '']);
  expect(live.err).toContain('(ResourceNotFoundException)');
  expect(clip.ContentType).toBe('video/mp4');
  expect((await readFile(path)).toString('latin1', 4, 8)).toBe('ftyp');
  const png = Buffer.from(images.Images[0].ImageContent, 'base64');
  expect(png.toString('latin1', 1, 4)).toBe('PNG');
  expect((await fetched(plain(hls.HLSStreamingSessionURL))).text).toContain('RESOLUTION=320x180');
  expect((await fetched(plain(dash.DASHStreamingSessionURL))).text).toContain('<MPD ');
});
