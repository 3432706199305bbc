/** A connection as storage sessions see it. */

import { must } from '../../../storage/base/assert.ts';
import type { SignalingConnection } from './connection.ts';
import { messageText, payloadOf } from './messages.ts';
import type { StoragePeer } from './storage-port.ts';

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
