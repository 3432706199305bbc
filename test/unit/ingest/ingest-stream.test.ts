import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { IngestStream } from '../../../gateway/ingest/ingest-stream.ts';
import { type PutMediaHead, putMediaLimits, putMediaQuotasDefault, Turns } from '../../../gateway/put-media/index.ts';
import type { JournalPlace } from '../../../gateway/record/index.ts';
import type { SourceSink } from '../../../gateway/rtsp/index.ts';
import { AssertionError } from '../../../storage/base/assert.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ByteBudget, Durability } from '../../../storage/journal/index.ts';
import type { IncomingPut } from '../../../storage/lane/index.ts';
import type { PlannedSource, SourceState } from '../../../storage/model/camera.ts';
import type { LedgerLine } from '../../../storage/model/ledger.ts';
import { limits } from '../../../storage/model/limits.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { recordingPolicy } from '../../kit/plans.ts';
import { footage, fragment, h264, head } from '../../kit/producer-media.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { unitOf, video } from '../record/fragment-checker.ts';

const pulled = { kind: 'rtsp', url: 'rtsp://192.0.2.1/', transport: 'tcp', tls: 'any' } as const;

/** A clock that cannot be read once. */
class BreakingClock extends SimulatedClock {
  breaksNext = false;

  override wallMs(): number {
    const breaks = this.breaksNext;
    this.breaksNext = false;
    if (breaks) throw new AssertionError('must hold: something');
    return super.wallMs();
  }
}

async function startStream(source: PlannedSource['source'] = pulled) {
  const root = await temporaryDirectory();
  const clock = new BreakingClock();
  const paths = pathsUnder(root);
  const place: JournalPlace = {
    root,
    openDirectory: join(paths.journalOpen, 'ingest-0.1'),
    finishedDirectory: paths.journalFinished,
    isPlaceExpected: false,
    durability: new Durability(
      { clock, log: silentLog, syncFileSystem: () => Promise.resolve() },
      { directory: root, periodMs: 100 },
    ),
  };
  const sinks: SourceSink[] = [];
  const lines: LedgerLine[] = [];
  const states: SourceState[] = [];
  let runs = 0;
  const stream = new IngestStream(
    {
      ...{ clock, log: silentLog, random: () => 0.5, budget: new ByteBudget(limits.recorderBytesMax) },
      places: { pick: () => place, failed: () => {}, succeeded: () => {}, hasBetterThan: () => false },
      ledger: { add: (line) => void lines.push(line) },
      openSource: () => ({
        run: (sink, signal) =>
          new Promise((resolve) => {
            sinks.push(sink);
            const end = { reason: 'shutdown', message: 'ended', hint: '', isRetryable: true } as const;
            signal.addEventListener('abort', () => resolve(end));
          }),
      }),
      createRunId: () => String(++runs).padStart(32, '0'),
      onHint: () => {},
      onState: (state) => void states.push(state),
      importsRunning: { count: 0 },
      producersShare: {
        quotas: putMediaQuotasDefault,
        budget: new ByteBudget(putMediaLimits.bytesMax),
        heldBudget: new ByteBudget(putMediaLimits.heldBytesMax),
        turns: new Turns({ clock }),
        running: { count: 0 },
      },
    },
    {
      planned: {
        ...{ streamId: 's1', cameraId: 'c1', role: 'main', name: 'Door', revision: 1 },
        source,
        recording: recordingPolicy(),
      },
      ...{ paths, ingestName: 'ingest-0' },
    },
  );
  onTestFinished(async () => {
    let isClosed = false;
    const closing = stream.close('shutdown').finally(() => {
      isClosed = true;
    });
    await until('it is closed', async () => {
      await clock.advance(100);
      return isClosed;
    });
    await closing;
  });
  stream.start({ delayMs: 0 });
  const isPulled = source.kind === 'rtsp';
  await until('its source is opened', async () => {
    await clock.advance(1);
    return sinks.length === (isPulled ? 1 : 0);
  });
  const send = async (beginMs: number, endMs: number) => {
    for (let ms = beginMs; ms < endMs; ms += 40) {
      sinks
        .at(-1)
        ?.unit(unitOf({ track: video, timeMs: ms, receivedMs: clock.monotonicMs(), isKey: ms % 1_000 === 0 }));
      await clock.advance(40);
    }
  };
  return { stream, clock, sinks, send, lines, states };
}

