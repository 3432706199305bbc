/**
 * One peer's connection: what goes out, whether it is alive, how long it may live, and whether its peer may still be here. What its
 * messages mean is the hub's business.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import type { Log } from '../../../storage/base/log.ts';
import { signalingLimits } from './limits.ts';
import { goAwayText } from './messages.ts';
import type { PeerLeaving } from './storage-port.ts';

/** What is needed of a WebSocket. */
export type SignalingSocket = {
  /** False as soon as either side said that it closes. */
  readonly isOpen: boolean;
  /** Bytes that wait to be sent. */
  readonly bufferedAmount: number;
  send(text: string): void;
  ping(): void;
  close(code: number, reason: string): void;
  /** Without a closing handshake. */
  terminate(): void;
};

/** A channel as it is now. */
export type ChannelNow = {
  readonly id: string;
  readonly name: string;
  readonly messageTtlMs: number;
  /** Where its media is stored; undefined where peers send it to each other. */
  readonly streamId: string | undefined;
};

/** Whether a peer may be where it is. */
export type PeerStanding =
  | { readonly kind: 'admitted'; readonly channel: ChannelNow }
  /** Its key, or its permission, is gone. */
  | { readonly kind: 'denied' }
  | { readonly kind: 'channel-gone' };

/** A peer that was let in. */
export type SignalingPeer = {
  readonly role: 'master' | 'viewer';
  /** Of a viewer; empty of a master. */
  readonly clientId: string;
  readonly channel: ChannelNow;
  /** The lasting key that answers for it. */
  readonly accountable: string;
  /** Who it is, in the appliance's words. */
  readonly subject: string;
  readonly localAddress?: string | undefined;
  /** Asked again and again; throws when it cannot be told just now. */
  readonly look: () => PeerStanding;
  /** Told of each message that came from it or went to it. */
  readonly note: (direction: 'in' | 'out', bytes: number) => void;
};

/** WebSocket close codes (RFC 6455, 7.4.1; 4000 and above are ours, after the HTTP status that would say the same). */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  unsupported: 1003,
  tooMuch: 1008,
  denied: 4403,
  channelGone: 4404,
  replaced: 4409,
} as const;

export type SignalingConnectionDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly socket: SignalingSocket;
  readonly peer: SignalingPeer;
  readonly onText: (connection: SignalingConnection, text: string) => void;
  /** Called once: nothing goes through it any more. */
  readonly onEnded: (connection: SignalingConnection, leaving: PeerLeaving) => void;
  /** The socket is closed too. */
  readonly onClosed: () => void;
};

export class SignalingConnection {
  readonly id: string;
  readonly #deps: SignalingConnectionDeps;
  readonly #beganMs: number;
  #channel: ChannelNow;
  #heardMs: number;
  #messageMs: number;
  #messagesSinceLook = 0;
  #isToldToGo = false;
  #isEnded = false;
  #cancel: () => void = () => {};

  constructor(deps: SignalingConnectionDeps, { id }: { readonly id: string }) {
    this.id = id;
    this.#deps = deps;
    this.#channel = deps.peer.channel;
    this.#beganMs = deps.clock.monotonicMs();
    this.#heardMs = this.#beganMs;
    this.#messageMs = this.#beganMs;
  }

  get peer(): SignalingPeer {
    return this.#deps.peer;
  }

