/**
 * The page's live news over one WebSocket each: states as they change, newest recorded instants a few times a second, and what
 * to read again. Every socket gets what its owner may see, asked anew when permissions change; one that does not read is ended.
 */

import type { WebSocket } from '@fastify/websocket';
import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { SourceState } from '../../storage/model/camera.ts';
import type { Caller } from './caller.ts';
import { adminLimits } from './limits.ts';
import type { Roles } from './parts.ts';
import type { StateBoard } from './state-board.ts';

/** Lists that a page may have to read again. */
export type Changed =
  | 'cameras'
  | 'users'
  | 'tokens'
  | 'policies'
  | 'holds'
  | 'event-ranges'
  | 'alarms'
  | 'webhooks'
  | 'access-keys'
  | 'devices'
  | 'secrets'
  | 'topics';

export type EventFeedDeps = {
  readonly clock: Clock;
  readonly board: StateBoard;
  readonly roles: Roles;
  /** The caller with today's permissions; undefined when they are logged out, disabled or removed. */
  readonly refresh: (caller: Caller) => Caller | undefined;
  /** The authoriser's name for a stream. */
  readonly resourceOf: (streamId: string) => string;
  /** Whoever else goes by permissions and cameras: told of each change. */
  readonly onChanged?: () => void;
};

type Listener = {
  readonly socket: WebSocket;
  caller: Caller;
  isAlive: boolean;
  /** What was decided about streams: asked anew whenever permissions or cameras change. */
  readonly sees: Map<string, boolean>;
};

/** WebSocket close codes (RFC 6455, 7.4.1; 4000 and above are ours). */
const closeCodes = { tooMany: 1013, slow: 1013, goingAway: 1001, loggedOut: 4401 } as const;

export class EventFeed {
  readonly #deps: EventFeedDeps;
  readonly #lifetime = new Lifetime();
  readonly #listeners = new Set<Listener>();
  /** Newest instants that have not gone out. */
  readonly #latest = new Map<string, number>();
  #cancelFlush: (() => void) | undefined;

  constructor(deps: EventFeedDeps) {
    this.#deps = deps;
  }

  /** Sockets that are open. */
  get size(): number {
    return this.#listeners.size;
  }

  start(): void {
    const { board, clock, roles } = this.#deps;
    this.#lifetime.defer(
      board.listen({
        onState: (state) => this.#toAll((listener) => this.#sees(listener, state.streamId), { type: 'state', state }),
        onSnapshot: () => {
          for (const listener of this.#listeners) this.#sendSnapshot(listener);
        },
        onRecorded: (streamId, latestMs) => this.#onRecorded(streamId, latestMs),
      }),
    );
    this.#lifetime.defer(
      roles.onChange(() => this.#toAll(({ caller }) => seesRoles(caller), { type: 'roles', roles: roles.list() })),
    );
    this.#lifetime.defer(clock.every(adminLimits.eventPingMs, () => this.#ping()));
    this.#lifetime.defer(() => {
      this.#cancelFlush?.();
      for (const { socket } of this.#listeners) socket.close(closeCodes.goingAway, 'closing');
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Owns the socket until it closes. */
  add(socket: WebSocket, caller: Caller): void {
    const { kind, id } = caller.subject;
    const ofOne = [...this.#listeners].filter(
      (one) => one.caller.subject.kind === kind && one.caller.subject.id === id,
    );
    const isFull =
      this.#listeners.size >= adminLimits.eventSocketsMax || ofOne.length >= adminLimits.eventSocketsOfOneMax;
    if (this.#lifetime.signal.aborted || isFull) {
      socket.close(closeCodes.tooMany, 'no room');
      return;
    }
    const listener: Listener = { socket, caller, isAlive: true, sees: new Map() };
    this.#listeners.add(listener);
    socket.on('close', () => this.#listeners.delete(listener));
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => {
      listener.isAlive = true;
    });
    this.#sendSnapshot(listener);
  }

  /** Tells pages to read a list again. */
  changed(what: Changed): void {
    this.refreshCallers();
    this.#deps.onChanged?.();
    this.#toAll(({ caller }) => caller.mayAny(`${what}:read`), { type: 'changed', what });
  }

  /** Looks up again who may see what: after a logout, or a change of accounts or policies. */
  refreshCallers(): void {
    for (const listener of this.#listeners) {
      const caller = this.#deps.refresh(listener.caller);
      if (caller === undefined) listener.socket.close(closeCodes.loggedOut, 'logged out');
      else listener.caller = caller;
      listener.sees.clear();
    }
  }

  #sendSnapshot(listener: Listener): void {
    const { board, roles } = this.#deps;
    const states = board.states().filter((state) => this.#sees(listener, state.streamId));
    const seenRoles = seesRoles(listener.caller) ? roles.list() : [];
    send(listener, JSON.stringify({ type: 'snapshot', states, roles: seenRoles }));
  }

  #onRecorded(streamId: string, latestMs: number): void {
    if (this.#listeners.size === 0) return;
    this.#latest.set(streamId, latestMs);
    this.#cancelFlush ??= this.#deps.clock.after(adminLimits.eventCoalesceMs, () => this.#flush());
  }

  #flush(): void {
    this.#cancelFlush = undefined;
    const streams = [...this.#latest].map(([streamId, latestMs]) => ({ streamId, latestMs }));
    this.#latest.clear();
    for (const listener of this.#listeners) {
      const seen = streams.filter(({ streamId }) => this.#sees(listener, streamId));
      if (seen.length > 0) send(listener, JSON.stringify({ type: 'streams', streams: seen }));
    }
  }

  #toAll(isFor: (listener: Listener) => boolean, message: EventMessage): void {
    const text = JSON.stringify(message);
    for (const listener of this.#listeners) if (isFor(listener)) send(listener, text);
  }

  #ping(): void {
    this.refreshCallers();
    for (const listener of this.#listeners) {
      if (!listener.isAlive) listener.socket.terminate();
      listener.isAlive = false;
      listener.socket.ping();
    }
  }

  #sees({ caller, sees }: Listener, streamId: string): boolean {
    const known = sees.get(streamId);
    if (known !== undefined) return known;
    const isSeen = caller.may('streams:read', this.#deps.resourceOf(streamId));
    sees.set(streamId, isSeen);
    return isSeen;
  }
}

type EventMessage =
  | { readonly type: 'state'; readonly state: SourceState }
  | { readonly type: 'roles'; readonly roles: readonly unknown[] }
  | { readonly type: 'changed'; readonly what: Changed };

function seesRoles(caller: Caller): boolean {
  return caller.may('system:read', 'system');
}

function send({ socket }: Listener, text: string): void {
  // Whoever does not read gets a fresh snapshot when it comes back: cheaper than keeping news for it.
  if (socket.bufferedAmount > adminLimits.eventSocketBytesMax) socket.terminate();
  else if (socket.readyState === socket.OPEN) socket.send(text);
}
