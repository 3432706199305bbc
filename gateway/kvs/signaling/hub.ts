/**
 * Signalling: who is connected to which channel, and which message goes to whom. One master and some viewers to a channel; a master
 * names the viewer it writes to, a viewer writes to the master, whatever it says. Of a channel whose media is stored nothing goes from
 * peer to peer: all of it is for the storage sessions. Nothing here reads a payload that is not for these.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, isAppError, toAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { awsError, awsErrorOf } from '../errors.ts';
import type { KvsMeter } from '../meter/index.ts';
import { Quotas } from '../quotas/index.ts';
import {
  type ChannelNow,
  closeCodes,
  SignalingConnection,
  type SignalingPeer,
  type SignalingSocket,
} from './connection.ts';
import { signalingLimits } from './limits.ts';
import {
  messageText,
  type PeerAction,
  type PeerMessage,
  readCandidate,
  readDescription,
  readPeerMessage,
  signalingIdPattern,
  statusText,
} from './messages.ts';
import { storagePeer } from './storage-peer.ts';
import type { PeerLeaving, StoragePeer, StorageSessionPort } from './storage-port.ts';
import { master, type Recipient, WaitingMessages } from './waiting-messages.ts';

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

/** One Alexa that waits for an answer of the master. */
type Asking = { readonly answer: (payload: string | undefined) => void };

type Channel = {
  master: SignalingConnection | undefined;
  readonly viewers: Map<string, SignalingConnection>;
  readonly waiting: WaitingMessages;
  readonly asking: Map<string, Set<Asking>>;
};

/** As AWS's metrics call them. */
const operationOf: Readonly<Record<PeerAction, string>> = {
  SDP_OFFER: 'SendSdpOffer',
  SDP_ANSWER: 'SendSdpAnswer',
  ICE_CANDIDATE: 'SendCandidate',
};

export class SignalingHub {
  readonly #deps: SignalingHubDeps;
  readonly #options: SignalingHubOptions;
  readonly #quotas: Quotas;
  readonly #lifetime = new Lifetime();
  readonly #channels = new Map<string, Channel>();
  /** With the peer as storage sessions see it, where its channel stores its media. */
  readonly #connections = new Map<SignalingConnection, StoragePeer | undefined>();
  readonly #ofKey = new Map<string, number>();
  readonly #waitingBytes = { used: 0 };
  #cancelRefresh: (() => void) | undefined;
  #asking = 0;
  #given = 0;
  /** Sockets that are not closed: also those whose peers have not answered our last frame. */
  readonly #sockets = new Set<SignalingSocket>();
  #onQuiet: () => void = () => {};

