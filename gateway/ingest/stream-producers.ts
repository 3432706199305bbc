/**
 * KVS producers of one stream: their connections, of which the newest is what live viewers see. Each writes fragments of its own; to
 * the hub, and so to lanes, all of them are one source.
 */

import { appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { ByteBudget } from '../../storage/journal/index.ts';
import type { IncomingPut, LaneJoin, PutAnswers } from '../../storage/lane/index.ts';
import { nalLengthBytes } from '../../storage/media/index.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { OpenSegment } from '../../storage/model/hint.ts';
import { limits } from '../../storage/model/limits.ts';
import type { RunEndReason } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';
import {
  type OpenedFragment,
  type ProducerFrame,
  type ProducerHead,
  PutMediaCounters,
  type PutMediaHead,
  type PutMediaQuotas,
  PutMediaReceiver,
  putMediaLimits,
  type ReceiverDeps,
  type Turns,
} from '../put-media/index.ts';
import type { HubRecorder, StreamHub } from './stream-hub.ts';

/** What producers of all streams of the process share. */
export type ProducersShare = {
  readonly quotas: PutMediaQuotas;
  readonly budget: ByteBudget;
  readonly heldBudget: ByteBudget;
  readonly turns: Turns;
  /** Connections in the whole process. */
  readonly running: { count: number };
};

export type StreamProducersDeps = Pick<
  ReceiverDeps,
  'clock' | 'log' | 'numbers' | 'places' | 'onHint' | 'createRunId' | 'hasRetention' | 'hasNumbersAhead'
> & {
  readonly share: ProducersShare;
  readonly hub: () => Pick<StreamHub, 'session' | 'unit' | 'sessionEnded'>;
  /** The first one connected, or the last one left. */
  readonly onChange: () => void;
};

type Connection = { readonly receiver: PutMediaReceiver; readonly order: number; isOver: boolean };

/** What viewers follow. Session time is the connection's media time less that of its first fragment. */
type Live = {
  readonly connection: Connection;
  readonly baseUs: number;
  readonly trackNumbers: ReadonlySet<number>;
  /** A lane can join inside of a fragment. */
  readonly isJoinable: boolean;
  fragment: OpenedFragment;
};

/** Of those that ended some may wait for a disk that hangs. */
const unfinishedMax = 8;
/** What a lane joins in is read in milliseconds. */
const plainScaleNs = 1_000_000;

export class StreamProducers {
  readonly #deps: StreamProducersDeps;
  readonly #counters = new PutMediaCounters();
  readonly #connections = new Set<Connection>();
  #order = 0;
  /** The connection that ended last broke. */
  #isBroken = false;
  #live: Live | undefined;

  constructor(deps: StreamProducersDeps) {
    this.#deps = deps;
  }

  /** For the hub: fragments are written by their connection, before the hub hears of a frame. */
  readonly recorder: HubRecorder = {
    session: () => {},
    unit: () => {},
    sessionEnded: () => {},
    serverTimestampMs: (unit) => this.#serverTimestampMs(unit),
    join: () => ({ from: this.#joined(), held: [] }),
  };

  get counters(): PutMediaCounters {
    return this.#counters;
  }

  get isRecording(): boolean {
    return this.#open.some(({ receiver }) => receiver.isRecording);
  }

  /** Producers that may still send. */
  get connected(): number {
    return this.#open.length;
  }

  get openSegments(): readonly OpenSegment[] {
    return [...this.#connections].flatMap(({ receiver }) => receiver.openSegments);
  }

  /**
   * @param options.isRing  nothing is kept but for live readers
   * @throws AppError resource_exhausted  there are as many connections as there may be
   * @throws AppError unavailable         not just now
   */
  begin(head: PutMediaHead, answers: PutAnswers, options: { readonly isRing: boolean }): IncomingPut {
    const { quotas, running } = this.#deps.share;
    this.#counters.requests++;
    if (this.#open.length >= quotas.connectionsOfStreamMax) this.#makeRoom();
    try {
      if (this.#open.length >= quotas.connectionsOfStreamMax || running.count >= putMediaLimits.connectionsMax) {
        throw appError('resource_exhausted', 'too many producers are connected to this stream');
      }
      if (!this.#deps.hasNumbersAhead()) throw appError('unavailable', 'fragment numbers are not reserved yet');
      if (this.#connections.size >= unfinishedMax) {
        throw appError('unavailable', 'the disk has not finished what was sent before');
      }
    } catch (error) {
      this.#counters.connectionErrors++;
      throw error;
    }
    const connection = this.#connect(head, answers, options);
    connection.receiver.accept();
    return connection.receiver;
  }

  tick(): void {
    for (const { receiver } of this.#connections) receiver.tick();
  }

  /** Resolves when everything that was whole is stored and told, and all files are finished. */
  async close(reason: RunEndReason): Promise<void> {
    await Promise.all([...this.#connections].map(({ receiver }) => receiver.close(reason)));
  }

  get #open(): Connection[] {
    return [...this.#connections].filter(({ isOver }) => !isOver);
  }

  /** A producer whose network broke is back before we hear of that: its old connection says nothing and gives its place away. */
  #makeRoom(): void {
    const silent = this.#open.find(({ receiver }) => receiver.isSilent);
    if (silent === undefined) return;
    silent.receiver.giveWay();
    this.#leave(silent);
  }

  #leave(connection: Connection): void {
    if (connection.isOver) return;
    connection.isOver = true;
    this.#isBroken = connection.receiver.isBroken;
    this.#deps.share.running.count--;
    this.#counters.activeConnections--;
    this.#leaveLive(connection);
    this.#deps.onChange();
  }

  #connect(head: PutMediaHead, answers: PutAnswers, { isRing }: { readonly isRing: boolean }): Connection {
    const { share, hub: _, onChange, ...deps } = this.#deps;
    const { budget, heldBudget, turns, quotas, running } = share;
    const log: Log = deps.log.child({ requestId: head.requestId });
    const order = ++this.#order;
    const receiver: PutMediaReceiver = new PutMediaReceiver(
      {
        ...{ ...deps, log, answers, budget, heldBudget, turns },
        counters: this.#counters,
        live: {
          begin: (fragment, described) => this.#follow(connection, fragment, described),
          frame: (frame) => this.#frame(connection, frame),
        },
        isNewerThere: () => this.#open.some((each) => each.order > order),
        // Of one that is still open it may not be known yet.
        isContinued: this.#isBroken || this.#open.length > 0,
        onOver: () => this.#leave(connection),
        onClosed: () => this.#connections.delete(connection),
      },
      { head, quotas, isRing },
    );
    const connection: Connection = { receiver, order, isOver: false };
    this.#connections.add(connection);
    running.count++;
    this.#counters.activeConnections++;
    onChange();
    log.info('producer connected', { connections: this.#open.length });
    return connection;
  }

  /** The newest connection that sends is what viewers see, from its first fragment on. */
  #follow(
    connection: Connection,
    fragment: OpenedFragment,
    { tracks: all, timecodeScaleNs }: Pick<ProducerHead, 'tracks' | 'timecodeScaleNs'>,
  ): void {
    const live = this.#live;
    if (live?.connection === connection) live.fragment = fragment;
    if (live !== undefined && live.connection.order >= connection.order) return;
    // Nobody plays what we do not know.
    const tracks = all.filter(({ codec }) => codec !== 'other');
    if (tracks.length === 0) return;
    this.#live = {
      ...{ connection, fragment, baseUs: Math.round(fragment.mediaTimeMs * 1_000) },
      trackNumbers: new Set(tracks.map(({ number }) => number)),
      isJoinable: timecodeScaleNs === plainScaleNs,
    };
    this.#deps.hub().session(tracks, 'source-closed');
  }

  #frame(connection: Connection, { track, timeUs, isKey, bytes }: ProducerFrame): void {
    const live = this.#live;
    if (live?.connection !== connection || !live.trackNumbers.has(track.number) || !isPlayable(track, bytes)) return;
    const { producerTimestampMs, mediaTimeMs } = live.fragment;
    this.#deps.hub().unit({
      trackNumber: track.number,
      presentationTimeUs: timeUs - live.baseUs,
      producerTimestampMs: producerTimestampMs + timeUs / 1_000 - mediaTimeMs,
      receivedMonotonicMs: this.#deps.clock.monotonicMs(),
      ...{ isKey, isAfterLoss: false, bytes },
    });
  }

  /** Another connection takes over with its next fragment; without one the session is over. */
  #leaveLive(connection: Connection): void {
    if (this.#live?.connection === connection) this.#live = undefined;
    if (this.#open.length === 0) this.#deps.hub().sessionEnded('source-closed');
  }

  #serverTimestampMs({ presentationTimeUs }: AccessUnit): number {
    const live = this.#live;
    if (live === undefined) return this.#deps.clock.wallMs();
    const { serverTimestampMs, mediaTimeMs } = live.fragment;
    return serverTimestampMs + (presentationTimeUs + live.baseUs) / 1_000 - mediaTimeMs;
  }

  #joined(): LaneJoin['from'] {
    const live = this.#live;
    const open = live?.isJoinable === true ? live.connection.receiver.openFragment : undefined;
    return live === undefined || open === undefined ? undefined : { ...open, sessionOffsetUs: -live.baseUs };
  }
}

/** Video comes as length-prefixed NAL units, within what any camera sends; what does not is stored and given back, and not played. */
function isPlayable({ kind }: Track, bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length > limits.accessUnitBytesMax) return false;
  if (kind !== 'video') return true;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + nalLengthBytes <= bytes.length) at += nalLengthBytes + view.getUint32(at);
  return at === bytes.length;
}
