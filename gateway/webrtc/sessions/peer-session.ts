/**
 * One peer, from our answer to its end: waits for its DTLS, notices when it is gone, takes its candidates and restarts, counts what it
 * was sent, and gives everything back. What it watches or sends is its owner's matter.
 */

import type { types } from 'mediasoup';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { MediaWorker } from '../media-plane/index.ts';
import { type OwnTransport, type PeerDescription, type PeerMedia, readFragment, writeFragment } from '../sdp/index.ts';
import { sessionLimits } from './limits.ts';
import type {
  EndCause,
  Patched,
  PatchRequest,
  SessionCaller,
  SessionEnd,
  SessionEvents,
  SessionKind,
} from './types.ts';

export type PeerSessionDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly events: SessionEvents;
};

export type PeerSessionFacts = {
  readonly kind: SessionKind;
  readonly streamId: string;
  readonly caller: SessionCaller;
  readonly worker: MediaWorker;
  readonly transport: types.WebRtcTransport;
  readonly offer: PeerDescription;
  /** The m-lines that have media. */
  readonly taken: readonly PeerMedia[];
  readonly addresses: readonly string[];
};

export class PeerSession {
  readonly id: string;
  readonly #deps: PeerSessionDeps;
  readonly #facts: PeerSessionFacts;
  readonly #log: Log;
  readonly #lifetime = new Lifetime();
  readonly #openedMs: number;
  readonly #onConnected: (() => void)[] = [];
  readonly #onEnded: (() => void)[] = [];
  #entityTag: string;
  /** The peer's; others are a restart. */
  #usernameFragment: string;
  #isConnected = false;
  #ended: Promise<void> | undefined;
  #howEnded: SessionEnd | undefined;
  #stopWaiting: (() => void) | undefined;
  #patching: Promise<unknown> = Promise.resolve();
  #patchesWaiting = 0;
  #toldBytes = 0;

  constructor(deps: PeerSessionDeps, facts: PeerSessionFacts) {
    this.#deps = deps;
    this.#facts = facts;
    this.id = Buffer.from(deps.random(sessionLimits.idBytes)).toString('base64url');
    this.#entityTag = newEntityTag(deps);
    this.#usernameFragment = facts.offer.ice.usernameFragment;
    this.#openedMs = deps.clock.monotonicMs();
    // Its id is what it is closed by, and not for logs.
    const { kind, streamId, caller } = facts;
    this.#log = deps.log.child({ session: this.id.slice(0, 6), kind, streamId, caller: caller.name });
  }

  get streamId(): string {
    return this.#facts.streamId;
  }

  get callerId(): string {
    return this.#facts.caller.id;
  }

  get entityTag(): string {
    return this.#entityTag;
  }

  /** How it ended; undefined while it lasts. */
  get howEnded(): SessionEnd | undefined {
    return this.#howEnded;
  }

  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  /** Our end, as answers and fragments say it. */
  get own(): OwnTransport {
    const { transport, worker, addresses } = this.#facts;
    const { iceParameters, dtlsParameters } = transport;
    return { iceParameters, dtlsParameters, addresses, port: worker.port };
  }

  /** Remembers how to give something back when it ends, last first. Of one that has ended already, at once. */
  defer(closer: () => void | Promise<void>): void {
    if (this.isOver) void Promise.resolve(closer()).catch(() => {});
    else this.#lifetime.defer(closer);
  }

  onConnected(callback: () => void): void {
    this.#onConnected.push(callback);
  }

  onEnded(callback: () => void): void {
    if (this.isOver) callback();
    else this.#onEnded.push(callback);
  }

