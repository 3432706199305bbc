import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { RtspSession } from '../../../gateway/rtsp/index.ts';
import { AddressPolicy } from '../../../storage/base/address-policy.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { RtspSource } from '../../../storage/model/camera.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { until } from '../../kit/until.ts';
import { interleaved, pps, rtp, slice, sps } from '../../unit/rtsp/packets.ts';
import { CollectingSink, playUntil } from './collect.ts';
import { type ScriptedCameraOptions, scriptedDescription, startScriptedCamera, status } from './scripted-camera.ts';

const sourceAt = (url: string, change: Partial<RtspSource> = {}): RtspSource => ({
  kind: 'rtsp',
  url,
  transport: 'tcp',
  tls: 'any',
  username: 'admin',
  password: 'hunter2',
  ...change,
});

async function play(options: ScriptedCameraOptions, change: Partial<RtspSource> = {}, silenceMs = 2_500) {
  const camera = await startScriptedCamera(options);
  const sink = new CollectingSink();
  const isEnough = (it: CollectingSink) => it.of(1).length >= 5;
  const end = await playUntil(sourceAt(camera.url, change), sink, isEnough, { silenceMs });
  return { camera, sink, end };
}

const describedAs = (sdp: string, headers: readonly string[] = []) =>
  [
    'RTSP/1.0 200 OK',
    'CSeq: {cseq}',
    ...headers,
    'Content-Type: application/sdp',
    `Content-Length: ${sdp.length}`,
    '',
    sdp,
  ].join('\r\n');

test.each([
  'vstarcam',
  'sv3c-b01poe',
  'icamra-ipc',
  'beward-1.0.2',
  'dahua-onvif',
  'hik-media-server-5.03',
  'samsung-snh-p6410bn',
  'reolink-live555-2013',
  'foscam-c1',
  'tapo-c220',
  'h264dvr-1.0',
  'tuya-symynelec-c5',
  'prama-pt-nc143d3',
  'shelly-camera',
])('%s plays', async (camera) => {
  const { sink, end } = await play({ fixture: camera });

  expect(end.reason).toBe('shutdown');
  expect(sink.sessions).toHaveLength(1);
  expect(sink.losses).toEqual([]);
});

test('uniview ipc2125: another payload type and urls on another host', async () => {
  const { camera, end, sink } = await play({
    fixture: 'uniview-ipc2125',
    reply: ({ method }, it) => {
      if (method !== 'PLAY') return undefined;
      for (let i = 0; i < 30; i++)
        it.send(
          interleaved(
            0,
            rtp({ sequence: i, time: i * 3_600, payload: slice({ isKey: i === 0 }), type: 105, marker: true }),
          ),
        );
      return undefined;
    },
  });

  expect(end.reason).toBe('shutdown');
  expect(sink.of(1).length).toBeGreaterThan(4);
  expect(camera.requests.find(({ method }) => method === 'SETUP')?.uri).toMatch(
    /^rtsp:\/\/127\.0\.0\.1:\d+\/media\/video1\/video$/,
  );
});

test('a digest by SHA-256 alone is answered with it, and the password is nowhere', async () => {
  const { camera } = await play({ fixture: 'prama-pt-nc143d3' });

  const request = camera.requests.findLast(({ method }) => method === 'DESCRIBE');
  const h = (text: string) => createHash('sha256').update(text).digest('hex');
  const expected = h(`${h('admin:IP Camera(GH455):hunter2')}:5f3a9c:${h(`DESCRIBE:${request?.uri}`)}`);
  expect(request?.head).toContain(`response="${expected}"`);
  expect(camera.requests.map(({ head }) => head).join()).not.toContain('hunter2');
});

test('CSeq is the first header of every request', async () => {
  const { camera } = await play({});

  for (const { head } of camera.requests) expect(head.split('\r\n')[1]).toMatch(/^CSeq: \d+$/);
});

test('OPTIONS that fails is no failure', async () => {
  const { end } = await play({
    reply: ({ method }) => (method === 'OPTIONS' ? status(405, 'Method Not Allowed') : undefined),
  });

  expect(end.reason).toBe('shutdown');
});

