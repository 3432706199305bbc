import { expect, test } from 'vitest';
import { chooseMedia, clockRateOf } from '../../../gateway/rtsp/media/formats.ts';
import { parseRtpInfo, parseSession, parseTransport } from '../../../gateway/rtsp/wire/headers.ts';
import { header } from '../../../gateway/rtsp/wire/message.ts';
import { parseSdp } from '../../../gateway/rtsp/wire/sdp.ts';
import {
  aggregateCandidates,
  baseUrl,
  controlCandidates,
  formatRtspUrl,
  parseRtspUrl,
  type RtspUrl,
} from '../../../gateway/rtsp/wire/url.ts';
import { describeAnswer } from './fixture.ts';

function url(text: string): RtspUrl {
  const parsed = parseRtspUrl(text);
  if (parsed === undefined) throw new Error(`no url: ${text}`);
  return parsed;
}

function setupUrls(camera: string, requestUrl: string): readonly string[] {
  const { response, description } = describeAnswer(camera);
  const base = baseUrl(url(requestUrl), {
    contentBase: header(response, 'content-base'),
    contentLocation: header(response, 'content-location'),
  });
  return chooseMedia(description).chosen.map(({ media }) => controlCandidates(base, media.control)[0] ?? '');
}

test.each([
  [
    'vstarcam',
    'rtsp://10.0.0.9:10554/tcp/av0_0',
    ['rtsp://10.0.0.9:10554/tcp/av0_0/track0', 'rtsp://10.0.0.9:10554/tcp/av0_0/track1'],
  ],
  ['sv3c-b01poe', 'rtsp://10.0.0.9/stream0', ['rtsp://10.0.0.9/stream0/track1']],
  ['icamra-ipc', 'rtsp://10.0.0.9/stream1', ['rtsp://10.0.0.9/stream1/track1']],
  ['beward-1.0.2', 'rtsp://10.0.0.9/av0_1', ['rtsp://10.0.0.9/av0_1/trackID=1', 'rtsp://10.0.0.9/av0_1/trackID=2']],
  [
    'dahua-onvif',
    'rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif',
    [
      'rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif/trackID=0',
      'rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif/trackID=1',
    ],
  ],
  [
    'hik-media-server-5.03',
    'rtsp://10.0.0.9/ch1',
    ['rtsp://10.0.0.9/ch1/trackID=video', 'rtsp://10.0.0.9/ch1/trackID=audio'],
  ],
  ['tuya-symynelec-c5', 'rtsp://10.0.0.9/live', ['rtsp://10.0.0.9/live/track1']],
  ['uniview-ipc2125', 'rtsp://10.0.0.9/media/video1', ['rtsp://10.0.0.9/media/video1/video']],
  ['samsung-snh-p6410bn', 'rtsp://10.0.0.9/profile5/media.smp', ['rtsp://10.0.0.9/profile5/media.smp/trackID=v']],
  ['foscam-c1', 'rtsp://10.0.0.9:88/videoMain', ['rtsp://10.0.0.9:88/videoMain/trackID=0']],
])('the tracks of %s are set up by their right urls', (camera, requestUrl, expected) => {
  expect(setupUrls(camera, requestUrl)).toEqual(expected);
});

test('credentials that a camera writes into its urls never come back out', () => {
  const { response, description } = describeAnswer('samsung-snh-p6410bn');
  const request = url('rtsp://10.0.0.9/profile5/media.smp');
  const base = baseUrl(request, { contentBase: header(response, 'content-base'), contentLocation: undefined });

  const all = aggregateCandidates(request, base, description.control);

  expect(all.join()).not.toContain('secret');
});

test.each([
  ['', 'rtsp://h/a/b', 'rtsp://h/a/b/track1'],
  ['rtsp://other.host/a/b/', 'rtsp://h/a/b', 'rtsp://h/a/b/track1'],
  ['rtsp://h/a/b//', 'rtsp://h/a/b', 'rtsp://h/a/b/track1'],
  ['/x/', 'rtsp://h/a', 'rtsp://h/x/track1'],
  ['garbage<>', 'rtsp://h/a', 'rtsp://h/a/track1'],
  ['RTSP://H:8554/c/', 'rtsp://h:8554/a', 'rtsp://h:8554/c/track1'],
])('content base %j of %s leads to %s', (contentBase, request, expected) => {
  const base = baseUrl(url(request), { contentBase, contentLocation: undefined });

  expect(controlCandidates(base, 'track1')[0]).toBe(expected);
});