  /** Begins to wait for the peer. */
  start(): void {
    const { clock, events } = this.#deps;
    const { transport, worker, kind } = this.#facts;
    transport.on('dtlsstatechange', (state) => {
      if (state === 'connected') this.#connected();
      else if (state === 'failed') this.#end({ end: 'never-connected', message: 'DTLS failed' });
      else if (state === 'closed') this.#end({ end: 'closed', message: 'the peer closed its side' });
    });
    transport.on('icestatechange', (state) => {
      if (state === 'disconnected') this.#wait(sessionLimits.lostMs, { end: 'peer-lost' });
      else if (this.#isConnected) this.#stopWaiting?.();
    });
    this.#lifetime.defer(worker.onDied(() => this.#end({ end: 'worker-died' })));
    transport.observer.once('close', () => this.#end({ end: 'worker-died', message: 'its router was closed' }));
    this.#lifetime.defer(clock.every(sessionLimits.reaskMs, () => this.#look()));
    this.#wait(sessionLimits.connectMs, { end: 'never-connected' });
    events.onOpened?.(kind);
    this.#log.info('webrtc session opened');
  }

  /**
   * Candidates, or a restart: the peer's credentials are others then, and ours become others.
   *
   * @throws AppError invalid_argument     the fragment is none
   * @throws AppError failed_precondition  it is for an ICE session that is over
   * @throws AppError resource_exhausted   too many at once
   * @throws AppError not_found            the session ended meanwhile
   */
  patch(request: PatchRequest): Promise<Patched> {
    if (this.#patchesWaiting >= sessionLimits.patchesWaitingMax) {
      throw appError('resource_exhausted', 'too many changes of one session at once', { retryAfterMs: 1_000 });
    }
    this.#patchesWaiting++;
    const patched = this.#patching.then(() => this.#patch(request)).finally(() => this.#patchesWaiting--);
    this.#patching = patched.catch(() => {});
    return patched;
  }

  /** Ends it, once; resolves when everything was given back. */
  end(cause: EndCause): Promise<void> {
    this.#howEnded ??= cause.end;
    this.#ended ??= this.#close(cause);
    return this.#ended;
  }

  async #patch({ fragment, ifMatch }: PatchRequest): Promise<Patched> {
    if (this.isOver) throw appError('not_found', 'the session is over');
    if (ifMatch !== 'any' && !ifMatch.includes(this.#entityTag)) {
      throw appError('failed_precondition', 'this is for an ICE session that is over: it was restarted since');
    }
    const { ice } = readFragment(fragment);
    if (ice === undefined || ice.usernameFragment === this.#usernameFragment) return { kind: 'trickled' };
    const { transport, taken } = this.#facts;
    try {
      await transport.restartIce();
    } catch (cause) {
      throw this.isOver ? appError('not_found', 'the session is over') : toAppError(cause);
    }
    this.#usernameFragment = ice.usernameFragment;
    this.#entityTag = newEntityTag(this.#deps);
    this.#log.info('webrtc session restarted its ICE');
    return { kind: 'restarted', entityTag: this.#entityTag, fragment: writeFragment(this.own, taken) };
  }

  #connected(): void {
    if (this.#isConnected || this.isOver) return;
    this.#isConnected = true;
    this.#stopWaiting?.();
    const { clock, events } = this.#deps;
    const protocol = this.#facts.transport.iceSelectedTuple?.protocol ?? 'udp';
    const tookMs = Math.round(clock.monotonicMs() - this.#openedMs);
    this.#log.info('webrtc peer connected', { protocol, tookMs });
    events.onConnected?.(this.#facts.kind, { protocol, tookMs });
    for (const callback of this.#onConnected) callback();
  }

  #wait(durationMs: number, cause: EndCause): void {
    this.#stopWaiting?.();
    this.#stopWaiting = this.#deps.clock.after(durationMs, () => this.#end(cause));
  }

  #look(): void {
    if (this.isOver) return;
    try {
      this.#facts.caller.reask();
    } catch (error) {
      this.#end({ end: 'denied', error: toAppError(error) });
      return;
    }
    void this.#count();
  }

  /** What went to the peer since the last time. */
  async #count(): Promise<void> {
    const { transport, caller, kind } = this.#facts;
    if (kind !== 'viewer') return;
    const stats = await transport.getStats().catch(() => []);
    const sentBytes = stats[0]?.bytesSent ?? 0;
    const bytes = sentBytes - this.#toldBytes;
    if (bytes <= 0) return;
    this.#toldBytes = sentBytes;
    caller.onSent?.(bytes);
  }

  #end(cause: EndCause): void {
    void this.end(cause);
  }

  async #close({ end, message, error }: EndCause): Promise<void> {
    this.#stopWaiting?.();
    const { clock, events } = this.#deps;
    const { transport, kind } = this.#facts;
    const lastedMs = Math.round(clock.monotonicMs() - this.#openedMs);
    const why = message === undefined && error === undefined ? {} : { message: message ?? error?.message };
    this.#log.info('webrtc session ended', { end, lastedMs, ...why });
    for (const callback of this.#onEnded.splice(0)) callback();
    events.onEnded?.(kind, end);
    await this.#count();
    await this.#lifetime
      .close()
      .catch((failure: unknown) => this.#log.warn('a webrtc session did not end cleanly', { error: failure }));
    transport.close();
  }
}

function newEntityTag({ random }: Pick<PeerSessionDeps, 'random'>): string {
  return Buffer.from(random(sessionLimits.entityTagBytes)).toString('base64url');
}
