/** How peers of a channel find each other: by WebSocket, and by what they ask over HTTP beside it. */

export {
  type ConnectWish,
  connectActions,
  lookAgain,
  readConnectWish,
  requireConnect,
  type SignalingRole,
  signalingPaths,
} from './connect.ts';
export type { ChannelNow, PeerStanding, SignalingConnection, SignalingPeer, SignalingSocket } from './connection.ts';
export { SignalingHub, type SignalingHubDeps, type SignalingHubOptions } from './hub.ts';
export { signalingLimits } from './limits.ts';
export { type SignalingDeps, signalingOperations } from './operations.ts';
export type { PeerLeaving, SignaledCandidate, StoragePeer, StorageSessionPort } from './storage-port.ts';
export { type IceServer, iceServers, type TurnServers } from './turn-credentials.ts';
