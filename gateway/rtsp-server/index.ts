/** The door of RTSP out: the server, and what it asks of its owner. */

export type { DigestAlgorithm, RtspCredentials, RtspGate, RtspOrigin, RtspReader } from './gate.ts';
export { type MethodAccess, type RtspMethod, rtspMethods } from './methods.ts';
export { RtspServer, type RtspServerDeps, type RtspServerOptions, type RtspTls } from './server.ts';
export { digestSecret } from './wire/authorization.ts';