  /** As it was when it was looked at last. */
  get channel(): ChannelNow {
    return this.#channel;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get ageMs(): number {
    return this.#deps.clock.monotonicMs() - this.#beganMs;
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(signalingLimits.lookMs, () => this.#onTick());
  }

  /** False when the peer is gone, or found to be gone just now: it got nothing. */
  send(text: string): boolean {
    const { clock, socket, peer } = this.#deps;
    if (this.#isEnded || !socket.isOpen) return false;
    if (socket.bufferedAmount > signalingLimits.unsentBytesMax) {
      this.#give('timed-out');
      return false;
    }
    socket.send(text);
    this.#messageMs = clock.monotonicMs();
    peer.note('out', Buffer.byteLength(text));
    return true;
  }

  /** A message came. */
  onText(text: string): void {
    if (this.#isEnded) return;
    this.onHeard();
    this.#messageMs = this.#heardMs;
    this.#messagesSinceLook++;
    if (this.#messagesSinceLook > signalingLimits.messagesPerLookMax) {
      this.end('gone', { code: closeCodes.tooMuch, reason: 'too many messages' });
      return;
    }
    this.#deps.peer.note('in', Buffer.byteLength(text));
    this.#deps.onText(this, text);
  }

  /** A binary message came: there are none in this protocol. */
  onBinary(): void {
    this.end('gone', { code: closeCodes.unsupported, reason: 'text messages only' });
  }

  /** Anything came, as a ping or a pong. */
  onHeard(): void {
    this.#heardMs = this.#deps.clock.monotonicMs();
  }

  /** The socket is closed, by whomever. */
  onClosed(): void {
    this.#finish('gone');
    this.#cancel();
    this.#deps.onClosed();
  }

  /** Ends the connection from our side; a peer that is told to go away connects anew. */
  end(
    leaving: PeerLeaving,
    {
      code,
      reason,
      isSentAway = false,
    }: { readonly code: number; readonly reason: string; readonly isSentAway?: boolean },
  ): void {
    if (this.#isEnded) return;
    const { clock, socket } = this.#deps;
    if (isSentAway) socket.send(goAwayText);
    socket.close(code, reason);
    this.#finish(leaving);
    // Who does not answer holds a place of the port.
    this.#cancel = clock.after(signalingLimits.closeMs, () => socket.terminate());
  }

  /** Asks whether the peer may still be here. What cannot be told just now is asked again with the next look. */
  look(): void {
    if (this.#isEnded) return;
    const { log, peer } = this.#deps;
    let standing: PeerStanding;
    try {
      standing = peer.look();
    } catch (error) {
      log.warn('a signalling peer could not be looked at, tried again', { connectionId: this.id, error });
      return;
    }
    if (standing.kind === 'denied') {
      this.end('denied', { code: closeCodes.denied, reason: 'not allowed any longer', isSentAway: true });
    } else if (standing.kind === 'channel-gone') {
      this.end('channel-gone', { code: closeCodes.channelGone, reason: 'the channel is gone', isSentAway: true });
    } else if (standing.channel.streamId !== this.#channel.streamId) {
      // Peers talk to each other or to a storage session: they ask which of both when they connect.
      const reason = 'the media storage of the channel was changed';
      this.end('channel-gone', { code: closeCodes.goingAway, reason, isSentAway: true });
    } else this.#channel = standing.channel;
  }

  #onTick(): void {
    const { clock, socket } = this.#deps;
    this.#messagesSinceLook = 0;
    const nowMs = clock.monotonicMs();
    const silentMs = nowMs - this.#heardMs;
    if (silentMs >= signalingLimits.silentMsMax) {
      this.#give('timed-out');
      return;
    }
    if (nowMs - this.#messageMs >= signalingLimits.idleMsMax) {
      this.end('timed-out', { code: closeCodes.normal, reason: 'idle' });
      return;
    }
    if (this.ageMs >= signalingLimits.ageMsMax) {
      this.end('timed-out', { code: closeCodes.goingAway, reason: 'an hour is over' });
      return;
    }
    if (this.ageMs >= signalingLimits.goAwayMs && !this.#isToldToGo) {
      this.#isToldToGo = true;
      socket.send(goAwayText);
    }
    if (silentMs >= signalingLimits.pingMs) socket.ping();
    this.look();
  }

  #give(leaving: PeerLeaving): void {
    this.#deps.socket.terminate();
    this.#finish(leaving);
  }

  #finish(leaving: PeerLeaving): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancel();
    this.#deps.onEnded(this, leaving);
  }
}

/** What log lines say of a connection: nothing of what goes through it. */
export function factsOf({ id, peer }: SignalingConnection) {
  const { role, clientId, channel } = peer;
  return { connectionId: id, channel: channel.name, peerRole: role, ...(role === 'viewer' ? { clientId } : {}) };
}
