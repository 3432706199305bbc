import { chmod, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import {
  LaneClient,
  type LaneEvent,
  type LaneHandlers,
  LaneServer,
  type LaneSnapshot,
  type OutgoingLane,
} from '../../../storage/lane/index.ts';
import type { SourceState } from '../../../storage/model/camera.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { Hint } from '../../../storage/model/hint.ts';
import type { Track } from '../../../storage/model/track.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const video: Track = {
  number: 1,
  kind: 'video',
  codec: 'h264',
  codecId: 'V_MPEG4/ISO/AVC',
  codecPrivate: new Uint8Array([1, 2, 3]),
  codecString: 'avc1.4d4028',
  video: { widthPixels: 1920, heightPixels: 1080 },
};

const state: SourceState = {
  streamId: 's1',
  state: 'live',
  reason: undefined,
  message: undefined,
  hint: undefined,
  sinceMs: 1,
  attempts: 0,
  nextAttemptMs: undefined,
  isRecording: true,
  tracks: [{ number: 1, codec: 'h264', text: 'H.264' }],
  clockOffsetMs: undefined,
  clockDriftPpm: undefined,
  runsLastHour: 1,
  warnings: [],
};

const committed: Hint = {
  kind: 'committed',
  streamId: 's1',
  runId: 'r1',
  path: '/journal/x.mkv',
  fragment: {
    number: fragmentNumber(1, 1_000, 5),
    offset: 100,
    byteLength: 2_000,
    serverTimestampMs: 1_000,
    producerTimestampMs: 990.5,
    mediaTimeMs: 0,
    durationMs: 2_000,
    isKey: true,
    hasLoss: false,
    tracks: [{ trackNumber: 1, samples: 50, payloadBytes: 1_900, beginMediaMs: 0, endMediaMs: 2_000 }],
    sha256: new Uint8Array(32).fill(7),
  },
};

const unit = (bytes: Uint8Array, isKey = true) => ({
  trackNumber: 1,
  presentationTimeUs: 40_000,
  serverTimestampMs: 1_000,
  producerTimestampMs: undefined,
  isKey,
  isAfterLoss: false,
  bytes,
});

async function socketPath(): Promise<string> {
  return join(await temporaryDirectory(), 'run', 'ingest-0.sock');
}

async function serve(path: string, handlers: LaneHandlers): Promise<LaneServer> {
  const server = new LaneServer({ log: silentLog, handlers }, { path, role: 'ingest-0' });
  await server.start();
  onTestFinished(() => server.close());
  return server;
}

function clientOf(path: string): LaneClient {
  const client = new LaneClient({ clock: systemClock, log: silentLog }, { path, name: 'test' });
  client.start();
  onTestFinished(() => client.close());
  return client;
}

/** Collects events until the iteration ends; what was seen so far is in the array at any time. */
function collect(events: AsyncIterable<LaneEvent>): LaneEvent[] {
  const seen: LaneEvent[] = [];
  void (async () => {
    for await (const event of events) seen.push(event);
  })();
  return seen;
}

test('requests are answered by method, and errors keep code, message and hint', async () => {
  const path = await socketPath();
  await serve(path, {
    requests: {
      double: (params) => ({ result: Number(params) * 2 }),
      nothing: () => undefined,
      fail: () => {
        throw appError('not_found', 'no such stream', { hint: 'create it' });
      },
    },
  });
  const client = clientOf(path);

  expect(await client.request<{ result: number }>('double', 21, { timeoutMs: 5_000 })).toEqual({ result: 42 });
  expect(await client.request('nothing', undefined, { timeoutMs: 5_000 })).toBeNull();
  await expect(client.request('fail', {}, { timeoutMs: 5_000 })).rejects.toMatchObject({
    code: 'not_found',
    message: 'no such stream',
    hint: 'create it',
  });
  await expect(client.request('toString', {}, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'unimplemented' });
});

test('a request waits for its server and gives up in time', async () => {
  const path = await socketPath();
  const client = clientOf(path);
  const early = client.request('ping', {}, { timeoutMs: 20_000 });
  const hopeless = client.request('ping', {}, { timeoutMs: 20 });

  await expect(hopeless).rejects.toMatchObject({ code: 'deadline_exceeded' });
  await serve(path, { requests: { ping: () => 'pong' } });

  expect(await early).toBe('pong');
});

test('a request in flight when the connection breaks is told so, and the next one works', async () => {
  const path = await socketPath();
  const first = await serve(path, { requests: { hang: () => new Promise(() => {}) } });
  const client = clientOf(path);
  const hanging = client.request('hang', {}, { timeoutMs: 20_000 });
  hanging.catch(() => {});
  await until('connected', () => client.isConnected);
  await until('request arrived', () => first.stats !== undefined);
  await first.close();

  await expect(hanging).rejects.toMatchObject({ code: 'unavailable' });
  await serve(path, { requests: { ping: () => 'pong' } });

  expect(await client.request('ping', {}, { timeoutMs: 20_000 })).toBe('pong');
});

