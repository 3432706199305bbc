/** The door of the public port. */

export type { Resource, Subject } from './authoriser.ts';
export type { RawRoute } from './dispatch.ts';
export { FaultPage } from './fault-page.ts';
export type { LiveSessions } from './live-sessions.ts';
export { OnvifPort } from './onvif-port.ts';
export type { Examiner, Probe, ProbeResult, RoleState, Roles, ServeDeps, TlsMaterial } from './parts.ts';
export type { RequestHead } from './request-head.ts';
export { type FirstAdmin, Serve, type ServedRoute, type ServeOptions } from './serve.ts';
