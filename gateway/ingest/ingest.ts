/**
 * The `ingest` role: pulls the cameras of a plan and records them, offers their live media on lanes. It opens no database,
 * touches no object store and parses nothing that a viewer sends.
 */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { AddressPolicy } from '../../storage/base/address-policy.ts';
import { assert } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { ByteBudget } from '../../storage/journal/index.ts';
import { type IncomingPut, LaneServer, type LaneSnapshot, type PutAnswers } from '../../storage/lane/index.ts';
import { isSameSource, type Plan, type PlannedSource } from '../../storage/model/camera.ts';
import { limits } from '../../storage/model/limits.ts';
import { journalRoots, type Paths } from '../../storage/model/paths.ts';
import type { RunEndReason } from '../../storage/model/run.ts';
import { parseImportHead } from '../import/index.ts';
import {
  isPutMediaHead,
  type PutMediaFigures,
  type PutMediaQuotas,
  parsePutMediaHead,
  putMediaLimits,
  putMediaQuotasDefault,
  Turns,
} from '../put-media/index.ts';
import { JournalPlaces, LedgerFile, ledgerEpoch } from '../record/index.ts';
import { RtmpListener, type RtmpListenerOptions, RtmpSession } from '../rtmp/index.ts';
import { RtspSession, readTurnMs, SharedReads, unwatchedTurnMs } from '../rtsp/index.ts';
import { isWhipHead, parseWhipHead, WhipDoor, type WhipHead, WhipSession } from '../webrtc-source/index.ts';
import { IngestMetrics } from './ingest-metrics.ts';
import { IngestStream } from './ingest-stream.ts';
import type { SourceSession } from './source-runner.ts';
import type { ProducersShare } from './stream-producers.ts';

export type IngestDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** 0 <= value < 1 */
  readonly random: () => number;
  /** How a source is reached; RTSP, RTMP and WHIP sessions when absent. */
  readonly openSource?: (planned: PlannedSource) => SourceSession;
};

export type IngestOptions = {
  readonly paths: Paths;
  /** `ingest-0` */
  readonly name: string;
  readonly syncPeriodMs: number;
  /** Where connections to cameras may lead; anywhere when absent. */
  readonly addresses?: AddressPolicy;
  /** Where publishers arrive, opened while a camera waits for one; without it this process takes none. */
  readonly rtmp?: RtmpListenerOptions | undefined;
  /** Those of AWS where absent. */
  readonly putMedia?: PutMediaQuotas | undefined;
};

const tickMs = 500;

/** What a publisher's stream is told where no port is open for it. */
const takesNone: SourceSession = {
  run: () =>
    Promise.resolve({
      reason: 'no-publisher',
      message: 'this server takes no RTMP publishers',
      hint: 'set rtmp.enabled to true and restart Weir',
      isRetryable: false,
    }),
};

export class Ingest {
  readonly #deps: IngestDeps;
  readonly #options: IngestOptions;
  readonly #lifetime = new Lifetime();
  readonly #budget = new ByteBudget(limits.recorderBytesMax);
  readonly #places: JournalPlaces;
  readonly #streams = new Map<string, IngestStream>();
  readonly #server: LaneServer;
  readonly #metrics: IngestMetrics;
  readonly #reads: SharedReads;
  /** Open while a camera waits for a publisher. */
  #listener: RtmpListener | undefined;
  readonly #whip: WhipDoor;
  readonly #openSource: (planned: PlannedSource) => SourceSession;
  readonly #importsRunning = { count: 0 };
  readonly #producersShare: ProducersShare;
  #ledger: LedgerFile | undefined;
  #applying: Promise<void> = Promise.resolve();

