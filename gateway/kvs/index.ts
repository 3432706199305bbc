/** The KVS API on the wire: who signed a request, and errors as AWS names them. See README.md. */

export { channelArn, type KvsSite, secretArn, streamArn } from './arns.ts';
export {
  isBytes,
  isExchange,
  type KvsAnswer,
  type KvsBytes,
  type KvsCall,
  type KvsExchange,
  type KvsInput,
  type KvsOperation,
  type KvsOperations,
  type KvsTarget,
} from './call.ts';
export { controlOperations } from './control/index.ts';
export { corsHeaders, preflightHeaders } from './cors.ts';
export {
  type ImageGeneration,
  imageGenerationOf,
  type NotificationTarget,
  notificationOf,
} from './delivery/configurations.ts';
export {
  imageMomentsMs,
  imageObject,
  imageTag,
  notificationHeaders,
  notificationTag,
  notificationText,
  TagFollower,
  type TagFollowerDeps,
  type TaggedFragment,
} from './delivery/index.ts';
export { type EdgeChange, EdgeSync, edgeOperations } from './edge/index.ts';
export { awsError, awsErrorOf } from './errors.ts';
export { type MediaReaders, type MediaSource, mediaReaders } from './media/index.ts';
export { KvsMeter, snakeCase } from './meter/index.ts';
export {
  clipOperations,
  imageOperations,
  type Meter,
  PlaybackResources,
  type Resource,
  type ResourceDeps,
  type SessionSource,
  SessionTokens,
  SessionWalks,
  streamingSessionOperations,
} from './playback/index.ts';
export { putMediaOperations } from './put-media/operation.ts';
export { Quotas, thingOf } from './quotas/index.ts';
export {
  connectActions,
  type IceServer,
  iceServers,
  lookAgain,
  type PeerLeaving,
  readConnectWish,
  requireConnect,
  type SignaledCandidate,
  SignalingHub,
  type SignalingPeer,
  type SignalingRole,
  type StoragePeer,
  type StorageSessionPort,
  signalingLimits,
  signalingOperations,
  signalingPaths,
  type TurnServers,
} from './signaling/index.ts';
export { headerPairs, type SignedRequest } from './sigv4/request.ts';
export { readSignature } from './sigv4/signature.ts';
export {
  type Authenticated,
  authenticate,
  type BodyFacts,
  type KeyAnswer,
  type KeyLookup,
  sha256Hex,
} from './sigv4/verify.ts';
export { findKvsStream, type KvsStream, kvsStreams, retentionFloorMs } from './streams.ts';
export {
  answerSts,
  assumedRoleArn,
  type RoleWish,
  readForm,
  type StsCall,
  type StsPrincipal,
  secondsText,
  stsErrorAnswer,
  userArn,
} from './sts/index.ts';