  constructor(deps: SignalingHubDeps, options: SignalingHubOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#quotas = new Quotas(deps, { factor: options.quotaFactor });
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

  /** Tells every peer to go away, and resolves when their connections have ended, or after a second. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /**
   * Whether there is a place for this peer: asked before its connection is upgraded, in the same turn of the event loop.
   * @throws AppError ClientLimitExceededException  all are taken; who is there stays
   * @throws AppError ServiceUnavailableException   we end
   */
  requirePlace({ role, clientId, channel, accountable }: Omit<SignalingPeer, 'look' | 'note'>): void {
    if (this.#lifetime.signal.aborted) throw awsError('ServiceUnavailableException', 'The server ends: connect anew.');
    const { quotaFactor } = this.#options;
    this.#quotas.admit(role === 'master' ? '/connectAsMaster' : '/connectAsViewer', {}, `channel ${channel.id}`);
    const found = this.#channels.get(channel.id);
    const old = role === 'master' ? found?.master : found?.viewers.get(clientId);
    const viewersMax =
      quotaFactor === 0
        ? signalingLimits.connectionsOfKeyMax
        : Math.max(1, Math.floor(signalingLimits.viewersOfChannel * quotaFactor));
    if (role === 'viewer' && old === undefined && (found?.viewers.size ?? 0) >= viewersMax) {
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
        onText: (from, text) => this.#onText(from, text),
        onEnded: (ended, leaving) => this.#onEnded(ended, leaving),
        onClosed: () => {
          this.#sockets.delete(socket);
          if (this.#sockets.size === 0) this.#onQuiet();
        },
      },
      { id: `s${++this.#given}` },
    );
    const channel = this.#channelOf(peer.channel.id);
    const old = peer.role === 'master' ? channel.master : channel.viewers.get(peer.clientId);
    old?.end('replaced', { code: closeCodes.replaced, reason: 'replaced by a newer connection' });
    if (peer.role === 'master') channel.master = connection;
    else channel.viewers.set(peer.clientId, connection);
    // The old one may have been the last, and its channel forgotten.
    this.#channels.set(peer.channel.id, channel);
    const isStored = peer.channel.streamId !== undefined && storage !== undefined;
    this.#connections.set(connection, isStored ? storagePeer(connection) : undefined);
    this.#sockets.add(socket);
    this.#ofKey.set(peer.accountable, (this.#ofKey.get(peer.accountable) ?? 0) + 1);
    connection.start();
    log.info('signalling peer connected', { ...factsOf(connection), subject: peer.subject });
    for (const text of channel.waiting.take(recipientOf(connection))) this.#sendTo(connection, text);
    return connection;
  }

  /** Looks at every connection soon: keys, permissions or channels may have changed. */
  refresh(): void {
    this.#cancelRefresh ??= this.#deps.clock.after(signalingLimits.refreshMs, () => {
      this.#cancelRefresh = undefined;
      for (const connection of [...this.#connections.keys()]) connection.look();
    });
  }

  /**
   * Joins a connected peer to the storage session of its channel.
   * @throws AppError InvalidArgumentException  the channel stores nothing, or the peer is not connected in this role
   * @throws AppError                           as `StorageSessionPort.join`
   */
  async join(
    channel: ChannelNow,
    peer: { readonly role: 'master' | 'viewer'; readonly clientId: string },
  ): Promise<void> {
    if (channel.streamId === undefined) {
      throw awsError(
        'InvalidArgumentException',
        'The channel does not store its media: MediaStorageConfiguration is DISABLED.',
      );
    }
    const { storage } = this.#deps;
    if (storage === undefined) throw awsError('ServiceUnavailableException', 'WebRTC is switched off here.');
    const found = this.#channels.get(channel.id);
    const connection = peer.role === 'master' ? found?.master : found?.viewers.get(peer.clientId);
    const joining = connection === undefined ? undefined : this.#connections.get(connection);
    if (joining?.streamId !== channel.streamId) {
      throw awsError(
        'InvalidArgumentException',
        `Connect to the channel as ${peer.role} first: the offer comes that way.`,
      );
    }
    await storage.join(joining).catch((error: unknown) => {
      throw signalled(error);
    });
  }

  /**
   * Brings an offer to the master as one of its viewers would, and waits for the answer as long as any message waits.
   *
   * @returns the answer's payload; undefined when none came
   * @throws AppError ClientLimitExceededException  too many wait
   * @throws AppError InvalidArgumentException      the channel stores its media
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
    if (this.#asking >= signalingLimits.offersMax) {
      throw awsError('ClientLimitExceededException', `${signalingLimits.offersMax} offers wait already.`);
    }
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const found = this.#channelOf(channel.id);
    const asking = found.asking.get(clientId) ?? new Set<Asking>();
    const mine: Asking = { answer: resolve };
    found.asking.set(clientId, asking.add(mine));
    this.#asking++;
    const text = messageText({ action: 'SDP_OFFER', payload, senderClientId: clientId });
    const onGone = () => resolve(undefined);
    const cancel = this.#deps.clock.after(channel.messageTtlMs, onGone);
    signal.addEventListener('abort', onGone, { once: true });
    if (signal.aborted) onGone();
    let takeBack: () => void = () => {};
    try {
      takeBack = this.#deliver(found, text, { recipient: master, sender: clientId, channel });
      return await promise;
    } finally {
      cancel();
      signal.removeEventListener('abort', onGone);
      takeBack();
      asking.delete(mine);
      if (asking.size === 0) found.asking.delete(clientId);
      this.#asking--;
      this.#forgetIfEmpty(channel.id);
    }
  }

  #onText(connection: SignalingConnection, text: string): void {
    const { clock, log } = this.#deps;
    const beganMs = clock.monotonicMs();
    const message = readPeerMessage(text);
    if (message.kind === 'refused') {
      log.debug('signalling message refused', { ...factsOf(connection), reason: message.error.message });
      this.#tellStatus(connection, message.correlationId, message.error);
      return;
    }
    const operation = operationOf[message.action];
    const succeeded = () => {
      this.#count('Failure', operation, connection, 0);
      this.#count('Latency', operation, connection, clock.monotonicMs() - beganMs);
    };
    const failed = (error: unknown) => {
      if (isAppError(error)) log.debug('signalling message refused', { ...factsOf(connection), operation, error });
      else log.error('signalling message failed', { ...factsOf(connection), operation, error });
      this.#count('Failure', operation, connection, 1);
      this.#tellStatus(connection, message.correlationId, error);
    };
    try {
      this.#quotas.admit(quotaOf(message.action), {}, `connection ${connection.id}`);
      if (connection.channel.streamId === undefined) this.#route(connection, message);
      else {
        void this.#toStorage(connection, message).then(succeeded, failed);
        return;
      }
    } catch (error) {
      failed(error);
      return;
    }
    succeeded();
  }

  /** @throws AppError  why the message does not go on */
  #route(connection: SignalingConnection, { action, payload, recipientClientId }: PeerMessage): void {
    const { channel, peer } = connection;
    const found = this.#channelOf(channel.id);
    if (peer.role === 'viewer') {
      // Native samples name recipients of their own invention.
      const text = messageText({ action, payload, senderClientId: peer.clientId });
      this.#deliver(found, text, { recipient: master, sender: peer.clientId, channel });
      return;
    }
    if (recipientClientId === undefined || !signalingIdPattern.test(recipientClientId)) {
      throw awsError('InvalidArgumentException', 'recipientClientId must name the viewer.');
    }
    const [asking] = found.asking.get(recipientClientId) ?? [];
    if (asking !== undefined) {
      // Alexa hears one answer, and no candidates.
      if (action === 'SDP_ANSWER') asking.answer(payload);
      return;
    }
    this.#deliver(found, messageText({ action, payload }), { recipient: recipientClientId, sender: master, channel });
  }

  /** @throws AppError  why the message does not go on */
  async #toStorage(connection: SignalingConnection, { action, payload }: PeerMessage): Promise<void> {
    const { storage } = this.#deps;
    const peer = this.#connections.get(connection);
    if (storage === undefined || peer === undefined) {
      throw awsError('ServiceUnavailableException', 'The channel stores its media, and WebRTC is switched off here.');
    }
    switch (action) {
      case 'SDP_OFFER':
        if (peer.role === 'master') {
          throw awsError(
            'InvalidArgumentException',
            'The channel stores its media: offers come from the storage session.',
          );
        }
        return storage.offer(peer, readDescription(payload, 'offer'));
      case 'SDP_ANSWER':
        return storage.answer(peer, readDescription(payload, 'answer'));
      case 'ICE_CANDIDATE':
        return storage.candidate(peer, readCandidate(payload));
    }
  }