  constructor(deps: IngestDeps, options: IngestOptions) {
    const { clock, log, registry, random } = deps;
    const { addresses = new AddressPolicy({ networks: [] }), paths, name, syncPeriodMs } = options;
    this.#deps = deps;
    this.#options = options;
    this.#producersShare = {
      quotas: options.putMedia ?? putMediaQuotasDefault,
      budget: new ByteBudget(putMediaLimits.bytesMax),
      heldBudget: new ByteBudget(putMediaLimits.heldBytesMax),
      turns: new Turns({ clock }),
      running: { count: 0 },
    };
    this.#places = new JournalPlaces(
      { clock, log, random },
      {
        roots: journalRoots(paths).map((place) => place.root),
        state: paths.state,
        ingestName: name,
        syncPeriodMs,
      },
    );
    this.#server = new LaneServer(
      {
        log,
        handlers: {
          requests: {
            states: () => this.#snapshot().states,
            snapshot: () => this.#snapshot(),
            metrics: () => this.#metrics.text(),
            figures: () => this.#figures(),
            putMedia: () => this.putMedia,
          },
          snapshot: () => this.#snapshot(),
          subscribe: (streamId, lane) => this.#streamOf(streamId).join(lane),
          put: (value, answers) => {
            if (isPutMediaHead(value)) {
              const media = parsePutMediaHead(value);
              return this.#streamOf(media.streamId).beginPutMedia(media, answers);
            }
            if (isWhipHead(value)) return this.#beginWhip(parseWhipHead(value), answers);
            const head = parseImportHead(value);
            return this.#streamOf(head.streamId).beginImport(head, answers);
          },
        },
      },
      { path: join(paths.run, `${name}.sock`), role: name },
    );
    this.#metrics = new IngestMetrics(
      { clock, registry },
      {
        streams: () => this.#streams.values(),
        budgetUsed: () => this.#budget.used,
        syncs: () => this.#places.syncCount,
        lanes: () => this.#server.stats,
        placeFaults: () => this.#places.faults.length,
      },
    );
    const reads = new SharedReads(
      { clock },
      { turnMs: () => (this.#server.stats.lanes > 0 ? readTurnMs : unwatchedTurnMs) },
    );
    this.#reads = reads;
    this.#whip = new WhipDoor({ clock, log });
    const open = ({ source, streamId, cameraId }: PlannedSource): SourceSession => {
      const ofSource = { clock, log: log.child({ streamId, cameraId }), random };
      if (source.kind === 'rtsp') return new RtspSession(ofSource, { source, reads, addresses });
      if (source.kind === 'whip') return new WhipSession({ ...ofSource, door: this.#whip }, { streamId, source });
      assert(source.kind === 'rtmp', 'what producers send is not opened by us');
      const listener = this.#listener;
      return listener === undefined ? takesNone : new RtmpSession({ ...ofSource, listener }, { source });
    };
    this.#openSource = deps.openSource ?? open;
  }

  /** What KVS producers sent since the start, by stream. */
  get putMedia(): ({ readonly streamId: string } & PutMediaFigures)[] {
    return [...this.#streams.values()].flatMap(({ planned: { streamId }, putMedia }) =>
      putMedia === undefined ? [] : [{ streamId, ...putMedia.snapshot() }],
    );
  }

  /** The port where publishers arrive; undefined where none is waited for. */
  get rtmpPort(): number | undefined {
    return this.#listener?.port;
  }

  /**
   * Begins a new epoch and listens; nothing is recorded before `apply`.
   *
   * @throws AppError failed_precondition, already_exists  another process records into this data directory
   */
  async start(): Promise<void> {
    const { clock, log } = this.#deps;
    const { paths, name } = this.#options;
    this.#metrics.start();
    this.#lifetime.defer(() => this.#metrics.close());
    await this.#places.start();
    this.#lifetime.own(this.#places);
    const directory = join(paths.state, name, 'ledger');
    const epoch = await ledgerEpoch(directory, this.#places.epoch);
    this.#ledger = this.#lifetime.own(new LedgerFile({ clock, log }, { directory, epoch }));
    await this.#server.start();
    this.#lifetime.own(this.#server);
    this.#lifetime.defer(() => this.#listener?.close());
    this.#lifetime.defer(() => this.#whip.close());
    this.#lifetime.defer(() => this.#closeStreams([...this.#streams.keys()], 'shutdown'));
    this.#lifetime.defer(
      clock.every(tickMs, () => {
        for (const stream of this.#streams.values()) stream.tick();
        this.#compareSources();
      }),
    );
  }

  /**
   * Makes the plan true: begins what is new, ends what is gone, restarts what changed, and leaves the rest alone. Calls are done
   * one after the other; resolves when removed and changed streams have finished their files.
   */
  apply(plan: Plan): Promise<void> {
    const applied = this.#applying.then(async () => {
      if (!this.#lifetime.signal.aborted) await this.#apply(plan);
    });
    // Whoever asked is told of a plan that failed; the next one, and the end, do not fail with it.
    this.#applying = applied.catch(() => {});
    return applied;
  }

  /** Ends all runs, finishes their files, and closes everything. */
  async close(): Promise<void> {
    await this.#applying;
    await this.#lifetime.close();
  }

  async #apply(plan: Plan): Promise<void> {
    const wanted = new Map(plan.sources.map((source) => [source.streamId, source]));
    const removed = [...this.#streams.keys()].filter((streamId) => !wanted.has(streamId));
    const changed = [...wanted.values()].filter((planned) => this.#isSourceChanged(planned));
    await Promise.all([
      this.#closeStreams(removed, 'camera-removed'),
      this.#closeStreams(
        changed.map((planned) => planned.streamId),
        'camera-changed',
      ),
    ]);
    await this.#tendListener(plan);
    const added = [...wanted.values()].filter((planned) => !this.#streams.has(planned.streamId));
    for (const [streamId, stream] of this.#streams) {
      const planned = wanted.get(streamId);
      if (planned !== undefined && planned.revision !== stream.planned.revision) stream.setPlanned(planned);
    }
    for (const [i, planned] of added.entries()) this.#begin(planned, (i / added.length) * limits.startSpreadMs);
    this.#deps.log.info('plan applied', {
      sources: wanted.size,
      added: added.length,
      changed: changed.length,
      removed: removed.length,
    });
  }

  /** The port for publishers is open when a camera needs it, and not a moment longer. */
  async #tendListener(plan: Plan): Promise<void> {
    const { clock, log, random } = this.#deps;
    const { rtmp } = this.#options;
    const isWanted = rtmp !== undefined && plan.sources.some(({ source }) => source.kind === 'rtmp');
    if (isWanted && this.#listener === undefined) {
      this.#listener = new RtmpListener({ clock, log, random, reads: this.#reads }, rtmp);
      await this.#listener.start();
    } else if (!isWanted && this.#listener !== undefined) {
      const listener = this.#listener;
      this.#listener = undefined;
      await listener.close();
    }
  }

  /** True when the source itself is another: a policy alone does not interrupt it. */
  #isSourceChanged(planned: PlannedSource): boolean {
    const current = this.#streams.get(planned.streamId)?.planned;
    if (current === undefined || current.revision === planned.revision) return false;
    return current.cameraId !== planned.cameraId || !isSameSource(current.source, planned.source);
  }

  #begin(planned: PlannedSource, delayMs: number): void {
    const { clock, log, random } = this.#deps;
    const ledger = this.#ledger;
    if (ledger === undefined) throw appError('failed_precondition', 'ingest was not started');
    const stream = new IngestStream(
      {
        ...{ clock, log, random, budget: this.#budget, places: this.#places, ledger },
        openSource: this.#openSource,
        createRunId: () => randomUUID().replaceAll('-', ''),
        onHint: (hint) => this.#server.hint(hint),
        onState: (state) => this.#server.state(state),
        importsRunning: this.#importsRunning,
        producersShare: this.#producersShare,
      },
      { planned, paths: this.#options.paths, ingestName: this.#options.name },
    );
    this.#streams.set(planned.streamId, stream);
    stream.start({ delayMs });
  }

  /** @throws AppError not_found */
  #streamOf(streamId: string): IngestStream {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return stream;
    throw appError('not_found', 'no such stream', { streamId, hint: 'is its camera enabled?' });
  }

  /** @throws AppError failed_precondition  the stream is fed otherwise */
  #beginWhip(head: WhipHead, answers: PutAnswers): IncomingPut {
    const { source } = this.#streamOf(head.streamId).planned;
    if (source.kind === 'whip') return this.#whip.begin(head, answers);
    throw appError('failed_precondition', 'the camera takes no WHIP publisher', {
      hint: 'add a camera of the kind WHIP, and publish to that one',
    });
  }

  async #closeStreams(streamIds: readonly string[], reason: RunEndReason): Promise<void> {
    await Promise.all(
      streamIds.map(async (streamId) => {
        try {
          await this.#streams.get(streamId)?.close(reason);
        } catch (error) {
          this.#deps.log.error('stream did not close cleanly', { streamId, error: toAppError(error) });
        }
        this.#streams.delete(streamId);
      }),
    );
  }

  /** Both sources of a camera are planned for one process, so their times can be compared here. */
  #compareSources(): void {
    const streams = [...this.#streams.values()];
    const subs = streams.filter(({ planned }) => planned.role === 'sub');
    if (subs.length === 0) return;
    const wayOfMain = new Map(
      streams.flatMap(({ planned, wayMs }) => (planned.role === 'main' ? [[planned.cameraId, wayMs]] : [])),
    );
    for (const stream of subs) stream.compareWithMain(wayOfMain.get(stream.planned.cameraId));
  }

  /** What each source has counted, for whoever draws it over time. */
  #figures(): { streamId: string; bytes: number; units: number; packetsLost: number }[] {
    return [...this.#streams.values()].map(({ planned, stats: { bytes, units, packetsLost } }) => ({
      streamId: planned.streamId,
      bytes,
      units,
      packetsLost,
    }));
  }

  #snapshot(): LaneSnapshot {
    const streams = [...this.#streams.values()];
    return { open: streams.flatMap((stream) => stream.openSegments), states: streams.map((stream) => stream.state) };
  }
}
