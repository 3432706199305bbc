import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { header } from '../../../gateway/rtsp/wire/message.ts';
import { rtspMethods } from '../../../gateway/rtsp-server/index.ts';
import { until } from '../../kit/until.ts';
import { beginMs, encodeClip, RecordedStream, streamId } from '../playback/recorded-stream.ts';
import { noLane, password, run, startRtspServer, testGate } from './kit.ts';
import { RawClient } from './raw-client.ts';

async function site(options: Parameters<typeof testGate>[0] = {}) {
  const stream = new RecordedStream();
  const coding = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-bf', '0'];
  stream.addRun(await encodeClip(['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=20', ...coding]), {
    atMs: beginMs,
  });
  const parts = testGate(options);
  const started = await startRtspServer({ client: noLane, source: stream, gate: parts.gate });
  return { ...started, ...parts, target: `rtsp://${started.host}/${streamId}?start=${beginMs}` };
}

test('every method asks the authoriser, but OPTIONS, which tells nothing, and those of a session', async () => {
  const { host, target, asked } = await site();
  const statuses: Record<string, number> = {};

  for (const method of [...Object.keys(rtspMethods), 'ANNOUNCE', 'RECORD', 'REDIRECT']) {
    const client = await RawClient.open(host);
    statuses[method] = (await client.ask(method, target, { Transport: 'RTP/AVP/TCP' })).status;
  }

  expect(asked).toEqual([]);
  expect(statuses).toEqual({
    ...{ OPTIONS: 200, DESCRIBE: 401, SETUP: 401, PLAY: 401, PAUSE: 454, TEARDOWN: 454 },
    ...{ GET_PARAMETER: 454, SET_PARAMETER: 454, ANNOUNCE: 501, RECORD: 501, REDIRECT: 501 },
  });
  expect(Object.entries(rtspMethods).filter(([, access]) => access === 'public')).toEqual([['OPTIONS', 'public']]);
});

test('whoever may not see a stream is refused by every method, and learns not even whether it exists', async () => {
  const { host, target, asked } = await site();
  const client = await RawClient.open(host, 'other');

  for (const method of ['DESCRIBE', 'SETUP', 'PLAY']) {
    for (const uri of [target, `rtsp://${host}/nowhere`, `${target}&end=${beginMs + 1}`]) {
      expect([method, (await client.ask(method, uri)).status]).toEqual([method, 403]);
    }
  }
  expect(asked.length).toBe(9);
});

test('a session of one connection is nothing to another', async () => {
  const { host, target } = await site();
  const reader = await RawClient.open(host, 'reader');
  await reader.play(target);
  const thief = await RawClient.open(host);
  thief.session = reader.session;

  const statuses = [];
  for (const method of ['PAUSE', 'TEARDOWN', 'GET_PARAMETER']) statuses.push((await thief.ask(method, target)).status);

  expect(statuses).toEqual([454, 454, 454]);
  expect((await thief.ask('PLAY', target)).status).toBe(401);
});

test('wrong passwords are refused, and a connection that goes on with them is closed', async () => {
  const { host, target, lines } = await site();
  const client = await RawClient.open(host, 'nobody');

  for (let i = 0; i < 5; i++) expect((await client.ask('DESCRIBE', target)).status).toBe(401);

  await client.ask('DESCRIBE', target).catch(() => undefined);
  await until('it is closed', () => client.isClosed);
  expect(lines.join('')).not.toContain(password);
});

test('a digest for one stream or connection is none for another', async () => {
  const { host, target } = await site();
  const client = await RawClient.open(host, 'reader');
  await client.ask('DESCRIBE', target);
  const challenge = await (await RawClient.open(host)).ask('DESCRIBE', target);
  expect(header(challenge, 'www-authenticate')).not.toContain('stale');
  const replay = await RawClient.open(host);
  const stolen = 'Digest username="reader", realm="weir", nonce="00", uri="/x", response="00"';

  const answer = await replay.ask('DESCRIBE', target, { Authorization: stolen });

  expect(answer.status).toBe(401);
  expect(header(answer, 'www-authenticate')).toContain('stale=TRUE');
});

test('a password is never asked for, nor taken, where it would cross the network readable', async () => {
  const { host, target } = await site();
  const open = await site({ isBasicOffered: true });
  const basic = `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`;
  const ask = async (at: { host: string; target: string }) =>
    (await RawClient.open(at.host)).ask('DESCRIBE', at.target, { Authorization: basic });

  const [refused, taken] = [await ask({ host, target }), await ask(open)];

  expect([refused.status, taken.status]).toEqual([401, 200]);
  expect([...(refused.headers.get('www-authenticate') ?? [])].join()).not.toContain('Basic');
});

