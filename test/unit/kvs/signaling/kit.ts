/** A hub with a simulated clock, and peers whose sockets are lists of what they were sent. */

import { Registry } from 'prom-client';
import {
  KvsMeter,
  type PeerLeaving,
  type SignaledCandidate,
  SignalingHub,
  type SignalingPeer,
  type StoragePeer,
  type StorageSessionPort,
} from '../../../../gateway/kvs/index.ts';
import { silentLog } from '../../../../storage/base/log.ts';
import { SimulatedClock } from '../../../kit/simulated-clock.ts';

export const gate = { id: 'channel1', name: 'gate', messageTtlMs: 60_000, streamId: undefined };

export type Sent = {
  readonly messageType: string;
  readonly senderClientId?: string;
  readonly messagePayload?: string;
  readonly statusResponse?: Readonly<Record<string, unknown>>;
};

/** What a peer's end of a connection saw. */
class TestSocket {
  readonly sent: Sent[] = [];
  readonly texts: string[] = [];
  pings = 0;
  isOpen = true;
  bufferedAmount = 0;
  closed: { readonly code: number; readonly reason: string } | undefined;
  isTerminated = false;

  send(text: string): void {
    this.texts.push(text);
    this.sent.push(JSON.parse(text));
  }

  ping(): void {
    this.pings++;
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  terminate(): void {
    this.isTerminated = true;
  }
}

export function startHub({
  quotaFactor = 20,
  storage,
}: {
  readonly quotaFactor?: number;
  readonly storage?: StorageSessionPort;
} = {}) {
  const clock = new SimulatedClock();
  const registry = new Registry();
  const meter = new KvsMeter({ registry });
  const hub = new SignalingHub({ clock, log: silentLog, meter, storage }, { quotaFactor });
  hub.start();
  const notes: { direction: string; bytes: number }[] = [];
  const connect = (role: 'master' | 'viewer', clientId = '', change: Partial<SignalingPeer> = {}) => {
    const socket = new TestSocket();
    const channel = change.channel ?? gate;
    const peer: SignalingPeer = {
      ...{ role, clientId, channel, accountable: 'key', subject: 'access-key client' },
      look: () => ({ kind: 'admitted', channel }),
      note: (direction, bytes) => notes.push({ direction, bytes }),
      ...change,
    };
    hub.requirePlace(peer);
    const connection = hub.connect(socket, peer);
    return Object.assign(socket, {
      connection,
      say: (message: object) => connection.onText(JSON.stringify(message)),
      /** As a client answers pings and messages. */
      hear: () => connection.onHeard(),
    });
  };
  return { hub, clock, registry, notes, connect };
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Storage sessions that write down what they hear. */
export function noting() {
  const heard: unknown[] = [];
  const peers: StoragePeer[] = [];
  const storage: StorageSessionPort = {
    join: async (peer) => {
      peers.push(peer);
      heard.push(['join', peer.role, peer.clientId]);
      peer.sendOffer('an offer');
      peer.sendCandidate({ candidate: 'candidate:1' });
    },
    answer: async (_peer, sdp) => void heard.push(['answer', sdp]),
    offer: async (_peer, sdp) => void heard.push(['offer', sdp]),
    candidate: (_peer, candidate: SignaledCandidate) => void heard.push(['candidate', candidate]),
    left: (_peer, leaving: PeerLeaving) => void heard.push(['left', leaving]),
  };
  return { storage, heard, peers };
}