test('a mistake of ours between units begins a new session with the source, which is recorded', async () => {
  const { stream, clock, sinks, send } = await startStream();
  sinks.at(-1)?.session([video], 'started');
  await send(0, 2_000);
  expect(stream.state.isRecording).toBe(true);

  clock.breaksNext = true;
  stream.tick();
  const isRecordingStill = stream.state.isRecording;
  await clock.advance(1_500);
  sinks.at(-1)?.session([video], 'started');
  await send(0, 2_000);

  expect(isRecordingStill).toBe(false);
  expect(sinks).toHaveLength(2);
  expect(stream.state).toMatchObject({ state: 'live', isRecording: true });
  expect(stream.stats.mistakes).toBe(1);
});

function putMedia(stream: IngestStream): IncomingPut {
  const answers = { event: () => true, done: () => {}, failed: () => {} };
  const head = { kind: 'put-media', streamId: 's1', requestId: 'r', timecodes: 'absolute', wantsAcks: true } as const;
  return stream.beginPutMedia({ ...head, producerStartMs: 0 }, answers);
}

/** Its numbers are reserved before anything can be taken. */
async function startProduced() {
  const started = await startStream({ kind: 'kvs' });
  let first: IncomingPut | undefined;
  const waiting = started.stream.state;
  await until('a producer is taken', async () => {
    await started.clock.advance(100);
    try {
      first ??= putMedia(started.stream);
    } catch {}
    return first;
  });
  return { ...started, waiting, first: first as unknown as IncomingPut };
}

test('a stream of a KVS producer waits without a gap, is live while one is connected, and tells the ledger nothing of it', async () => {
  const { stream, clock, sinks, lines, waiting, first } = await startProduced();
  const connected = stream.state;

  const second = putMedia(stream);
  expect(() => putMedia(stream)).toThrow('too many producers');
  first.end({ isCut: false });
  await clock.advance(100);
  const overlapping = stream.state;
  second.lost();
  await clock.advance(100);

  expect(sinks).toHaveLength(0);
  expect(waiting).toMatchObject({ state: 'idle', reason: undefined, message: 'waiting for a producer' });
  expect([connected.state, overlapping.state, stream.state.state]).toEqual(['live', 'live', 'idle']);
  expect(lines).toMatchObject([{ kind: 'unwanted', why: 'pushed' }]);
});

test('what a producer brings, and that it is recorded, is told as soon as it is known', async () => {
  const { stream, clock, states, first } = await startProduced();
  const connected = states.at(-1);

  first.bytes(Buffer.concat([head([h264]), ...footage({ beginTimecode: 1_000, fragments: 3 }).map(fragment)]));
  const recorded = await until('it is told', async () => {
    await clock.advance(1);
    stream.tick();
    return states.find(({ isRecording }) => isRecording);
  });

  expect(connected).toMatchObject({ state: 'live', isRecording: false, tracks: [] });
  expect(recorded).toMatchObject({ state: 'live', tracks: [{ number: 1, codec: 'h264' }] });
});

test('(59) a connection that says nothing gives its place to a producer that is back', async () => {
  const { stream, clock } = await startProduced();
  putMedia(stream);
  await clock.advance(9_000);
  expect(() => putMedia(stream)).toThrow('too many producers');

  await clock.advance(1_500);
  const third = putMedia(stream);
  third.bytes(new Uint8Array(0));
  putMedia(stream);

  expect(() => putMedia(stream)).toThrow('too many producers');
});

test('hours of the week change nothing for a KVS producer', async () => {
  const { stream, lines } = await startProduced();
  const live = { ...stream.planned, recording: recordingPolicy({ mode: 'live' }) };

  stream.setPlanned(live);
  stream.setPlanned({ ...live, recording: recordingPolicy() });

  expect(lines.map(({ kind }) => kind)).toEqual(['unwanted']);
});

test('a stream that a camera feeds takes no producer', async () => {
  const { stream } = await startStream();

  expect(() => putMedia(stream)).toThrow('a camera feeds this stream');
});

test('a stream that ends takes no more producers: nobody would end what they begin', async () => {
  const { stream, clock } = await startStream({ kind: 'kvs' });
  const putHead: PutMediaHead = {
    ...{ kind: 'put-media', streamId: 's1', requestId: 'r1', timecodes: 'absolute' },
    ...{ producerStartMs: 0, wantsAcks: true },
  };
  const answers = { event: () => true, done: () => {}, failed: () => {} };
  const connect = () => stream.beginPutMedia(putHead, answers);
  await until('numbers are reserved', async () => {
    await clock.advance(10);
    try {
      return connect() !== undefined;
    } catch {
      return false;
    }
  });

  const closing = stream.close('camera-removed');
  expect(connect).toThrow('the stream ends');

  let isClosed = false;
  void closing.finally(() => {
    isClosed = true;
  });
  await until('it is closed', async () => {
    await clock.advance(100);
    return isClosed;
  });
});
