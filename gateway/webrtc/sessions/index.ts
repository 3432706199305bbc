/** WHEP and WHIP sessions: an offer in, an answer out, and a peer's life after that. No HTTP. */

export type { Publication, Receiver, Reception } from './publication.ts';
export type {
  KnownSession,
  OpenedSession,
  OpenRequest,
  Patched,
  PatchRequest,
  SessionCaller,
  SessionEnd,
  SessionEvents,
  SessionKind,
} from './types.ts';
export { WhepSessions, type WhepSessionsDeps } from './whep-sessions.ts';
export { type PublishRequest, WhipSessions, type WhipSessionsDeps } from './whip-sessions.ts';
