/**
 * What storage sessions and signalling are to each other: sessions talk to a peer through its connection, and hear from here
 * what it says. Wire spellings, base64 and JSON stay on this side.
 */

/**
 * A candidate as browsers name it. `sdpMid` and `sdpMLineIndex` are left out where a peer, or a session, says nothing of them.
 */
export type SignaledCandidate = {
  readonly candidate: string;
  readonly sdpMid?: string | undefined;
  readonly sdpMLineIndex?: number | undefined;
  readonly usernameFragment?: string | undefined;
};

/**
 * One connection of a peer to a channel whose media is stored. A peer that connects anew is another one; compare by identity, or
 * by `connectionId`.
 */
export type StoragePeer = {
  /** Of this process, never given out twice. */
  readonly connectionId: string;
  readonly channel: { readonly id: string; readonly name: string };
  /** Where the channel's media is stored. */
  readonly streamId: string;
  readonly role: 'master' | 'viewer';
  /** Of a viewer. */
  readonly clientId?: string | undefined;
  /** By which of our addresses the peer reached us: candidates begin with it. */
  readonly localAddress?: string | undefined;
  /** Who connected, in the appliance's words: to be logged. */
  readonly subject: string;
  /** True until `left` was called. */
  readonly isConnected: () => boolean;
  /**
   * Whether its key, its permission, the channel and the channel's mapping to `streamId` are still there: media that goes on
   * without its connection is to be asked about, too. True when it cannot be told just now.
   */
  readonly mayStay: () => boolean;
  /**
   * Sends an offer of ours, without a sender. Nothing when the peer is gone.
   * @throws AppError invalid_argument  longer than a message may be
   */
  readonly sendOffer: (sdp: string) => void;
  /** Sends our answer to an offer of the peer's. As `sendOffer`. */
  readonly sendAnswer: (sdp: string) => void;
  /** Sends a candidate of ours. As `sendOffer`. */
  readonly sendCandidate: (candidate: SignaledCandidate) => void;
};

/**
 * Why a peer's connection ended. Media of a session goes on without it as it does at AWS, but for `denied` (a permission or a key
 * is gone), `channel-gone` (the channel, its stream or the mapping to it is) and `closing` (we end).
 */
export type PeerLeaving = 'gone' | 'replaced' | 'timed-out' | 'denied' | 'channel-gone' | 'closing';

/**
 * The storage sessions, as signalling knows them: implemented by `gateway/webrtc/storage-session`. An error that is thrown is
 * told to the peer by AWS's name: of `join` by the answer over HTTP, of the others by a STATUS_RESPONSE where the peer gave a
 * correlation id. Channel, role, permission and connection are checked before.
 */
export type StorageSessionPort = {
  /**
   * JoinStorageSession, JoinStorageSessionAsViewer: resolves when a new offer was sent by `peer.sendOffer`. A later join of the
   * same channel and role (and client id) replaces the session of an earlier one.
   *
   * @throws AppError resource_exhausted  there are as many viewers as there may be
   * @throws AppError unavailable         there is no media plane just now
   */
  readonly join: (peer: StoragePeer) => Promise<void>;
  /** The peer's answer to our newest offer. @throws AppError invalid_argument  not what a session needs: no H.264, ... */
  readonly answer: (peer: StoragePeer, sdp: string) => Promise<void>;
  /**
   * An offer of a viewer that did not join: it never reaches the master. May be answered by `peer.sendAnswer`.
   * @throws AppError failed_precondition  it is to join instead
   */
  readonly offer: (peer: StoragePeer, sdp: string) => Promise<void>;
  /** A candidate of the peer; an empty one says that there are no more. May come before its description. */
  readonly candidate: (peer: StoragePeer, candidate: SignaledCandidate) => void;
  /** The connection is over. Called once, also for peers that never joined. */
  readonly left: (peer: StoragePeer, leaving: PeerLeaving) => void;
};
