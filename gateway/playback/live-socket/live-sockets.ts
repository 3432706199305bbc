/**
 * Live streams over WebSockets: fMP4 parts for media source extensions, as the camera sends them. Feeds of the streams that are
 * watched, one for all viewers of a stream; every viewer is asked whether it is there, and the authoriser whether it may.
 */

import type { WebSocket } from 'ws';
import type { Clock } from '../../../storage/base/clock.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { LaneClient } from '../../../storage/lane/index.ts';
import { liveSocketLimits } from './limits.ts';
import { LiveFeed } from './live-feed.ts';
import { liveCloseCodes } from './messages.ts';
import { LiveViewer, type ViewerSocket } from './viewer.ts';

export type LiveSocketsDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Lanes of the process that owns a stream. */
  readonly laneOf: (streamId: string) => Pick<LaneClient, 'subscribe'>;
};

export type LiveSocketsFigures = {
  /** Viewers. */
  readonly sockets: number;
  /** Streams that they watch. */
  readonly streams: number;
  /** Parts that were left out for viewers that were late, since the start. */
  readonly dropped: number;
};

export type LiveSocket = ViewerSocket & Pick<WebSocket, 'on' | 'ping'>;

/** Whether somebody may go on watching. */
export type Permission = 'granted' | 'denied' | 'logged-out';

export type LiveSocketRequest = {
  readonly streamId: string;
  /** Who is watching: one account has so many sockets and no more. */
  readonly account: string;
  /** The browser decodes H.265; it is refused otherwise, since nothing is converted here. */
  readonly canPlayH265: boolean;
  /** Asked at once and then again and again. */
  readonly permission: () => Permission;
  /** Bytes of media that were sent since it was last called. */
  readonly onSent: (bytes: number) => void;
};

type Entry = { readonly feed: LiveFeed; users: number; cancelLinger: (() => void) | undefined };
type Viewing = {
  readonly socket: LiveSocket;
  readonly request: LiveSocketRequest;
  readonly viewer: LiveViewer;
  isAlive: boolean;
  toldBytes: number;
};

export class LiveSockets {
  readonly #deps: LiveSocketsDeps;
  readonly #lifetime = new Lifetime();
  readonly #entries = new Map<string, Entry>();
  readonly #viewings = new Set<Viewing>();
  readonly #closing = new Set<Promise<void>>();
  #dropped = 0;

  constructor(deps: LiveSocketsDeps) {
    this.#deps = deps;
  }

  get figures(): LiveSocketsFigures {
    return { sockets: this.#viewings.size, streams: this.#entries.size, dropped: this.#dropped };
  }

  start(): void {
    const { watchPeriodMs } = liveSocketLimits;
    this.#lifetime.defer(() => this.#closeAll());
    this.#lifetime.defer(this.#deps.clock.every(watchPeriodMs, () => this.#watch()));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Owns the socket until it closes. */
  add(socket: LiveSocket, request: LiveSocketRequest): void {
    socket.on('error', () => socket.terminate());
    if (!this.#mayStay(socket, request)) return;
    const ofOne = [...this.#viewings].filter((viewing) => viewing.request.account === request.account);
    const isFull =
      this.#viewings.size >= liveSocketLimits.socketsMax || ofOne.length >= liveSocketLimits.socketsOfOneMax;
    const entry = isFull || this.#lifetime.signal.aborted ? undefined : this.#entryOf(request.streamId);
    if (entry === undefined) {
      socket.close(liveCloseCodes.tryLater, 'too many live views are open');
      return;
    }
    const onDropped = () => {
      this.#dropped++;
    };
    const hasRoom = () => this.#hasRoomFor(request.account);
    const viewer = new LiveViewer({ clock: this.#deps.clock, socket, onDropped, hasRoom }, request);
    const viewing: Viewing = { socket, request, viewer, isAlive: true, toldBytes: 0 };
    this.#viewings.add(viewing);
    entry.users++;
    entry.cancelLinger?.();
    entry.cancelLinger = undefined;
    const leave = entry.feed.join(viewer);
    socket.on('pong', () => {
      viewing.isAlive = true;
    });
    socket.on('close', () => {
      leave();
      this.#viewings.delete(viewing);
      tellSent(viewing);
      this.#release(request.streamId, entry);
    });
  }

  #entryOf(streamId: string): Entry | undefined {
    const known = this.#entries.get(streamId);
    if (known !== undefined && !known.feed.isOver) return known;
    if (known !== undefined) this.#close(streamId, known);
    if (this.#entries.size >= liveSocketLimits.feedsMax) return undefined;
    const { clock, log, laneOf } = this.#deps;
    const feed = new LiveFeed({ clock, log, lane: laneOf(streamId), hasRoom: () => this.#hasRoom() }, { streamId });
    feed.start();
    const entry: Entry = { feed, users: 0, cancelLinger: undefined };
    this.#entries.set(streamId, entry);
    return entry;
  }

  #hasRoom(): boolean {
    let bytes = 0;
    for (const { feed } of this.#entries.values()) bytes += feed.byteLength;
    return bytes < liveSocketLimits.keptBytesOfAllMax;
  }

  /** Whether more may wait for viewers of this account. */
  #hasRoomFor(account: string): boolean {
    let ofOne = 0;
    let all = 0;
    for (const { socket, request } of this.#viewings) {
      all += socket.bufferedAmount;
      if (request.account === account) ofOne += socket.bufferedAmount;
    }
    return ofOne < liveSocketLimits.unsentBytesOfOneMax && all < liveSocketLimits.unsentBytesMax;
  }

  #release(streamId: string, entry: Entry): void {
    entry.users--;
    if (entry.users > 0 || this.#lifetime.signal.aborted) return;
    const { feedLingerMs } = liveSocketLimits;
    entry.cancelLinger = this.#deps.clock.after(feedLingerMs, () => this.#close(streamId, entry));
  }

  #close(streamId: string, entry: Entry): void {
    entry.cancelLinger?.();
    if (this.#entries.get(streamId) === entry) this.#entries.delete(streamId);
    const closing = entry.feed.close().finally(() => this.#closing.delete(closing));
    closing.catch(() => {});
    this.#closing.add(closing);
  }

  #watch(): void {
    for (const viewing of [...this.#viewings]) {
      const { socket, request } = viewing;
      tellSent(viewing);
      if (!viewing.isAlive) socket.terminate();
      else if (this.#mayStay(socket, request)) {
        viewing.isAlive = false;
        socket.ping();
      }
    }
  }

  #mayStay(socket: LiveSocket, { permission }: LiveSocketRequest): boolean {
    const answer = permission();
    if (answer === 'logged-out') socket.close(liveCloseCodes.loggedOut, 'logged out');
    if (answer === 'denied') socket.close(liveCloseCodes.notAllowed, 'not allowed any more');
    return answer === 'granted';
  }

  async #closeAll(): Promise<void> {
    for (const { socket } of this.#viewings) socket.close(liveCloseCodes.goingAway, 'closing');
    for (const [streamId, entry] of [...this.#entries]) this.#close(streamId, entry);
    await Promise.all(this.#closing);
  }
}

function tellSent(viewing: Viewing): void {
  const { viewer, request } = viewing;
  if (viewer.sentBytes > viewing.toldBytes) request.onSent(viewer.sentBytes - viewing.toldBytes);
  viewing.toldBytes = viewer.sentBytes;
}
