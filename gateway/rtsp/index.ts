/** The door of the RTSP client: a session with a camera, a test of one, and what both tell. */

export { type ProbeResult, probe } from './probe.ts';
export { type RtspDeps, type RtspFacts, RtspSession, type RtspSessionOptions } from './session.ts';
export { readTurnMs, SharedReads, unwatchedTurnMs } from './shared-reads.ts';
export { type SessionReason, type SourceEnd, SourceFault, type SourceSink } from './source.ts';
