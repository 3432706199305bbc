/**
 * One connection at the server: takes its messages in, and sends what waits for it whenever the socket has room. Memory for a
 * peer that does not read is bounded: lanes drop, hints give way to a fresh snapshot, unanswered requests are refused.
 */

import type { Socket } from 'node:net';
import { type AppError, appError, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { limits } from '../model/limits.ts';
import type { Track } from '../model/track.ts';
import {
  controlFrame,
  FrameReader,
  frameTypeControl,
  frameTypeMedia,
  type LaneUnit,
  parseControl,
  parseMedia,
} from './frames.ts';
import type { IncomingPut, LaneHandlers, LaneJoin, OutgoingLane } from './handlers.ts';
import { type LaneBudget, LaneQueue } from './lane-queue.ts';
import { type ClientMessage, laneProtocolVersion, type ServerMessage } from './messages.ts';
import { parseClientMessage } from './parse.ts';
import { base64, trackToWire } from './wire.ts';

/** Handed to the socket at once; what is beyond waits in our queues, where policies can drop it. */
const socketBytesMax = 256 * 1024;
/** Answers that wait for a peer which does not read: those of all its requests, and refusals. */
const answersMax = 4 * limits.laneRequestsMax;
/** Events of a put that wait for a sender which does not read: further ones are left out. */
const putAnswersMax = 16;

export class ServerPeer {
  readonly #log: Log;
  readonly #socket: Socket;
  readonly #handlers: LaneHandlers;
  readonly #budget: LaneBudget;
  readonly #role: string;
  readonly #reader = new FrameReader({ bytesMax: limits.laneControlBytesMax });
  #put: { readonly putId: number; readonly incoming: IncomingPut | undefined } | undefined;
  readonly #lanes = new Map<number, { queue: LaneQueue; leave: () => void }>();
  /** Answers and greetings: bounded by the requests in flight. */
  readonly #answers: Uint8Array[] = [];
  /** Hints and states: given up for a snapshot when they get too many. */
  #news: Uint8Array[] = [];
  #newsBytes = 0;
  #needsSnapshot = false;
  #isWatching = false;
  #isGreeted = false;
  #requestsInFlight = 0;
  #isFlushDue = false;
  #droppedUnitsOfLeft = 0;

  constructor(
    dependencies: { log: Log; socket: Socket; handlers: LaneHandlers; budget: LaneBudget },
    options: { readonly role: string },
  ) {
    this.#log = dependencies.log;
    this.#socket = dependencies.socket;
    this.#handlers = dependencies.handlers;
    this.#budget = dependencies.budget;
    this.#role = options.role;
  }

  get isWatching(): boolean {
    return this.#isWatching;
  }

  get droppedUnits(): number {
    let sum = this.#droppedUnitsOfLeft;
    for (const lane of this.#lanes.values()) sum += lane.queue.droppedUnits;
    return sum;
  }

  get lanes(): number {
    return this.#lanes.size;
  }

  start(): void {
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('drain', () => this.#flush());
    this.#socket.on('error', (error) => this.#log.debug('lane peer lost', { error }));
    this.#socket.on('close', () => this.#leaveAll());
    this.#answer({ type: 'hello', version: laneProtocolVersion, role: this.#role });
  }

  close(): void {
    this.#leaveAll();
    this.#socket.destroy();
  }

  /** Queues a hint or state that was encoded once for all watchers. */
  news(frame: Uint8Array): void {
    // A snapshot that is due will tell everything.
    if (this.#needsSnapshot) return;
    if (this.#newsBytes + frame.length > limits.laneControlBytesMax) {
      this.#log.counted('slow watcher falls back to a snapshot');
      this.#wantSnapshot();
      return;
    }
    this.#news.push(frame);
    this.#newsBytes += frame.length;
    this.#flushSoon();
  }

  #onData(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk, (type, body) => {
        if (type === frameTypeMedia) {
          this.#onMedia(body);
          return;
        }
        if (type !== frameTypeControl)
          throw appError('invalid_argument', 'peer sent another frame than control', { type });
        const message = parseClientMessage(parseControl(body));
        if (message !== undefined) this.#onMessage(message);
      });
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#log.warn('lane peer is disconnected: it broke the protocol', { error, ...error.context });
      this.close();
    }
  }

  #onMessage(message: ClientMessage): void {
    if (message.type === 'hello') {
      if (message.version !== laneProtocolVersion)
        throw appError('failed_precondition', 'peer speaks another version', { version: message.version });
      this.#isGreeted = true;
      return;
    }
    if (!this.#isGreeted) throw appError('invalid_argument', 'peer did not send hello first');
    if (message.type === 'request') this.#onRequest(message.id, message.method, message.params);
    else if (message.type === 'subscribe') this.#onSubscribe(message);
    else if (message.type === 'unsubscribe') this.#leave(message.laneId);
    else if (message.type === 'put') this.#onPut(message.putId, message.head);
    else if (message.type === 'put-end') this.#putOf(message.putId)?.end({ isCut: message.isCut });
    else {
      this.#isWatching = true;
      this.#wantSnapshot();
    }
  }

  #onRequest(id: number, method: string, params: unknown): void {
    if (this.#requestsInFlight >= limits.laneRequestsMax) {
      this.#answerError(id, appError('resource_exhausted', 'too many unanswered requests of one peer'));
      return;
    }
    const handler = Object.hasOwn(this.#handlers.requests, method) ? this.#handlers.requests[method] : undefined;
    if (handler === undefined) {
      this.#answerError(id, appError('unimplemented', 'no such method', { method }));
      return;
    }
    this.#requestsInFlight++;
    void (async () => {
      try {
        const result = await handler(params);
        this.#answer({ type: 'response', id, result: result ?? null });
      } catch (error) {
        this.#answerError(id, toAppError(error));
        // A broken assertion is ours: the asker gets an error, the person at the log gets the stack.
        if (!isAppError(error)) this.#log.error('request failed', { method, error });
      } finally {
        this.#requestsInFlight--;
      }
    })();
  }

  #onSubscribe(message: Extract<ClientMessage, { type: 'subscribe' }>): void {
    const { laneId, streamId } = message;
    if (this.#lanes.has(laneId)) throw appError('invalid_argument', 'lane id is already in use', { laneId });
    const queue = new LaneQueue(this.#budget, message);
    const entry = { queue, leave: () => {} };
    this.#lanes.set(laneId, entry);
    try {
      if (this.#handlers.subscribe === undefined) throw appError('unimplemented', 'this role has no lanes');
      entry.leave = this.#handlers.subscribe(streamId, this.#outgoing(laneId, queue));
      // The lane may have been closed while it was being opened.
      if (!this.#lanes.has(laneId)) entry.leave();
    } catch (error) {
      this.#lanes.delete(laneId);
      queue.clear();
      if (!isAppError(error)) throw error;
      this.#answer({ type: 'closed', laneId, reason: error.message });
    }
  }

  #onPut(putId: number, head: unknown): void {
    if (this.#put !== undefined) throw appError('invalid_argument', 'connection has a put already', { putId });
    const entry: { putId: number; incoming: IncomingPut | undefined } = { putId, incoming: undefined };
    this.#put = entry;
    const finish = (message: ServerMessage) => {
      if (this.#put !== entry) return;
      this.#put = undefined;
      this.#answer(message);
    };
    const failed = (error: AppError) => finish({ type: 'put-failed', putId, error: wireError(error) });
    try {
      if (this.#handlers.put === undefined) throw appError('unimplemented', 'this role takes no media');
      entry.incoming = this.#handlers.put(head, {
        // The sender reads while it writes; of one that does not, the owner is told.
        event: (event) => {
          if (this.#put !== entry || this.#answers.length >= putAnswersMax) return false;
          this.#answer({ type: 'put-event', putId, event });
          return true;
        },
        done: (result) => finish({ type: 'put-done', putId, result: result ?? null }),
        failed,
      });
    } catch (error) {
      if (!isAppError(error)) this.#log.error('put failed', { error });
      failed(toAppError(error));
    }
  }

  /** Media of a put that has ended is passed over: its sender does not know yet. */
  #onMedia(body: Uint8Array): void {
    const { putId, bytes } = parseMedia(body);
    const busy = this.#putOf(putId)?.bytes(bytes);
    if (busy === undefined) return;
    this.#socket.pause();
    void busy.finally(() => this.#socket.resume());
  }

  #putOf(putId: number): IncomingPut | undefined {
    return this.#put?.putId === putId ? this.#put.incoming : undefined;
  }

  #outgoing(laneId: number, queue: LaneQueue): OutgoingLane {
    const tell = (message: ServerMessage) => {
      queue.message(controlFrame(message));
      this.#flushSoon();
    };
    return {
      joined: (join) => {
        queue.session({ videoTrack: videoTrackOf(join.tracks), isContinued: join.from !== undefined });
        tell({ type: 'joined', laneId, tracks: join.tracks.map(trackToWire), from: fromToWire(join.from) });
      },
      session: (tracks) => {
        queue.session({ videoTrack: videoTrackOf(tracks), isContinued: false });
        tell({ type: 'session', laneId, tracks: tracks.map(trackToWire) });
      },
      unit: (unit: LaneUnit) => {
        queue.unit(unit);
        this.#flushSoon();
      },
      sessionEnded: (reason) => tell({ type: 'session-ended', laneId, reason }),
      closed: (reason) => {
        if (!this.#lanes.has(laneId)) return;
        this.#forget(laneId);
        this.#answer({ type: 'closed', laneId, reason });
      },
    };
  }

  #leave(laneId: number): void {
    const lane = this.#lanes.get(laneId);
    if (lane === undefined) return;
    this.#forget(laneId);
    lane.leave();
  }

  #forget(laneId: number): void {
    const lane = this.#lanes.get(laneId);
    this.#lanes.delete(laneId);
    this.#droppedUnitsOfLeft += lane?.queue.droppedUnits ?? 0;
    lane?.queue.clear();
  }

  #leaveAll(): void {
    this.#isWatching = false;
    const put = this.#put;
    this.#put = undefined;
    put?.incoming?.lost();
    for (const laneId of [...this.#lanes.keys()]) this.#leave(laneId);
  }

  #wantSnapshot(): void {
    this.#news = [];
    this.#newsBytes = 0;
    this.#needsSnapshot = true;
    this.#flushSoon();
  }

  #answer(message: ServerMessage): void {
    if (this.#socket.destroyed) return;
    const frame = controlFrame(message);
    if (frame.length > limits.laneMessageBytesMax) {
      if (message.type === 'response') {
        this.#answerError(message.id, appError('resource_exhausted', 'answer is larger than a message may be'));
      }
      return;
    }
    if (this.#answers.length >= answersMax) {
      this.#log.warn('lane peer is disconnected: it asks and does not read');
      this.close();
      return;
    }
    this.#answers.push(frame);
    this.#flushSoon();
  }

  #answerError(id: number, error: AppError): void {
    this.#answer({ type: 'response', id, error: wireError(error) });
  }

  /** Once for everything that this turn of the event loop brings: units of many reads leave in one write. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#socket.destroyed) return;
    this.#socket.cork();
    for (const frame of this.#nextFrames()) this.#socket.write(frame);
    this.#socket.uncork();
    for (const lane of this.#lanes.values()) lane.queue.flushed();
  }

  /** Frames in the order of their urgency, as long as the socket has room: answers, news, then the lanes in turn. */
  *#nextFrames(): Generator<Uint8Array> {
    const hasRoom = () => this.#socket.writableLength < socketBytesMax;
    for (; hasRoom() && this.#answers.length > 0; ) yield this.#answers.shift() ?? new Uint8Array();
    if (hasRoom() && this.#needsSnapshot) {
      this.#needsSnapshot = false;
      const snapshot = this.#handlers.snapshot?.() ?? { open: [], states: [] };
      yield controlFrame({ type: 'snapshot', ...snapshot });
    }
    if (hasRoom() && this.#news.length > 0) {
      // All of them at once, which is at most `laneControlBytesMax` beyond the socket's share.
      const news = this.#news;
      this.#news = [];
      this.#newsBytes = 0;
      yield* news;
    }
    for (let isAnySent = true; isAnySent && hasRoom(); ) {
      isAnySent = false;
      for (const lane of this.#lanes.values()) {
        const frame = hasRoom() ? lane.queue.take() : undefined;
        if (frame === undefined) continue;
        isAnySent = true;
        yield frame;
      }
    }
  }
}

function wireError(error: AppError): { code: AppError['code']; message: string; hint?: string } {
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

function videoTrackOf(tracks: readonly Track[]): number | undefined {
  return tracks.find((track) => track.kind === 'video')?.number;
}

function fromToWire(from: LaneJoin['from']): Extract<ServerMessage, { type: 'joined' }>['from'] {
  return from === undefined ? null : { ...from, tail: base64(from.tail) };
}