test('a nonce that turns stale in the middle is replaced on any method', async () => {
  const challenge = (nonce: string, stale = '') => [`WWW-Authenticate: Digest realm="r", nonce="${nonce}"${stale}`];
  const { camera, end } = await play({
    reply: ({ method, head, count }) => {
      if (!head.includes('Authorization')) return status(401, 'Unauthorized', challenge('1'));
      if (method === 'SETUP' && count === 1) return status(401, 'Unauthorized', challenge('2', ', stale=true'));
      if (method === 'PLAY' && count === 1) return status(401, 'Unauthorized', challenge('3'));
      return undefined;
    },
  });

  expect(end.reason).toBe('shutdown');
  expect(camera.requests.findLast(({ method }) => method === 'PLAY')?.head).toContain('nonce="3"');
});

test('a password that is refused ends after a bounded number of tries', async () => {
  const { camera, end } = await play({
    reply: ({ method }) =>
      method === 'DESCRIBE'
        ? status(401, 'Unauthorized', [
            'WWW-Authenticate: Digest realm="r", nonce="n"',
            'WWW-Authenticate: Basic realm="r"',
          ])
        : undefined,
  });

  expect(end).toMatchObject({ reason: 'unauthorized', isRetryable: false });
  expect(camera.count('DESCRIBE')).toBe(3);
});

test('a redirect is followed to another server, a circle of them is not', async () => {
  const target = await startScriptedCamera({});
  const followed = await play({
    reply: ({ method }) => (method === 'DESCRIBE' ? status(302, 'Moved', [`Location: ${target.url}`]) : undefined),
  });
  const circle = await play({
    reply: ({ method, uri }) => (method === 'DESCRIBE' ? status(301, 'Moved', [`Location: ${uri}`]) : undefined),
  });

  expect(followed.end.reason).toBe('shutdown');
  expect(target.count('PLAY')).toBe(1);
  expect(circle.end.reason).toBe('protocol-error');
  expect(circle.camera.connections).toBe(4);
});

test('a server that refuses TCP is received by UDP, or the other way round', async () => {
  const tcpOnly = await play(
    {
      reply: ({ method, head }) =>
        method === 'SETUP' && !head.includes('TCP') ? status(461, 'Unsupported Transport') : undefined,
    },
    { transport: 'udp' },
  );
  const udpOnly = await play(
    {
      fixture: 'libvlc-server',
      isSilent: true,
      reply: ({ method, head, count }) =>
        method === 'SETUP' && count > 1 && head.includes('TCP') ? status(461, 'no') : undefined,
    },
    {},
    1_500,
  );

  expect(tcpOnly.end.reason).toBe('shutdown');
  expect(tcpOnly.sink.warnings).toContain('the camera refuses UDP and is received by TCP');
  expect(udpOnly.sink.warnings).toContain('the camera refuses TCP and is received by UDP');
  // The script sends nothing by UDP.
  expect(udpOnly.end.reason).toBe('source-silent');
});

test.each([
  [453, 'refused'],
  [404, 'not-found'],
  [403, 'unauthorized'],
  [500, 'refused'],
  [418, 'protocol-error'],
])('DESCRIBE answered with %d ends as %s', async (code, reason) => {
  const { end } = await play({ reply: ({ method }) => (method === 'DESCRIBE' ? status(code, 'x') : undefined) });

  expect(end.reason).toBe(reason);
});

test('a track that the camera refuses is left out with a reason, the rest plays', async () => {
  const { sink, end } = await play({
    reply: ({ method, uri }) =>
      method === 'SETUP' && uri.endsWith('track2') ? status(500, 'Internal Error') : undefined,
  });

  expect(end.reason).toBe('shutdown');
  expect(sink.sessions[0]?.tracks.map(({ codec }) => codec)).toEqual(['h264']);
  expect(sink.warnings).toContain('the camera refuses its sound (500 Internal Error), which is left out');
});

test('a wrong control url is tried in its other readings', async () => {
  const { camera, end } = await play({
    reply: ({ method, uri }) => {
      if (method === 'DESCRIBE') return describedAs(scriptedDescription, ['Content-Base: rtsp://h/live/sub/']);
      return method === 'SETUP' && uri.includes('/sub/sub/') ? status(404, 'Not Found') : undefined;
    },
  });

  expect(end.reason).toBe('shutdown');
  expect(camera.count('SETUP')).toBeGreaterThanOrEqual(2);
});

