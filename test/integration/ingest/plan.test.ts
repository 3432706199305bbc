import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Ingest, type SourceSession } from '../../../gateway/ingest/index.ts';
import type { SourceSink } from '../../../gateway/rtsp/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { PlannedSource } from '../../../storage/model/camera.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { recordingPolicy } from '../../kit/plans.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { unitOf, video } from '../../unit/record/fragment-checker.ts';
import { ledgerLines, plannedOf, planOf, startIngest, storedFiles } from './ingest-kit.ts';

/** Sources that the test feeds by hand. */
function handFed() {
  const sinks = new Map<string, SourceSink>();
  const opened: { streamId: string; atMs: number }[] = [];
  const openSource = (planned: PlannedSource): SourceSession => ({
    run: (sink, signal) =>
      new Promise((resolve, reject) => {
        opened.push({ streamId: planned.streamId, atMs: performance.now() });
        // As a real source does: what its sink throws ends it.
        const guarded = (use: () => void) => {
          try {
            use();
          } catch (error) {
            reject(error);
          }
        };
        sinks.set(planned.streamId, {
          ...sink,
          session: (tracks, reason) => guarded(() => sink.session(tracks, reason)),
          unit: (unit) => guarded(() => sink.unit(unit)),
        });
        const end = { reason: 'shutdown', message: 'ended', hint: '', isRetryable: false } as const;
        signal.addEventListener('abort', () => resolve(end));
      }),
  });
  const send = (streamId: string, beginMs: number, endMs: number) => {
    for (let ms = beginMs; ms < endMs; ms += 40) {
      const isKey = ms % 1_000 === 0;
      sinks
        .get(streamId)
        ?.unit(unitOf({ track: video, timeMs: ms, receivedMs: performance.now(), isKey, byteLength: 500 }));
    }
  };
  return { openSource, sinks, opened, send };
}

const source = (streamId: string, facts: Partial<PlannedSource> = {}): PlannedSource =>
  plannedOf(
    { kind: 'rtsp', url: `rtsp://192.0.2.1/${streamId}`, transport: 'tcp', tls: 'any' },
    { streamId, ...facts },
  );

test('a new plan restarts what changed, ends what is gone, and leaves the rest alone', async () => {
  const { openSource, opened, sinks, send } = handFed();
  const { ingest, paths, client } = await startIngest({ openSource });
  await ingest.apply(planOf(source('a'), source('b'), source('c'), source('d')));
  await until('all are opened', () => opened.length === 4);
  for (const [streamId, sink] of sinks) {
    sink.session([video], 'started');
    send(streamId, 0, 2_000);
  }

  const elsewhere = { kind: 'rtsp', url: 'rtsp://192.0.2.2/b', transport: 'tcp', tls: 'any' } as const;
  const moved = source('b', { revision: 2, source: elsewhere });
  const relaxed = source('d', {
    revision: 2,
    recording: recordingPolicy({ mode: 'live' }),
  });
  await ingest.apply(planOf(source('a'), moved, relaxed));
  await until('the changed one is opened again', () => opened.length === 5);
  const states = await client.request<{ streamId: string; state: string }[]>('states', {}, { timeoutMs: 5_000 });
  await ingest.close();

  expect(opened.map((each) => each.streamId).slice(4)).toEqual(['b']);
  expect(states.map((state) => [state.streamId, state.state]).sort()).toEqual([
    ['a', 'live'],
    ['b', 'connecting'],
    ['d', 'live'],
  ]);
  const ends = (await ledgerLines(paths)).filter((line) => line.kind === 'run-ended' || line.kind === 'unwanted');
  expect(ends.map((line) => [line.streamId, line.kind === 'run-ended' ? line.reason : line.kind]).sort()).toEqual([
    ['a', 'shutdown'],
    ['b', 'camera-changed'],
    ['c', 'camera-removed'],
    ['c', 'unwanted'],
    ['d', 'shutdown'],
    ['d', 'unwanted'],
  ]);
  for (const streamId of ['a', 'b', 'c', 'd']) {
    const files = await storedFiles(paths, streamId);
    expect(files.flatMap((file) => file.fragments).map((fragment) => fragment.tracks[0]?.samples)).toEqual([25, 25]);
  }
});

test('name, retention and whether it is recorded change without touching connection and run', async () => {
  const { openSource, opened, sinks, send } = handFed();
  const { ingest, paths, states } = await startIngest({ openSource });
  await ingest.apply(planOf(source('a')));
  await until('it is opened', () => opened.length === 1);
  sinks.get('a')?.session([video], 'started');
  send('a', 0, 2_000);

  await ingest.apply(planOf(source('a', { revision: 2, name: 'Back door' })));
  await ingest.apply(planOf(source('a', { revision: 3, recording: recordingPolicy({ retentionHours: 48 }) })));
  await ingest.apply(planOf(source('a', { revision: 4, recording: recordingPolicy({ mode: 'live' }) })));
  await until('it is not recorded', () => states.get('a')?.isRecording === false);
  send('a', 2_000, 3_000);
  await ingest.apply(planOf(source('a', { revision: 5, recording: recordingPolicy() })));
  await until('it is recorded again', () => states.get('a')?.isRecording === true);
  send('a', 3_000, 4_000);
  await ingest.close();

  expect(opened).toHaveLength(1);
  const files = await storedFiles(paths, 'a');
  expect(files.flatMap((file) => file.fragments.map((each) => each.tracks[0]?.samples))).toEqual([25, 25, 25, 25]);
  const runId = files[0]?.head.runId;
  const lines = await ledgerLines(paths);
  expect(lines.map((line) => [line.kind, 'runId' in line ? line.runId : undefined])).toEqual([
    ['wanted', undefined],
    ['run-began', runId],
    ['unwanted', undefined],
    ['wanted', undefined],
    ['run-began', runId],
    ['run-ended', runId],
  ]);
});