test('ffmpeg is let in by digest, and told when it is not', async () => {
  const { url } = await site();
  const what = ['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'];
  const probe = (credentials: string) =>
    run('ffprobe', [...what, url(`${streamId}?start=${beginMs}`, credentials)]).then(
      ({ stdout }) => stdout.trim(),
      (error: { stderr: string }) => /401|403/.exec(error.stderr)?.[0],
    );

  expect(await probe(`reader:${password}@`)).toBe('h264');
  expect(await probe('reader:wrong@')).toBe('401');
  expect(await probe(`other:${password}@`)).toBe('403');
});

test('a reader whose account goes is sent away while it plays', async () => {
  const { host, target, gone } = await site();
  const client = await RawClient.open(host, 'reader');
  await client.play(target);
  await until('it is sent pictures', () => client.pictures > 3);

  gone.add('reader');

  await until('it is told goodbye', () => client.byes.length > 0, 20_000);
  await until('it is closed', () => client.isClosed);
});

test('a reader who keeps asking for what it may see is still sent away from what it may not see any more', async () => {
  const { host, target, gone, lines } = await site();
  const client = await RawClient.open(host, 'reader');
  await client.play(target);
  await until('it is sent pictures', () => client.pictures > 3);
  gone.add(`reader ${streamId}`);
  let looks = 0;

  await until(
    'it is closed',
    () => {
      if (!client.isClosed && looks++ % 50 === 0)
        client.ask('DESCRIBE', `rtsp://${host}/another?start=${beginMs}`).catch(() => {});
      return client.isClosed;
    },
    20_000,
  );

  expect(lines.join('')).toContain('rtsp reader is sent away');
});

test('a reader that names a port which is none is refused, and hurts nobody', async () => {
  const { host, target, lines } = await site();
  const client = await RawClient.open(host, 'reader');
  await client.ask('DESCRIBE', target);
  const statuses: number[] = [];

  for (const ports of ['4000-0', '0-4001', '65535', '65536-65537', '4000-70000']) {
    const Transport = `RTP/AVP;unicast;client_port=${ports}`;
    const answer = await client.ask('SETUP', target.replace('?', '/trackID=1?'), { Transport });
    statuses.push(answer.status);
    client.session = header(answer, 'session')?.split(';')[0];
    if (answer.status === 200) await client.ask('PLAY', target);
  }

  expect(statuses).toEqual([461, 461, 461, 461, 461]);
  expect(lines.join('')).not.toContain('request failed');
});

test('a connection that says nothing, or only half a word, is closed', async () => {
  const { host, server } = await site();
  const [silent, half] = [await RawClient.open(host), await RawClient.open(host)];
  half.socket.write('DESCRIBE rtsp://');

  await until('both are closed', () => silent.isClosed && half.isClosed, 20_000);

  expect(server.stats.connections).toBe(0);
});

test('whoever begins one connection after another is turned away, and others come in a second later', async () => {
  const { host, target, server } = await site();

  for (let i = 0; i < 400; i++) (await RawClient.open(host)).socket.destroy();

  expect(server.stats.refused).toBeGreaterThan(0);
  const statusOf = async () =>
    (await RawClient.open(host, 'reader')).ask('DESCRIBE', target).then(({ status }) => status);
  await until('a reader is let in', async () => (await statusOf()) === 200);
});

/** Connections that asked something without saying who they are, one from each of the addresses. */
async function strangersFrom(port: number, addresses: readonly string[]): Promise<void> {
  for (const localAddress of addresses) {
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write('OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    await once(socket, 'data');
  }
}

test('four addresses that take all places of strangers do not keep a fifth one out', async () => {
  const { host, target, server } = await site();
  const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
  await strangersFrom(server.port, Array<string[]>(16).fill(addresses).flat());
  expect(server.stats.connections).toBe(64);

  const reader = await RawClient.open(host, 'reader');
  const { status } = await reader.ask('DESCRIBE', target);

  expect(status).toBe(200);
  await until('one of the others went', () => server.stats.connections === 64);
});

test('many addresses with a stranger each do not keep another one out', async () => {
  const { host, target, server } = await site();
  await strangersFrom(
    server.port,
    Array.from({ length: 64 }, (_, index) => `127.0.1.${index + 1}`),
  );

  const reader = await RawClient.open(host, 'reader');
  const { status } = await reader.ask('DESCRIBE', target);

  expect(status).toBe(200);
});
