/** One planned source with everything that hangs on it: its runner, hub, recorder and numbers. */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { appError, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { Backoff } from '../../storage/base/retry.ts';
import { highestJournalCounter, NumberAllocator } from '../../storage/journal/index.ts';
import type { IncomingPut, OutgoingLane, PutAnswers } from '../../storage/lane/index.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import { isRing, type PlannedSource, type SourceState } from '../../storage/model/camera.ts';
import type { FragmentNumber } from '../../storage/model/fragment-number.ts';
import type { OpenSegment } from '../../storage/model/hint.ts';
import type { PauseReason } from '../../storage/model/ledger.ts';
import { limits } from '../../storage/model/limits.ts';
import { journalRoots, type Paths } from '../../storage/model/paths.ts';
import { type GapReason, type RunEndReason, runEndReasons } from '../../storage/model/run.ts';
import type { ImportHead } from '../import/index.ts';
import type { PutMediaCounters, PutMediaHead } from '../put-media/index.ts';
import { type DropReason, Recorder, type RecorderDeps } from '../record/index.ts';
import { ScheduleWatch, type WantedChange } from './schedule-watch.ts';
import { SourceRunner, type SourceSession, type SourceStatus } from './source-runner.ts';
import { StreamHub } from './stream-hub.ts';
import { StreamImports } from './stream-imports.ts';
import { type ProducersShare, StreamProducers } from './stream-producers.ts';
import { trackText } from './track-text.ts';

export type IngestStreamDeps = Omit<RecorderDeps, 'numbers' | 'onChange'> & {
  readonly random: () => number;
  readonly openSource: (planned: PlannedSource) => SourceSession;
  readonly onState: (state: SourceState) => void;
  /** Imports into all streams of the process. */
  readonly importsRunning: { count: number };
  readonly producersShare: ProducersShare;
};

/** An offset that changes by less is the jitter of a packet and not told anew. */
const offsetStepMs = 20;

export class IngestStream {
  readonly #deps: IngestStreamDeps;
  readonly #lifetime = new Lifetime();
  readonly #numbers: NumberAllocator;
  readonly #recorder: Recorder;
  readonly #hub: StreamHub;
  readonly #imports: StreamImports;
  readonly #paths: Paths;
  readonly #runner: SourceRunner;
  readonly #schedule: ScheduleWatch;
  #planned: PlannedSource;
  #hasNumbers = false;
  #isClosing = false;
  #wayMs: number | undefined;
  #mainOffsetMs: number | undefined;
  #waitingReason: GapReason | undefined;
  /** Of a stream that KVS producers send. */
  readonly #producers: StreamProducers | undefined;
  #awaited: SourceStatus;
  #toldOfProduced = '';

  constructor(
    deps: IngestStreamDeps,
    options: { readonly planned: PlannedSource; readonly paths: Paths; readonly ingestName: string },
  ) {
    const { planned, paths, ingestName } = options;
    const { streamId, cameraId } = planned;
    const log = deps.log.child({ streamId, cameraId });
    this.#deps = { ...deps, log };
    this.#planned = planned;
    this.#paths = paths;
    const { clock, random } = deps;
    this.#schedule = new ScheduleWatch({ clock }, { policy: planned.recording });
    this.#awaited = producerStatus('idle', clock.wallMs());
    this.#numbers = new NumberAllocator(
      { clock, log, random },
      {
        directory: join(paths.state, ingestName, 'numbers'),
        streamId,
        knownCounter: () => highestJournalCounter(paths, streamId),
      },
    );
    this.#recorder = new Recorder(
      {
        ...{ ...this.#deps, onChange: () => this.#tellState() },
        numbers: { next: (serverTimestampMs) => this.#nextNumber(serverTimestampMs) },
      },
      { streamId, segmentOffsetMs: crc32(streamId) % limits.segmentDurationMs },
    );
    this.#imports = new StreamImports({
      ...{ clock, log, places: deps.places, onHint: deps.onHint, running: deps.importsRunning },
      numbers: {
        next: (serverTimestampMs) => this.#nextNumber(serverTimestampMs),
        hasAhead: () => this.#hasNumbers && this.#numbers.hasAhead(),
      },
      createRunSuffix: () => deps.createRunId().slice(0, 12),
    });
    if (planned.source.kind === 'kvs') this.#producers = this.#createProducers(log);
    this.#hub = new StreamHub({ recorder: this.#producers?.recorder ?? this.#recorder, log });
    this.#runner = new SourceRunner({
      ...{ clock, log, random },
      open: () => deps.openSource(this.#planned),
      target: {
        session: (tracks, endOfLast) => this.#hub.session(tracks, endOfLast),
        unit: (unit) => {
          this.#noteWay(unit);
          this.#hub.unit(unit);
        },
        sessionEnded: (reason) => {
          this.#wayMs = undefined;
          this.#hub.sessionEnded(reason);
        },
        abandoned: () => this.#recorder.abandon(),
        onState: () => this.#onSourceState(),
      },
    });
  }

  get planned(): PlannedSource {
    return this.#planned;
  }

  get openSegments(): readonly OpenSegment[] {
    const ofProducers = this.#producers?.openSegments ?? [];
    return [...this.#recorder.openSegments, ...this.#imports.openSegments, ...ofProducers];
  }

  /** Figures since the start, for metrics. */
  get stats() {
    const dropped: ReadonlyMap<DropReason, number> = this.#recorder.dropped;
    const stats = { ...this.#runner.stats, runs: this.#recorder.runsBegan, dropped, lanes: this.#hub.lanes };
    const sent = this.#producers?.counters;
    if (sent === undefined) return stats;
    return { ...stats, sessions: sent.requests, units: sent.incomingFrames, bytes: sent.incomingBytes };
  }

  /** Of a stream that KVS producers send. */
  get putMedia(): PutMediaCounters | undefined {
    return this.#producers?.counters;
  }

  get state(): SourceState {
    const { runsLastHour, failure } = this.#recorder;
    const status = this.#isPushed ? this.#awaited : this.#runner.status;
    const warnings = [...this.#runner.warnings];
    if (runsLastHour > limits.runsPerHourWarning) {
      warnings.push(`${runsLastHour} runs began in the last hour: the camera or its connection is not stable`);
    }
    if (failure !== undefined) warnings.push(`nothing is recorded: ${failure.message} (${failure.reason})`);
    const [preferred] = journalRoots(this.#paths);
    if (this.#recorder.root !== undefined && this.#recorder.root !== preferred?.root) {
      warnings.push(
        `recorded in the spare directory ${this.#recorder.root} since ${preferred?.root} could not be written: look at its disk`,
      );
    }
    return {
      streamId: this.#planned.streamId,
      ...status,
      isRecording: this.#producers?.isRecording ?? (this.#isWanted && this.#recorder.isRunning),
      tracks: this.#hub.tracks.map((track) => ({ number: track.number, codec: track.codec, text: trackText(track) })),
      clockOffsetMs: this.#runner.clockOffsetMs,
      clockDriftPpm: this.#runner.clockDriftPpm,
      mainOffsetMs: this.#mainOffsetMs,
      runsLastHour,
      warnings,
      ...(failure === undefined ? {} : { recordingFault: { ...failure, message: failure.message.slice(0, 1_000) } }),
    };
  }

  /** @param options.delayMs  before the first attempt at the source */
  start(options: { readonly delayMs: number }): void {
    const { atMs } = this.#schedule.begin();
    this.#tellWanted({ isWanted: this.#isWanted, atMs });
    const numbersTried = Promise.withResolvers<void>();
    this.#lifetime.loop((signal) => this.#reserveNumbers(signal, numbersTried.resolve));
    if (this.#isPushed) this.#tellState();
    else this.#runner.start({ ...options, after: numbersTried.promise });
  }

  /** Takes over another policy of the same source, without touching its connection. */
  setPlanned(planned: PlannedSource): void {
    this.#followSchedule();
    const before = this.#isWanted || this.#whyNot;
    this.#planned = planned;
    const { atMs } = this.#schedule.begin(planned.recording);
    if (before !== (this.#isWanted || this.#whyNot)) this.#tellWanted({ isWanted: this.#isWanted, atMs });
    this.#tellState();
  }

  /**
   * How much later our server time of an instant is than the producer's, by the newest key picture; undefined between sessions and
   * while the source does not tell its time.
   */
  get wayMs(): number | undefined {
    return this.#wayMs;
  }

  /** Of a sub source: compares its times with those of the camera's main one. */
  compareWithMain(mainWayMs: number | undefined): void {
    const offsetMs =
      this.#wayMs === undefined || mainWayMs === undefined ? undefined : Math.round(this.#wayMs - mainWayMs);
    const before = this.#mainOffsetMs;
    const isSame =
      offsetMs === undefined || before === undefined ? offsetMs === before : Math.abs(offsetMs - before) < offsetStepMs;
    if (isSame) return;
    this.#mainOffsetMs = offsetMs;
    this.#tellState();
  }

  /** Opens a lane on this stream. */
  join(lane: OutgoingLane): () => void {
    return this.#hub.join(lane);
  }

  /** Takes a file in. @throws AppError resource_exhausted  another one is running */
  beginImport(head: ImportHead, answers: PutAnswers): IncomingPut {
    return this.#imports.begin(head, answers);
  }

  /**
   * Takes what a KVS producer sends.
   *
   * @throws AppError failed_precondition  the stream belongs to a camera
   * @throws AppError resource_exhausted   there are as many connections as there may be
   * @throws AppError unavailable          not just now
   */
  beginPutMedia(head: PutMediaHead, answers: PutAnswers): IncomingPut {
    if (this.#producers === undefined) throw appError('failed_precondition', 'a camera feeds this stream');
    // Those that were told just now are back at once: nobody would end what they begin.
    if (this.#isClosing) throw appError('unavailable', 'the stream ends');
    return this.#producers.begin(head, answers, { isRing: isRing(this.#planned.recording) });
  }

  tick(): void {
    try {
      this.#recorder.tick();
    } catch (error) {
      // The recorder has no session any more: only the source can begin one.
      this.#runner.restart(error);
    }
    this.#runner.tick();
    this.#producers?.tick();
    this.#tellProduced();
    this.#followSchedule();
  }

  /** Ends the session and the run for the reason given; resolves when the files are finished. */
  async close(reason: RunEndReason): Promise<void> {
    this.#isClosing = true;
    await this.#runner.close(reason);
    await this.#producers?.close(reason);
    await this.#imports.close(runEndReasons[reason]);
    await this.#recorder.close(reason);
    await this.#lifetime.close();
    await this.#numbers.close();
    this.#hub.close(reason);
    const { clock, ledger } = this.#deps;
    if (reason === 'camera-removed')
      ledger.add({ kind: 'unwanted', streamId: this.#planned.streamId, atMs: clock.wallMs(), why: 'switched-off' });
  }

  #noteWay(unit: AccessUnit): void {
    const { producerTimestampMs } = unit;
    if (!unit.isKey || unit.trackNumber !== this.#hub.tracks[0]?.number) return;
    this.#wayMs =
      producerTimestampMs === undefined ? undefined : this.#recorder.serverTimestampMs(unit) - producerTimestampMs;
  }

  /** It comes by PutMedia: there is no session to run. */
  get #isPushed(): boolean {
    return this.#planned.source.kind === 'kvs';
  }

  /**
   * What the gap ledger is told. Of producers never: nobody knows when one should send, they send again what was not stored, and
   * their fragments have the time of their arrival, between which nothing is missing.
   */
  get #isWanted(): boolean {
    return this.#schedule.isWanted && !this.#isPushed;
  }

  get #whyNot(): PauseReason {
    return this.#isPushed ? 'pushed' : this.#schedule.whyNot;
  }

  #createProducers(log: Log): StreamProducers {
    const { clock, places, onHint, createRunId, producersShare: share } = this.#deps;
    return new StreamProducers({
      ...{ clock, log, places, onHint, createRunId, share },
      numbers: { next: (serverTimestampMs) => this.#nextNumber(serverTimestampMs) },
      hasNumbersAhead: () => this.#hasNumbers && this.#numbers.hasAhead(),
      hasRetention: () => !isRing(this.#planned.recording),
      hub: () => this.#hub,
      onChange: () => {
        const isAny = (this.#producers?.connected ?? 0) > 0;
        const state = isAny ? 'live' : 'idle';
        if (this.#awaited.state !== state) this.#awaited = producerStatus(state, clock.wallMs());
        this.#tellState();
      },
    });
  }

  /** What a producer brings, and whether it is recorded, is known a moment after it connected. */
  #tellProduced(): void {
    if (this.#producers === undefined) return;
    const { isRecording } = this.#producers;
    const produced = [isRecording, ...this.#hub.tracks.map(trackText)].join(' ');
    if (produced === this.#toldOfProduced) return;
    this.#toldOfProduced = produced;
    this.#tellState();
  }

  #followSchedule(): void {
    const changes = this.#schedule.look();
    for (const change of this.#isPushed ? [] : changes) this.#tellWanted(change);
    if (changes.length > 0) this.#tellState();
  }

  /** The run goes on over an edge, so that no frame is missing there: it is wanted, or not, from then on. */
  #tellWanted({ isWanted, atMs }: WantedChange): void {
    const { ledger, log } = this.#deps;
    const { streamId } = this.#planned;
    ledger.add(isWanted ? { kind: 'wanted', streamId, atMs } : { kind: 'unwanted', streamId, atMs, why: this.#whyNot });
    const { runId } = this.#recorder;
    if (isWanted && runId !== undefined) ledger.add({ kind: 'run-began', streamId, runId, atMs });
    log.info(isWanted ? 'recording is wanted' : 'recording is not wanted', { atMs });
  }

  #onSourceState(): void {
    const { state, reason, message } = this.#runner.status;
    const waitingReason = state === 'retrying' ? reason : undefined;
    // Once for each reason: an hour of unreachable tries is one line.
    if (waitingReason !== undefined && waitingReason !== this.#waitingReason) {
      const { clock, ledger } = this.#deps;
      const detail = message === undefined ? {} : { detail: message.slice(0, 1_000) };
      const { streamId } = this.#planned;
      ledger.add({ kind: 'waiting', streamId, atMs: clock.wallMs(), reason: waitingReason, ...detail });
    }
    if (state === 'live' || state === 'retrying') this.#waitingReason = waitingReason;
    this.#tellState();
  }

  #tellState(): void {
    this.#deps.onState(this.state);
  }

  #nextNumber(serverTimestampMs: number): { number: FragmentNumber; counter: number } {
    if (!this.#hasNumbers) {
      throw appError('unavailable', 'fragment numbers could not be reserved yet', {
        hint: 'is the state directory on a full or read-only file system?',
      });
    }
    return this.#numbers.next(serverTimestampMs);
  }

  /** @param onTried  called after the first attempt, whatever became of it */
  async #reserveNumbers(signal: AbortSignal, onTried: () => void): Promise<void> {
    const { clock, log, random } = this.#deps;
    const backoff = new Backoff({ firstDelayMs: 500, delayMsMax: 10_000, random });
    while (!signal.aborted && !this.#hasNumbers) {
      try {
        await this.#numbers.start();
        this.#hasNumbers = true;
        onTried();
      } catch (error) {
        log.error('fragment numbers cannot be reserved', { error: toAppError(error) });
        onTried();
        await clock.sleep(backoff.nextDelayMs(), signal);
      }
    }
  }
}

/** How a stream is that a KVS producer sends. */
function producerStatus(state: 'idle' | 'live', sinceMs: number): SourceStatus {
  const isIdle = state === 'idle';
  return {
    ...{ state, sinceMs, reason: undefined, attempts: 0, nextAttemptMs: undefined },
    message: isIdle ? 'waiting for a producer' : undefined,
    hint: isIdle ? "let a KVS producer send by PutMedia: the camera's page tells endpoint and stream name" : undefined,
  };
}
