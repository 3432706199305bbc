/** The door of the RTSP client: a session with a camera, a test of one, what both tell, and its login and RTP, which others share. */

export { Delivery } from './delivery.ts';
export { type DescribeResult, describeSource } from './describe.ts';
export type { ChosenMedia } from './media/formats.ts';
export { ReorderBuffer } from './media/reorder.ts';
export { ntpToMs } from './media/rtcp.ts';
export { type ProbeResult, probe } from './probe.ts';
export { type RtspDeps, type RtspFacts, RtspSession, type RtspSessionOptions } from './session.ts';
export { readTurnMs, SharedReads, unwatchedTurnMs } from './shared-reads.ts';
export { type SessionReason, type SourceEnd, SourceFault, type SourceSink } from './source.ts';
export { traceSource } from './trace.ts';
export { Framer, type FramerHandler } from './wire/framer.ts';
export { type Credentials, Login } from './wire/login.ts';
export { allHeaders, header, isResponse, parseMessage, printable, type RtspRequest } from './wire/message.ts';
export { parseRtspUrl } from './wire/url.ts';