test('the first run began since the camera was connected to, whatever became of sessions before it, and lines name a stream once', async () => {
  const { openSource, opened, sinks, send } = handFed();
  const { ingest, paths, log } = await startIngest({ openSource });
  await ingest.apply(planOf(source('a')));
  await until('it is opened', () => opened.length === 1);

  // Two sessions that never get to a key frame.
  for (const reason of ['started', 'tracks-changed', 'time-jump'] as const) {
    sinks.get('a')?.session([video], reason);
    send('a', 40, 1_000);
  }
  send('a', 1_000, 3_000);
  sinks.get('a')?.session([video], 'tracks-changed');
  send('a', 0, 2_000);
  await ingest.close();

  const files = await storedFiles(paths, 'a');
  expect(files.map((file) => file.head.runReason)).toEqual(['connecting', 'tracks-changed']);
  expect(log.filter((line) => line.split('"streamId"').length > 2)).toEqual([]);
  expect(log.filter((line) => line.includes('"run began"') && line.includes('"streamId":"a"'))).toHaveLength(2);
});

test('first connections of many cameras are spread over a second or two', async () => {
  const { openSource, opened } = handFed();
  const { ingest } = await startIngest({ openSource });
  const beganMs = performance.now();

  await ingest.apply(planOf(...Array.from({ length: 50 }, (_, i) => source(`s${i}`))));
  await until('all are opened', () => opened.length === 50);

  const lastMs = Math.max(...opened.map((each) => each.atMs)) - beganMs;
  expect(lastMs).toBeGreaterThan(1_000);
  expect(lastMs).toBeLessThan(4_000);
});

test('a mistake of ours in one stream restarts that stream and no other', async () => {
  const { openSource, opened, sinks, send } = handFed();
  const { ingest, paths, states } = await startIngest({ openSource });
  await ingest.apply(planOf(source('a'), source('b')));
  await until('both are opened', () => opened.length === 2);
  for (const sink of sinks.values()) sink.session([video], 'started');
  send('a', 0, 2_000);
  send('b', 0, 2_000);

  // A unit of a track that the session does not have breaks an assertion.
  sinks.get('a')?.unit({ ...unitOf({ track: video, timeMs: 2_000 }), trackNumber: 9 });
  await until('a says so', () => states.get('a')?.reason === 'source-error');
  send('b', 2_000, 4_000);
  await until('a is opened again', () => opened.length === 3);
  sinks.get('a')?.session([video], 'started');
  send('a', 0, 2_000);
  await ingest.close();

  const samples = async (streamId: string) =>
    (await storedFiles(paths, streamId)).map((file) => file.fragments.map((each) => each.tracks[0]?.samples));
  expect(await samples('b')).toEqual([[25, 25, 25, 25]]);
  // The open fragment of the failed run is gone, what was committed is there.
  expect(await samples('a')).toEqual([[25], [25, 25]]);
});

test('a plan that could not be applied is told to its caller and holds up neither the next one nor the end', async () => {
  const { openSource, opened } = handFed();
  const paths = pathsUnder(await temporaryDirectory());
  const ingest = new Ingest(
    { clock: systemClock, log: silentLog, registry: new Registry(), random: Math.random, openSource },
    { paths, name: 'ingest-0', syncPeriodMs: 500 },
  );

  await expect(ingest.apply(planOf(source('a')))).rejects.toThrow('ingest was not started');
  await ingest.start();
  await ingest.apply(planOf(source('a')));
  await until('it is opened', () => opened.length === 1);
  await ingest.close();

  expect(opened.map((each) => each.streamId)).toEqual(['a']);
});

test('metrics tell each camera and the process', async () => {
  const { openSource, opened, sinks, send } = handFed();
  const { ingest, client } = await startIngest({ openSource });
  await ingest.apply(planOf(source('a')));
  await until('it is opened', () => opened.length === 1);
  sinks.get('a')?.session([video], 'started');
  send('a', 40, 3_000);
  sinks.get('a')?.loss({ trackNumber: 1, packets: 7 });

  const text = await client.request<string>('metrics', {}, { timeoutMs: 5_000 });

  const labels = 'stream="a",camera="camera-1",name="Front door"';
  expect(text).toContain(`weir_ingest_units_total{${labels}} 74`);
  expect(text).toContain(`weir_ingest_bytes_total{${labels}} 37000`);
  expect(text).toContain(`weir_ingest_packets_lost_total{${labels}} 7`);
  expect(text).toContain(`weir_ingest_runs_total{${labels}} 1`);
  expect(text).toContain(`weir_ingest_dropped_units_total{${labels},reason="before-key"} 24`);
  expect(text).toContain(`weir_ingest_state{${labels},state="live"} 1`);
  expect(text).toMatch(/weir_event_loop_delay_seconds\{quantile="0.99"\} [\d.e-]+/);
  expect(text).toContain('weir_journal_pending_bytes ');
});