test('a control behind a query string is tried as cameras mean it and then as the standard does', () => {
  expect(controlCandidates(url('rtsp://h/cam/live?ch=1'), 'trackID=2')).toEqual([
    'rtsp://h/cam/live?ch=1/trackID=2',
    'rtsp://h/cam/trackID=2',
    'rtsp://h/cam/live/trackID=2?ch=1',
  ]);
});

test('user and password in a url are taken out, ports only shown where they matter', () => {
  expect(formatRtspUrl(url('rtsp://user:p%40ss@[fe80::1]:554/a?b#c'))).toBe('rtsp://[fe80::1]/a?b');
  expect(formatRtspUrl(url('rtsps://h:322/a'))).toBe('rtsps://h/a');
  expect(parseRtspUrl('http://h/a')).toBeUndefined();
  expect(parseRtspUrl('rtsp://h:99999/a')).toBeUndefined();
});

test('the back channel and metadata of an ONVIF device are no tracks and not mentioned', () => {
  const { chosen, leftOut } = chooseMedia(describeAnswer('dahua-onvif').description);

  expect(chosen.map(({ codec, media }) => [codec, media.control])).toEqual([
    ['h264', 'trackID=0'],
    ['pcma', 'trackID=1'],
  ]);
  expect(leftOut).toEqual([]);
});

test('the only fmtp belongs to the only format, whatever number it names', () => {
  const { chosen } = chooseMedia(describeAnswer('hik-media-server-5.03').description);

  expect(chosen[1]?.format.parameters.get('config')).toBe('1408');
});

test('parameters with blanks, empty parts and base64 are split rightly', () => {
  const { chosen } = chooseMedia(describeAnswer('uniview-ipc2125').description);
  const old = chooseMedia(describeAnswer('reolink-live555-2013').description).chosen;

  expect(chosen[0]?.format.parameters.get('sprop-parameter-sets')).toMatch(/==,aM48gA==$/);
  expect(old[1]?.format.parameters.get('profile')).toBe('1');
  expect(old[1]?.format.channels).toBe(1);
});

test('tracks that cannot be recorded are named with their format, the rest is taken', () => {
  const sdp =
    'v=0\nm=video 0 RTP/AVP 26\na=control:1\nm=audio 0 RTP/AVP 97 98\na=rtpmap:97 G726-32/8000\na=rtpmap:98 PCMU/16000/1\n';

  const { chosen, leftOut } = chooseMedia(parseSdp(sdp));

  expect(leftOut).toEqual(['picture in JPEG cannot be recorded and is left out']);
  expect(chosen.map((it) => [it.codec, it.format.payloadType, clockRateOf(it)])).toEqual([['pcmu', 98, 16_000]]);
});

test.each([
  ['12345678', { id: '12345678', timeoutMs: 60_000 }],
  ['12345678;timeout=30', { id: '12345678', timeoutMs: 30_000 }],
  [' 5A6B ; timeout = 15', { id: '5A6B', timeoutMs: 15_000 }],
  ['1;Timeout="20"', { id: '1', timeoutMs: 20_000 }],
  ['1;timeout=0', { id: '1', timeoutMs: 60_000 }],
  ['1;timeout=4294967295', { id: '1', timeoutMs: 60_000 }],
  ['1;timeout=', { id: '1', timeoutMs: 60_000 }],
])('session header %j is read', (value, expected) => {
  expect(parseSession(value)).toEqual(expected);
});

test.each([
  ['RTP/AVP/TCP;unicast;interleaved=8-9;ssrc=2A27A3FB', { isTcp: true, interleaved: [8, 9] }],
  ['RTP/AVP/TCP;interleaved=4', { isTcp: true, interleaved: [4, 5] }],
  ['RTP/AVP/TCP;unicast', { isTcp: true, interleaved: undefined }],
  ['RTP/AVP/TCP;interleaved=300-301', { isTcp: true, interleaved: undefined }],
  [
    'RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;source=10.0.0.5',
    { isTcp: false, serverPorts: [6970, 6971], source: '10.0.0.5' },
  ],
  ['RTP/AVP/UDP;unicast;server_port=6970', { isTcp: false, serverPorts: [6970, 6971] }],
])('transport %j is read', (value, expected) => {
  expect(parseTransport(value)).toMatchObject(expected);
});

test('rtp-info is read also where the urls hold commas', () => {
  const info = parseRtpInfo('url=rtsp://h/a,b/trackID=1;seq=17;rtptime=4294967295, url=trackID=2;seq=3');

  expect(info.map(({ sequence, rtpTime }) => [sequence, rtpTime])).toEqual([
    [17, 4_294_967_295],
    [3, undefined],
  ]);
});