test('PLAY that wants no range, another url or every track gets it', async () => {
  const noRange = await play({
    reply: ({ method, head }) =>
      method === 'PLAY' && head.includes('Range') ? status(457, 'Invalid Range') : undefined,
  });
  const noSlash = await play({
    reply: ({ method, uri }) => (method === 'PLAY' && uri.endsWith('/') ? status(404, 'Not Found') : undefined),
  });
  const each = await play({
    reply: ({ method, uri }) =>
      method === 'PLAY' && !uri.includes('track') ? status(459, 'Aggregate Not Allowed') : undefined,
  });

  for (const { end } of [noRange, noSlash, each]) expect(end.reason).toBe('shutdown');
  expect(
    each.camera.requests.filter(({ method }) => method === 'PLAY').map(({ uri }) => uri.split('/').at(-1)),
  ).toEqual(['', 'track1', 'track2']);
});

test('channels other than asked for, answered or not, are found', async () => {
  const answered = await play({
    channels: [8, 10],
    reply: ({ method, count }) =>
      method === 'SETUP'
        ? status(200, 'OK', [
            `Transport: RTP/AVP/TCP;unicast;interleaved=${count * 2 + 6}-${count * 2 + 7}`,
            'Session: 1',
          ])
        : undefined,
  });
  const hidden = await play({ channels: [4, 6] });
  const same = await play({
    channels: [0, 0],
    reply: ({ method }) =>
      method === 'SETUP' ? status(200, 'OK', ['Transport: RTP/AVP/TCP;interleaved=0-1', 'Session: 1']) : undefined,
  });

  for (const { end, sink } of [answered, hidden, same]) {
    expect(end.reason).toBe('shutdown');
    expect(sink.of(2).length).toBeGreaterThan(2);
  }
  expect(hidden.sink.warnings).toContain('the camera sends on other channels than it said');
});

test('a Transport answer that is missing means what was asked for', async () => {
  const { end } = await play({
    reply: ({ method }) => (method === 'SETUP' ? status(200, 'OK', ['Session: 1']) : undefined),
  });

  expect(end.reason).toBe('shutdown');
});

test('answers without CSeq, with LF alone, without Content-Length and with blank lines before them are taken', async () => {
  const { end } = await play({
    reply: ({ method }) => {
      if (method === 'DESCRIBE')
        return `\r\n\nRTSP/1.0 200 OK\nContent-type:application/sdp\n\n${scriptedDescription.replaceAll('\r', '')}`;
      return method === 'SETUP' ? '\nRTSP/1.0 200 OK\nsession:77\n\n' : undefined;
    },
  });

  expect(end.reason).toBe('shutdown');
});

test('requests of the server are answered while it plays', async () => {
  const { camera, end } = await play({
    reply: ({ method }, it) => {
      if (method === 'PLAY') setTimeout(() => it.send('OPTIONS * RTSP/1.0\r\nCSeq: 900\r\n\r\n'), 60);
      return undefined;
    },
  });

  expect(end.reason).toBe('shutdown');
  expect(camera.requests.find(({ method }) => method === 'ANSWER')?.head).toMatch(/^RTSP\/1\.0 200 OK\r\nCSeq: 900/);
});

test('garbage between packets is skipped, said once, and the pictures go on', async () => {
  const { end, sink } = await play({
    reply: ({ method }, it) => {
      if (method === 'PLAY') setTimeout(() => it.send(new Uint8Array(3_000).fill(0x41)), 50);
      return undefined;
    },
  });

  expect(end.reason).toBe('shutdown');
  expect(sink.warnings.filter((text) => text.includes('belong to no packet'))).toHaveLength(1);
});

test.each([
  ['HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n', 'a HTTP server answered'],
  [new Uint8Array(400_000).fill(3), 'the server sends bytes that are no RTSP'],
])('a port that speaks something else ends as protocol-error', async (reply, message) => {
  const { end } = await play({ reply: () => reply });

  expect(end).toMatchObject({ reason: 'protocol-error', message });
});

test('no common media ends as unsupported-codec and names what there is', async () => {
  const { end } = await play({
    reply: ({ method }) =>
      method === 'DESCRIBE' ? describedAs('v=0\r\nm=video 0 RTP/AVP 26\r\nm=audio 0 RTP/AVP 3\r\n') : undefined,
  });

  expect(end.reason).toBe('unsupported-codec');
  expect(end.message).toContain('JPEG');
  expect(end.message).toContain('GSM');
});

test('parameter sets only in band: the session begins when they came', async () => {
  const { sink, end } = await play({
    reply: ({ method }) =>
      method === 'DESCRIBE' ? describedAs(scriptedDescription.replace(/;sprop[^\r]*/, '')) : undefined,
  });

  expect(end.reason).toBe('shutdown');
  expect(sink.of(1)[0]?.isKey).toBe(true);
  expect(sink.sessions[0]?.tracks[0]?.video).toEqual({ widthPixels: 640, heightPixels: 360 });
});