test('a watcher gets a snapshot, then hints and states, and a snapshot again after a lost connection', async () => {
  const path = await socketPath();
  const snapshot: LaneSnapshot = {
    open: [{ streamId: 's1', runId: 'r1', path: '/x', committedBytes: 10, openNumber: undefined }],
    states: [state],
  };
  const first = await serve(path, { requests: {}, snapshot: () => snapshot });
  const client = clientOf(path);
  const seen: unknown[] = [];
  client.watch({
    onSnapshot: (each) => seen.push(each),
    onHint: (each) => seen.push(each),
    onState: (each) => seen.push(each),
    onLost: () => seen.push('lost'),
  });
  await until('snapshot', () => seen.length === 1);

  first.hint(committed);
  first.state({ ...state, state: 'retrying', reason: 'unreachable' });
  await until('news', () => seen.length === 3);
  await first.close();
  await until('lost', () => seen.includes('lost'));
  await serve(path, { requests: {}, snapshot: () => ({ open: [], states: [] }) });
  await until('snapshot again', () => seen.length === 5);

  expect(seen).toEqual([
    snapshot,
    committed,
    { ...state, state: 'retrying', reason: 'unreachable' },
    'lost',
    { open: [], states: [] },
  ]);
});

test('a watcher that does not read falls back to a fresh snapshot with bounded memory', async () => {
  const path = await socketPath();
  let version = 0;
  const server = await serve(path, {
    requests: {},
    snapshot: () => ({ open: [], states: [{ ...state, attempts: version }] }),
  });
  const socket = connect(path);
  onTestFinished(() => {
    socket.destroy();
  });
  socket.write(frame({ type: 'hello', version: 1, client: 'slow' }));
  socket.write(frame({ type: 'watch' }));
  socket.pause();
  await until('is watched', () => {
    server.hint(committed);
    return socket.bytesRead > 0 || socket.readableLength > 0 || version++ > 10;
  });

  for (let i = 0; i < 20; i++) {
    for (let k = 0; k < 1_000; k++) server.hint(committed);
    version++;
    await new Promise(setImmediate);
  }
  const received: string[] = [];
  socket.on('data', (chunk) => received.push(chunk.toString('latin1')));
  socket.resume();
  const last = `"attempts":${version}`;
  await until('the newest snapshot', () => received.join('').includes(last));

  // 20,000 hints of 600 bytes were told; what was kept is the socket's share and one queue.
  expect(received.join('').length).toBeLessThan(4_000_000);
});

test('a lane joins with its tail, carries units in order and tells sessions', async () => {
  const path = await socketPath();
  const lanes: OutgoingLane[] = [];
  let left = 0;
  await serve(path, {
    requests: {},
    subscribe: (streamId, lane) => {
      if (streamId !== 's1') throw appError('not_found', 'no such stream');
      lanes.push(lane);
      const tail = new Uint8Array([1, 2, 3]);
      const from = {
        path: '/x.mkv',
        clusterOffset: 10,
        joinOffset: 20,
        tail,
        serverTimestampMs: 5,
        runId: 'r1',
        sessionOffsetUs: 0,
      };
      lane.joined({ tracks: [video], from });
      return () => left++;
    },
  });
  const client = clientOf(path);
  const abort = new AbortController();
  const seen = collect(
    client.subscribe('s1', { onOverflow: 'drop-to-key-frame', bytesMax: 10_000_000, signal: abort.signal }),
  );
  const lane = await until('joined', () => lanes[0]);
  for (let i = 0; i < 300; i++) lane.unit(unit(new Uint8Array(20_000).fill(i), i % 50 === 0));
  await until('all units', () => seen.length === 301);
  lane.sessionEnded('connection-lost');
  lane.session([video]);
  lane.unit(unit(new Uint8Array([1]), false));
  lane.unit(unit(new Uint8Array([2]), true));
  await until('second session', () => seen.at(-1)?.kind === 'unit' && seen.at(-2)?.kind === 'session');
  abort.abort();
  await until('left', () => left === 1);

  expect(seen[0]).toMatchObject({ kind: 'joined', tracks: [video], from: { tail: new Uint8Array([1, 2, 3]) } });
  expect(seen.at(-3)).toEqual({ kind: 'ended', reason: 'connection-lost' });
  const lastUnit = seen.at(-1);
  expect(lastUnit?.kind === 'unit' && [...lastUnit.unit.bytes]).toEqual([2]);
});

