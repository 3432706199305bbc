/**
 * Which message goes to whom: a master names the viewer it writes to, a viewer writes to the master, whatever it says. Of a
 * channel whose media is stored nothing goes from peer to peer: all of it is for the storage sessions. Payloads that are not for
 * these stay closed.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { awsError, awsErrorOf } from '../errors.ts';
import type { KvsMeter } from '../meter/index.ts';
import type { Quotas } from '../quotas/index.ts';
import type { SignalingChannel } from './channel.ts';
import { type ChannelNow, factsOf, type SignalingConnection } from './connection.ts';
import {
  messageText,
  type PeerAction,
  type PeerMessage,
  readPeerMessage,
  signalingIdPattern,
  statusText,
} from './messages.ts';
import { bringToStorage, signalledError } from './storage-peer.ts';
import type { StoragePeer, StorageSessionPort } from './storage-port.ts';
import { master, type Recipient } from './waiting-messages.ts';

export type MessageRouterDeps = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
  readonly meter: Pick<KvsMeter, 'addSignaling'>;
  readonly quotas: Quotas;
  readonly storage: StorageSessionPort | undefined;
  /** Remembered from now on, until it is empty. */
  readonly channelOf: (channelId: string) => SignalingChannel;
  readonly storagePeerOf: (connection: SignalingConnection) => StoragePeer | undefined;
};

/** As AWS's metrics call them, and the name of their quota. */
const operations: Readonly<Record<PeerAction, { readonly name: string; readonly quota: string }>> = {
  SDP_OFFER: { name: 'SendSdpOffer', quota: 'SendSdpOffer' },
  SDP_ANSWER: { name: 'SendSdpAnswer', quota: 'SendSdpAnswer' },
  ICE_CANDIDATE: { name: 'SendCandidate', quota: 'SendIceCandidate' },
};

export class MessageRouter {
  readonly #deps: MessageRouterDeps;

  constructor(deps: MessageRouterDeps) {
    this.#deps = deps;
  }

  /** Takes a message of a peer to where it belongs; one that cannot go there is told where it has a correlation id. */
  take(connection: SignalingConnection, text: string): void {
    const { clock, log, quotas } = this.#deps;
    const beganMs = clock.monotonicMs();
    const message = readPeerMessage(text);
    if (message.kind === 'refused') {
      log.debug('signalling message refused', { ...factsOf(connection), reason: message.error.message });
      tellStatus(connection, message.correlationId, message.error);
      return;
    }
    const { name: operation, quota } = operations[message.action];
    const succeeded = () => {
      this.#count('Failure', connection, { operation, value: 0 });
      this.#count('Latency', connection, { operation, value: clock.monotonicMs() - beganMs });
    };
    const failed = (error: unknown) => {
      if (isAppError(error)) log.debug('signalling message refused', { ...factsOf(connection), operation, error });
      else log.error('signalling message failed', { ...factsOf(connection), operation, error });
      this.#count('Failure', connection, { operation, value: 1 });
      tellStatus(connection, message.correlationId, error);
    };
    try {
      quotas.admit(quota, {}, `connection ${connection.id}`);
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

  /**
   * Sends, or keeps for as long as messages wait in the channel.
   *
   * @returns takes a kept message back
   * @throws AppError ClientLimitExceededException  too much waits already
   */
  deliver(
    text: string,
    {
      recipient,
      sender,
      channel,
    }: { readonly recipient: Recipient; readonly sender: Recipient; readonly channel: ChannelNow },
  ): () => void {
    const { channelOf } = this.#deps;
    const connection = channelOf(channel.id).find(recipient);
    if (connection !== undefined && this.send(connection, text)) return () => {};
    // Looked up anew: the connection may have been its last, and have ended just now by not reading.
    return channelOf(channel.id).waiting.add(text, { recipient, sender, ttlMs: channel.messageTtlMs });
  }

  /** False when the peer is gone. */
  send(connection: SignalingConnection, text: string): boolean {
    const isSent = connection.send(text);
    if (isSent) this.#count('MessagesTransferred.Count', connection, { value: 1 });
    return isSent;
  }

  /** @throws AppError  why the message does not go on */
  #route({ channel, peer }: SignalingConnection, { action, payload, recipientClientId }: PeerMessage): void {
    if (peer.role === 'viewer') {
      // Native samples name recipients of their own invention.
      const text = messageText({ action, payload, senderClientId: peer.clientId });
      this.deliver(text, { recipient: master, sender: peer.clientId, channel });
      return;
    }
    if (recipientClientId === undefined || !signalingIdPattern.test(recipientClientId)) {
      throw awsError('InvalidArgumentException', 'recipientClientId must name the viewer.');
    }
    const onAnswer = this.#deps.channelOf(channel.id).expecting(recipientClientId);
    if (onAnswer === undefined) {
      this.deliver(messageText({ action, payload }), { recipient: recipientClientId, sender: master, channel });
    } else if (action === 'SDP_ANSWER') {
      // Who asked over HTTP hears one answer, and no candidates.
      onAnswer(payload);
    }
  }

  /** @throws AppError  why the message does not go on */
  async #toStorage(connection: SignalingConnection, message: PeerMessage): Promise<void> {
    const { storage, storagePeerOf } = this.#deps;
    const peer = storagePeerOf(connection);
    if (storage === undefined || peer === undefined) {
      throw awsError('ServiceUnavailableException', 'The channel stores its media, and WebRTC is switched off here.');
    }
    await bringToStorage(storage, peer, message);
  }

  #count(
    metric: string,
    { channel }: SignalingConnection,
    { operation, value }: { readonly operation?: string; readonly value: number },
  ): void {
    this.#deps.meter.addSignaling(metric, { operation, channel: channel.name }, value);
  }
}

/** Nothing without a correlation id, and nothing where all went well: as at AWS. */
function tellStatus(connection: SignalingConnection, correlationId: string | undefined, error: unknown): void {
  if (correlationId === undefined) return;
  const isOfStorage = connection.channel.streamId !== undefined;
  connection.send(statusText(correlationId, awsErrorOf(signalledError(error)), { isOfStorage }));
}