test('a jump of the media clock begins another session near 0 without a new connection', async () => {
  const { camera, sink } = await play({
    isSilent: true,
    reply: ({ method }, it) => {
      if (method !== 'PLAY') return undefined;
      const packets = [1, 2, 3, 90_003, 90_004, 90_005, 90_006].flatMap((time) => {
        const nals = time === 1 ? [sps, pps, slice({ isKey: true })] : [slice()];
        return nals.map((payload) => ({
          time: time * 3_600,
          payload,
          marker: payload[0] === 0x65 || payload[0] === 0x41,
        }));
      });
      const frames = packets.map((packet, sequence) => interleaved(0, rtp({ sequence, ...packet })));
      setTimeout(() => it.send(...frames), 20);
      return undefined;
    },
  });

  expect(camera.connections).toBe(1);
  expect(sink.sessions.map(({ reason }) => reason)).toEqual(['started', 'time-jump']);
  expect(sink.of(1).map(({ us }) => us)).toEqual([0, 40_000, 80_000, 0, 40_000, 80_000]);
  expect(sink.losses).toEqual([]);
});

test('a session that is no longer wanted is torn down', async () => {
  const { camera } = await play({});

  const last = camera.requests.at(-1);
  expect(last?.method).toBe('TEARDOWN');
  expect(last?.head).toContain('Session: 12345678');
});

test('keepalives come by what the server offers, and one that is refused is no end', async () => {
  const clock = new SimulatedClock();
  const camera = await startScriptedCamera({
    fixture: 'tapo-c220',
    reply: ({ method, count }) => (method === 'GET_PARAMETER' && count === 1 ? status(400, 'Bad Request') : undefined),
  });
  const sink = new CollectingSink();
  const stop = new AbortController();
  const session = new RtspSession({ clock, log: silentLog, random: Math.random }, { source: sourceAt(camera.url) });
  const running = session.run(sink, stop.signal);
  await until('it plays', () => sink.units.length > 3);

  await clock.advance(7_500);
  await until('a keepalive by GET_PARAMETER', () => camera.count('GET_PARAMETER') === 1);
  await until('more pictures', () => sink.units.length > 10);
  await clock.advance(7_500);
  await until('the next by OPTIONS', () => camera.count('OPTIONS') === 2);
  stop.abort();

  expect((await running).reason).toBe('shutdown');
  expect(camera.requests.filter(({ method }) => method === 'OPTIONS').at(-1)?.head).toContain('Session: 5A6B7C8D');
});

test('a server that never answers is given up in time', async () => {
  const clock = new SimulatedClock();
  const camera = await startScriptedCamera({ reply: () => null });
  const session = new RtspSession({ clock, log: silentLog, random: Math.random }, { source: sourceAt(camera.url) });
  const running = session.run(new CollectingSink(), new AbortController().signal);
  await until('it asked', () => camera.count('OPTIONS') === 1);

  await clock.advance(10_000);

  expect((await running).reason).toBe('source-silent');
});

test('a sink that throws ends its own session with its own error', async () => {
  const camera = await startScriptedCamera({});
  const session = new RtspSession(
    { clock: new SimulatedClock(), log: silentLog, random: Math.random },
    { source: sourceAt(camera.url) },
  );
  const sink = new CollectingSink();
  sink.unit = () => {
    throw new Error('ours');
  };

  await expect(session.run(sink, new AbortController().signal)).rejects.toThrow('ours');
});

test('a camera outside of the allowed networks is not connected to', async () => {
  const camera = await startScriptedCamera({});
  const addresses = new AddressPolicy({ networks: ['10.20.0.0/16'] });
  const sessionAt = (url: string) =>
    new RtspSession(
      { clock: new SimulatedClock(), log: silentLog, random: Math.random },
      { source: sourceAt(url), addresses },
    ).run(new CollectingSink(), new AbortController().signal);

  const byAddress = await sessionAt(camera.url);
  const byName = await sessionAt(camera.url.replace('127.0.0.1', 'localhost'));

  expect(byAddress).toMatchObject({ reason: 'not-allowed', isRetryable: false });
  expect(byName).toMatchObject({ reason: 'not-allowed', isRetryable: false });
  expect(byName.hint).toContain('10.20.0.0/16');
  expect(camera.connections).toBe(0);
});
