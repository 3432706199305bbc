/**
 * Signalling: who is connected to which channel. One master and some viewers to a channel, each at one place; what they say to each
 * other is the router's business. All of it is in memory: after a restart peers connect anew.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { awsError } from '../errors.ts';
import type { KvsMeter } from '../meter/index.ts';
import { Quotas } from '../quotas/index.ts';
import { recipientOf, SignalingChannel } from './channel.ts';
import {
  type ChannelNow,
  closeCodes,
  factsOf,
  SignalingConnection,
  type SignalingPeer,
  type SignalingSocket,
} from './connection.ts';
import { signalingLimits } from './limits.ts';
import { messageText } from './messages.ts';
import { MessageRouter } from './router.ts';
import { signalledError, storagePeer } from './storage-peer.ts';
import type { PeerLeaving, StoragePeer, StorageSessionPort } from './storage-port.ts';
import { master } from './waiting-messages.ts';

export type SignalingHubDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Pick<KvsMeter, 'addSignaling'>;
  /** Absent where there is no WebRTC: channels that store their media have nobody to talk to then. */
  readonly storage?: StorageSessionPort | undefined;
};

export type SignalingHubOptions = {
  /** How many times what AWS allows; 0: nothing but our own bounds. */
  readonly quotaFactor: number;
};

export class SignalingHub {
  readonly #deps: SignalingHubDeps;
  readonly #options: SignalingHubOptions;
  readonly #quotas: Quotas;
  readonly #router: MessageRouter;
  readonly #lifetime = new Lifetime();
  readonly #channels = new Map<string, SignalingChannel>();
  /** With the peer as storage sessions see it, where its channel stores its media. */
  readonly #connections = new Map<SignalingConnection, StoragePeer | undefined>();
  readonly #ofKey = new Map<string, number>();
  readonly #waitingBytes = { used: 0 };
  /** To be looked at since something changed. */
  readonly #unlooked = new Set<SignalingConnection>();
  #cancelRefresh: (() => void) | undefined;
  #asking = 0;
  #given = 0;
  /** Sockets that are not closed: also those whose peers have not answered our last frame. */
  readonly #sockets = new Set<SignalingSocket>();
  #onQuiet: () => void = () => {};

  constructor(deps: SignalingHubDeps, options: SignalingHubOptions) {
    const { clock, log, meter, storage } = deps;
    this.#deps = deps;
    this.#options = options;
    this.#quotas = new Quotas(deps, { factor: options.quotaFactor });
    this.#router = new MessageRouter({
      ...{ clock, log, meter, storage, quotas: this.#quotas },
      channelOf: (channelId) => this.#channelOf(channelId),
      storagePeerOf: (connection) => this.#connections.get(connection),
    });
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  start(): void {
    const { clock } = this.#deps;
    this.#lifetime.defer(clock.every(signalingLimits.lookMs, () => this.#sweep()));
    this.#lifetime.defer(() => this.#cancelRefresh?.());
    this.#lifetime.defer(() => this.#closeAll());
  }

