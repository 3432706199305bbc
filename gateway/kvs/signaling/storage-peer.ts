/** A connection as storage sessions see it, and what they are told of its messages. */

import { must } from '../../../storage/base/assert.ts';
import { type AppError, toAppError } from '../../../storage/base/errors.ts';
import { awsError } from '../errors.ts';
import type { SignalingConnection } from './connection.ts';
import { messageText, type PeerMessage, payloadOf, readCandidate, readDescription } from './messages.ts';
import type { StoragePeer, StorageSessionPort } from './storage-port.ts';

/** Of a peer whose channel stores its media. */
export function storagePeer(connection: SignalingConnection): StoragePeer {
  const { role, clientId, channel, subject, localAddress } = connection.peer;
  const send = (action: Parameters<typeof messageText>[0]['action'], content: object) =>
    void connection.send(messageText({ action, payload: payloadOf(content) }));
  return {
    connectionId: connection.id,
    channel: { id: channel.id, name: channel.name },
    streamId: must(channel.streamId, 'its media is stored'),
    ...{ role, subject, localAddress },
    ...(role === 'viewer' ? { clientId } : {}),
    isConnected: () => !connection.isEnded,
    mayStay: () => mayStay(connection),
    sendOffer: (sdp) => send('SDP_OFFER', { type: 'offer', sdp }),
    sendAnswer: (sdp) => send('SDP_ANSWER', { type: 'answer', sdp }),
    sendCandidate: (candidate) => send('ICE_CANDIDATE', candidate),
  };
}

function mayStay({ peer }: SignalingConnection): boolean {
  try {
    const standing = peer.look();
    return standing.kind === 'admitted' && standing.channel.streamId === peer.channel.streamId;
  } catch {
    // The catalog cannot be read for a moment: asked again soon.
    return true;
  }
}

/** @throws AppError  why a session takes no such message, or not this one */
export async function bringToStorage(
  storage: StorageSessionPort,
  peer: StoragePeer,
  { action, payload }: PeerMessage,
): Promise<void> {
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

/** What a storage session cannot do with what it was given is told as a wrong argument. */
export function signalledError(thrown: unknown): AppError {
  const error = toAppError(thrown);
  const isUnnamed = error.code === 'failed_precondition' && error.context.awsName === undefined;
  return isUnnamed ? awsError('InvalidArgumentException', error.message) : error;
}