test('a subscriber of an unknown stream is told and its iteration ends', async () => {
  const path = await socketPath();
  await serve(path, {
    requests: {},
    subscribe: () => {
      throw appError('not_found', 'no such stream');
    },
  });
  const events: LaneEvent[] = [];

  for await (const event of clientOf(path).subscribe('s9', { onOverflow: 'newest-wins', bytesMax: 1_000 }))
    events.push(event);

  expect(events).toEqual([{ kind: 'ended', reason: 'no such stream' }]);
});

test('a subscriber that stops reading drops to a key frame, others miss nothing, and memory stays bounded', async () => {
  const path = await socketPath();
  const lanes: OutgoingLane[] = [];
  const server = await serve(path, {
    requests: {},
    subscribe: (_, lane) => {
      lanes.push(lane);
      lane.joined({ tracks: [video], from: undefined });
      return () => {};
    },
  });
  const options = { onOverflow: 'drop-to-key-frame', bytesMax: 500_000 } as const;
  const slow = clientOf(path).subscribe('s1', options);
  await slow.next();
  const fast = collect(clientOf(path).subscribe('s1', options));
  await until('both joined', () => lanes.length === 2);

  let sent = 0;
  for (let i = 0; i < 40; i++) {
    for (let k = 0; k < 25; k++) {
      for (const lane of lanes) lane.unit(unit(new Uint8Array(10_000).fill(sent), k === 0));
      sent++;
      expect(server.stats.queuedBytes).toBeLessThan(1_100_000);
    }
    const due = sent;
    await until('the fast one has it', () => fast.filter((event) => event.kind === 'unit').length === due);
  }
  for (const lane of lanes) lane.unit(unit(new Uint8Array(10_000)));
  const rest: LaneEvent[] = [];
  for (let next = await slow.next(); ; next = await slow.next()) {
    rest.push(next.value);
    if (next.value.kind === 'dropped') break;
  }
  const afterDrop = (await slow.next()).value as LaneEvent;
  await slow.return(undefined);

  expect(fast.some((event) => event.kind === 'dropped')).toBe(false);
  expect(rest.length).toBeLessThan(500);
  expect(afterDrop.kind === 'unit' && afterDrop.unit.isKey && afterDrop.unit.isAfterLoss).toBe(true);
});

test('a lane comes back by itself after its server went away', async () => {
  const path = await socketPath();
  const handlers: LaneHandlers = {
    requests: {},
    subscribe: (_, lane) => {
      lane.joined({ tracks: [video], from: undefined });
      return () => {};
    },
  };
  const first = await serve(path, handlers);
  const seen = collect(clientOf(path).subscribe('s1', { onOverflow: 'newest-wins', bytesMax: 1_000 }));
  await until('joined', () => seen.length === 1);

  await first.close();
  await serve(path, handlers);
  await until('joined again', () => seen.length === 3);

  expect(seen.map((event) => event.kind)).toEqual(['joined', 'ended', 'joined']);
});

test('only the own user reaches the socket, a dead socket file is replaced, a served one is not', async () => {
  const path = await socketPath();
  const first = await serve(path, { requests: {} });
  const second = new LaneServer({ log: silentLog, handlers: { requests: {} } }, { path, role: 'ingest-0' });

  await expect(second.start()).rejects.toMatchObject({ code: 'already_exists' });
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await first.close();
  await writeFile(path, 'left behind');
  await chmod(path, 0o600);
  await serve(path, { requests: { ping: () => 'pong' } });

  expect(await clientOf(path).request('ping', {}, { timeoutMs: 5_000 })).toBe('pong');
});

test('a peer that breaks the protocol is disconnected and others stay', async () => {
  const path = await socketPath();
  await serve(path, { requests: { ping: () => 'pong' } });
  const client = clientOf(path);
  const rude = connect(path);
  const closed = new Promise((resolve) => rude.once('close', resolve).resume());

  rude.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await closed;

  expect(await client.request('ping', {}, { timeoutMs: 5_000 })).toBe('pong');
});

test('a server of another version ends a subscription with an error and is not asked for ever', async () => {
  const path = join(await temporaryDirectory(), 'old.sock');
  const old = createServer((socket) => socket.write(frame({ type: 'hello', version: 99, role: 'old' })));
  await new Promise<void>((resolve) => old.listen(path, resolve));
  onTestFinished(() => {
    old.close();
  });

  const events = clientOf(path).subscribe('s1', { onOverflow: 'newest-wins', bytesMax: 1_000 });

  await expect(events.next()).rejects.toMatchObject({ code: 'failed_precondition' });
});

function frame(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32LE(1 + body.length);
  head[4] = 1;
  return Buffer.concat([head, body]);
}
