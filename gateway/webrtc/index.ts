/**
 * WebRTC, in the role `serve`. mediasoup is loaded when the plane starts; only its arithmetic (`mediasoup/ortc`, pure) is loaded at
 * once, by `sdp/negotiate.ts`.
 */

export { Bridges } from './bridge/index.ts';
export { MediaPlane, type MediaWorker, type PlaneFigures, type PlaneStatus } from './media-plane/index.ts';
export { PeerMedia, WhipReceiver } from './receive/index.ts';
export {
  type KnownSession,
  type OpenedSession,
  type OpenRequest,
  type Patched,
  type PatchRequest,
  type Receiver,
  type SessionCaller,
  type SessionEnd,
  type SessionEvents,
  type SessionKind,
  WhepSessions,
  WhipSessions,
} from './sessions/index.ts';
export { StorageSessions, StreamPut, storageSessionLimits } from './storage-session/index.ts';
export { StunAnswerer } from './stun/index.ts';