  /**
   * Sends, or keeps for as long as messages wait in the channel.
   * @returns takes a kept message back
   */
  #deliver(
    found: Channel,
    text: string,
    {
      recipient,
      sender,
      channel,
    }: { readonly recipient: Recipient; readonly sender: Recipient; readonly channel: ChannelNow },
  ): () => void {
    const connection = recipient === master ? found.master : found.viewers.get(recipient);
    if (connection !== undefined && this.#sendTo(connection, text)) return () => {};
    const takeBack = found.waiting.add(text, { recipient, sender, ttlMs: channel.messageTtlMs });
    // Its last connection may have ended just now, by not reading.
    this.#channels.set(channel.id, found);
    return takeBack;
  }

  #sendTo(connection: SignalingConnection, text: string): boolean {
    const isSent = connection.send(text);
    if (isSent) this.#count('MessagesTransferred.Count', undefined, connection, 1);
    return isSent;
  }

  /** Nothing without a correlation id, and nothing where all went well: as at AWS. */
  #tellStatus(connection: SignalingConnection, correlationId: string | undefined, error: unknown): void {
    if (correlationId !== undefined) {
      connection.send(statusText(correlationId, awsErrorOf(signalled(error))));
    }
  }

  #onEnded(connection: SignalingConnection, leaving: PeerLeaving): void {
    const { log, storage } = this.#deps;
    const { peer } = connection;
    const known = this.#connections.get(connection);
    const found = this.#channels.get(peer.channel.id);
    this.#connections.delete(connection);
    if (found?.master === connection) found.master = undefined;
    if (found?.viewers.get(peer.clientId) === connection) found.viewers.delete(peer.clientId);
    const left = (this.#ofKey.get(peer.accountable) ?? 1) - 1;
    if (left === 0) this.#ofKey.delete(peer.accountable);
    else this.#ofKey.set(peer.accountable, left);
    this.#forgetIfEmpty(peer.channel.id);
    this.#count('Failure', 'Disconnect', connection, leaving === 'timed-out' ? 1 : 0);
    log.info('signalling peer left', { ...factsOf(connection), leaving, ageMs: Math.round(connection.ageMs) });
    if (known !== undefined) storage?.left(known, leaving);
  }

  #channelOf(channelId: string): Channel {
    const known = this.#channels.get(channelId);
    if (known !== undefined) return known;
    const waiting = new WaitingMessages({ clock: this.#deps.clock, all: this.#waitingBytes });
    const channel: Channel = { master: undefined, viewers: new Map(), waiting, asking: new Map() };
    this.#channels.set(channelId, channel);
    return channel;
  }

  #forgetIfEmpty(channelId: string): void {
    const found = this.#channels.get(channelId);
    if (found === undefined || found.master !== undefined) return;
    if (found.viewers.size === 0 && found.asking.size === 0 && found.waiting.isEmpty) this.#channels.delete(channelId);
  }

  #sweep(): void {
    for (const [channelId, { waiting }] of this.#channels) {
      waiting.forgetExpired();
      this.#forgetIfEmpty(channelId);
    }
  }

  async #closeAll(): Promise<void> {
    for (const { asking } of this.#channels.values()) {
      for (const each of asking.values()) for (const { answer } of each) answer(undefined);
    }
    for (const connection of [...this.#connections.keys()]) {
      connection.end('closing', { code: closeCodes.goingAway, reason: 'the server ends', isSentAway: true });
    }
    for (const { waiting } of this.#channels.values()) waiting.clear();
    if (this.#sockets.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onQuiet = resolve;
    // Each is closed, or given up, within its time; its socket may need as long again.
    const cancel = this.#deps.clock.after(2 * signalingLimits.closeMs, resolve);
    await promise;
    cancel();
  }

  #count(metric: string, operation: string | undefined, { channel }: SignalingConnection, value: number): void {
    this.#deps.meter.addSignaling(metric, { operation, channel: channel.name }, value);
  }
}

/** What a storage session cannot do with what it was given is told as a wrong argument. */
function signalled(thrown: unknown): AppError {
  const error = toAppError(thrown);
  const isUnnamed = error.code === 'failed_precondition' && error.context.awsName === undefined;
  return isUnnamed ? awsError('InvalidArgumentException', error.message) : error;
}

function recipientOf({ peer }: SignalingConnection): Recipient {
  return peer.role === 'master' ? master : peer.clientId;
}

/** Candidates come in bursts, and have a quota of their own. */
function quotaOf(action: PeerAction): string {
  return action === 'ICE_CANDIDATE' ? 'SendIceCandidate' : action === 'SDP_OFFER' ? 'SendSdpOffer' : 'SendSdpAnswer';
}

/** What log lines say of a connection: nothing of what goes through it. */
function factsOf({ id, peer }: SignalingConnection) {
  const { role, clientId, channel } = peer;
  return { connectionId: id, channel: channel.name, peerRole: role, ...(role === 'viewer' ? { clientId } : {}) };
}
