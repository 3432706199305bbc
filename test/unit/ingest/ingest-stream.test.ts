import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { IngestStream } from '../../../gateway/ingest/ingest-stream.ts';
import type { JournalPlace } from '../../../gateway/record/index.ts';
import type { SourceSink } from '../../../gateway/rtsp/index.ts';
import { AssertionError } from '../../../storage/base/assert.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ByteBudget, Durability } from '../../../storage/journal/index.ts';
import type { PlannedSource } from '../../../storage/model/camera.ts';
import type { LedgerLine } from '../../../storage/model/ledger.ts';
import { limits } from '../../../storage/model/limits.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { recordingPolicy } from '../../kit/plans.ts';
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
      onState: () => {},
      importsRunning: { count: 0 },
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
    const closing = stream.close('shutdown');
    for (let i = 0; i < 20; i++) await clock.advance(100);
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
  return { stream, clock, sinks, send, lines };
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

test('a stream of a KVS producer waits without a gap, and is wanted for as long as one is connected', async () => {
  const { stream, clock, sinks, lines } = await startStream({ kind: 'kvs' });
  const waiting = stream.state;

  const firstGone = stream.producerConnected();
  const connected = stream.state;
  const secondGone = stream.producerConnected();
  firstGone();
  firstGone();
  const overlapping = stream.state;
  await clock.advance(1_000);
  secondGone();

  expect(sinks).toHaveLength(0);
  expect(waiting).toMatchObject({ state: 'idle', reason: undefined, message: 'waiting for a producer' });
  expect([connected.state, overlapping.state, stream.state.state]).toEqual(['live', 'live', 'idle']);
  expect(lines.map(({ kind }) => kind)).toEqual(['unwanted', 'wanted', 'unwanted']);
});

test('hours of the week are told of a KVS producer only while one is connected', async () => {
  const { stream, lines } = await startStream({ kind: 'kvs' });
  const live = { ...stream.planned, recording: recordingPolicy({ mode: 'live' }) };

  stream.setPlanned(live);
  const gone = stream.producerConnected();
  stream.setPlanned({ ...live, recording: recordingPolicy() });
  stream.setPlanned(live);
  gone();

  expect(lines.map(({ kind }) => kind)).toEqual(['unwanted', 'wanted', 'unwanted']);
});