  /** Tells every peer to go away, and resolves when their connections have ended, or after two seconds. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /**
   * Whether there is a place for this peer: asked before its connection is upgraded, in the same turn of the event loop.
   * @throws AppError ClientLimitExceededException  all are taken; who is there stays
   * @throws AppError ServiceUnavailableException   we end
   */
  requirePlace(peer: Omit<SignalingPeer, 'look' | 'note'>): void {
    const { role, channel, accountable } = peer;
    if (this.#lifetime.signal.aborted) throw awsError('ServiceUnavailableException', 'The server ends: connect anew.');
    this.#quotas.admit(role === 'master' ? '/connectAsMaster' : '/connectAsViewer', {}, `channel ${channel.id}`);
    const found = this.#channels.get(channel.id);
    const old = found?.find(recipientOf(peer));
    const viewersMax = this.#viewersMax();
    if (role === 'viewer' && old === undefined && (found?.viewerCount ?? 0) >= viewersMax) {
      throw awsError('ClientLimitExceededException', `The channel has ${viewersMax} viewers, which is the most.`);
    }
    const leaves = old === undefined ? 0 : 1;
    if (this.#connections.size - leaves >= signalingLimits.connectionsMax) {
      throw awsError('ClientLimitExceededException', 'There are as many signalling connections as there may be.');
    }
    const leavesOfKey = old?.peer.accountable === accountable ? 1 : 0;
    if ((this.#ofKey.get(accountable) ?? 0) - leavesOfKey >= signalingLimits.connectionsOfKeyMax) {
      throw awsError('ClientLimitExceededException', 'The access key has as many connections as it may have.');
    }
  }

  /** Takes a connection over, in place of an older one of the same peer, and sends what waited for it. */
  connect(socket: SignalingSocket, peer: SignalingPeer): SignalingConnection {
    const { clock, log, storage } = this.#deps;
    const connection = new SignalingConnection(
      {
        ...{ clock, log, socket, peer },
        onText: (from, text) => this.#router.take(from, text),
        onEnded: (ended, leaving) => this.#onEnded(ended, leaving),
        onClosed: () => {
          this.#sockets.delete(socket);
          if (this.#sockets.size === 0) this.#onQuiet();
        },
      },
      { id: `s${++this.#given}` },
    );
    const recipient = recipientOf(peer);
    const old = this.#channels.get(peer.channel.id)?.find(recipient);
    old?.end('replaced', { code: closeCodes.replaced, reason: 'replaced by a newer connection' });
    const channel = this.#channelOf(peer.channel.id);
    channel.enter(connection);
    const isStored = peer.channel.streamId !== undefined && storage !== undefined;
    this.#connections.set(connection, isStored ? storagePeer(connection) : undefined);
    this.#sockets.add(socket);
    this.#ofKey.set(peer.accountable, (this.#ofKey.get(peer.accountable) ?? 0) + 1);
    connection.start();
    log.info('signalling peer connected', { ...factsOf(connection), subject: peer.subject });
    for (const text of channel.waiting.take(recipient)) this.#router.send(connection, text);
    return connection;
  }

  /** Looks at every connection soon: keys, permissions or channels may have changed. */
  refresh(): void {
    for (const connection of this.#connections.keys()) this.#unlooked.add(connection);
    this.#cancelRefresh ??= this.#deps.clock.after(signalingLimits.refreshMs, () => this.#lookOn());
  }

  /**
   * Joins a connected peer to the storage session of its channel.
   * @throws AppError InvalidArgumentException  the channel stores nothing, or the peer is not connected in this role
   * @throws AppError                           as `StorageSessionPort.join`
   */
  async join(channel: ChannelNow, peer: Pick<SignalingPeer, 'role' | 'clientId'>): Promise<void> {
    if (channel.streamId === undefined) {
      throw awsError(
        'InvalidArgumentException',
        'The channel does not store its media: MediaStorageConfiguration is DISABLED.',
      );
    }
    const { storage } = this.#deps;
    if (storage === undefined) throw awsError('ServiceUnavailableException', 'WebRTC is switched off here.');
    const connection = this.#channels.get(channel.id)?.find(recipientOf(peer));
    const joining = connection === undefined ? undefined : this.#connections.get(connection);
    if (joining?.streamId !== channel.streamId) {
      throw awsError(
        'InvalidArgumentException',
        `Connect to the channel as ${peer.role} first: the offer comes that way.`,
      );
    }
    await storage.join(joining).catch((error: unknown) => {
      throw signalledError(error);
    });
  }

  /**
   * Brings an offer to the master as one of its viewers would, and waits for the answer as long as any message waits.
   *
   * @returns the answer's payload; undefined when none came
   * @throws AppError ClientLimitExceededException  too many wait
   * @throws AppError InvalidArgumentException      the channel stores its media, or a viewer of this id is connected
   */
  async ask(
    channel: ChannelNow,
    {
      clientId,
      payload,
      signal,
    }: { readonly clientId: string; readonly payload: string; readonly signal: AbortSignal },
  ): Promise<string | undefined> {
    if (channel.streamId !== undefined) {
      throw awsError('InvalidArgumentException', 'The channel stores its media: no offer reaches its master.');
    }
    // Its answers and candidates are that viewer's, who has the id by its signature.
    if (this.#channels.get(channel.id)?.find(clientId) !== undefined) {
      throw awsError('InvalidArgumentException', 'SenderClientId is the id of a viewer that is connected.');
    }
    if (this.#asking >= signalingLimits.offersMax) {
      throw awsError('ClientLimitExceededException', `${signalingLimits.offersMax} offers wait already.`);
    }
    this.#asking++;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const onGone = () => resolve(undefined);
    if (signal.aborted) onGone();
    signal.addEventListener('abort', onGone, { once: true });
    const cancel = this.#deps.clock.after(channel.messageTtlMs, onGone);
    const stopExpecting = this.#channelOf(channel.id).expectAnswer(clientId, resolve);
    let takeBack: () => void = () => {};
    try {
      const text = messageText({ action: 'SDP_OFFER', payload, senderClientId: clientId });
      takeBack = this.#router.deliver(text, { recipient: master, sender: clientId, channel });
      return await promise;
    } finally {
      cancel();
      signal.removeEventListener('abort', onGone);
      takeBack();
      stopExpecting();
      this.#asking--;
      this.#forgetIfEmpty(channel.id);
    }
  }

  #lookOn(): void {
    for (const connection of [...this.#unlooked].slice(0, signalingLimits.looksAtOnce)) {
      this.#unlooked.delete(connection);
      connection.look();
    }
    this.#cancelRefresh =
      this.#unlooked.size === 0
        ? undefined
        : this.#deps.clock.after(signalingLimits.looksPauseMs, () => this.#lookOn());
  }

  #viewersMax(): number {
    const { quotaFactor } = this.#options;
    if (quotaFactor === 0) return signalingLimits.connectionsOfKeyMax;
    return Math.max(1, Math.floor(signalingLimits.viewersOfChannel * quotaFactor));
  }

  #onEnded(connection: SignalingConnection, leaving: PeerLeaving): void {
    const { log, meter, storage } = this.#deps;
    const { accountable, channel } = connection.peer;
    const storing = this.#connections.get(connection);
    this.#connections.delete(connection);
    this.#unlooked.delete(connection);
    this.#channels.get(channel.id)?.leave(connection);
    this.#forgetIfEmpty(channel.id);
    const left = (this.#ofKey.get(accountable) ?? 1) - 1;
    if (left === 0) this.#ofKey.delete(accountable);
    else this.#ofKey.set(accountable, left);
    const isFailure = leaving === 'timed-out' ? 1 : 0;
    meter.addSignaling('Failure', { operation: 'Disconnect', channel: channel.name }, isFailure);
    log.info('signalling peer left', { ...factsOf(connection), leaving, ageMs: Math.round(connection.ageMs) });
    if (storing !== undefined) storage?.left(storing, leaving);
  }

  #channelOf(channelId: string): SignalingChannel {
    const known = this.#channels.get(channelId);
    if (known !== undefined) return known;
    const channel = new SignalingChannel({ clock: this.#deps.clock, all: this.#waitingBytes });
    this.#channels.set(channelId, channel);
    return channel;
  }

  #forgetIfEmpty(channelId: string): void {
    if (this.#channels.get(channelId)?.isEmpty === true) this.#channels.delete(channelId);
  }

  #sweep(): void {
    for (const [channelId, { waiting }] of this.#channels) {
      waiting.forgetExpired();
      this.#forgetIfEmpty(channelId);
    }
  }

  async #closeAll(): Promise<void> {
    for (const channel of this.#channels.values()) channel.clear();
    for (const connection of [...this.#connections.keys()]) {
      connection.end('closing', { code: closeCodes.goingAway, reason: 'the server ends', isSentAway: true });
    }
    if (this.#sockets.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onQuiet = resolve;
    // Each is closed, or given up, within its time; its socket may need as long again.
    const cancel = this.#deps.clock.after(2 * signalingLimits.closeMs, resolve);
    await promise;
    cancel();
  }
}
