/** The door of what we tell others over HTTP: webhooks and the heartbeat. */

export type { AddressPolicy } from './address-policy.ts';
export { Courier } from './courier.ts';
export { Heartbeat, type HeartbeatSettings } from './heartbeat.ts';
export { webhookLimits } from './limits.ts';
export { parseTarget } from './send.ts';
export { newSecret } from './signature.ts';
