/** The lane protocol: how roles pass live media, hints and control. See `messages.ts` for the bytes. */

export { LaneClient, type WatchCallbacks } from './client.ts';
export type { LaneUnit } from './frames.ts';
export type { IncomingPut, LaneHandlers, LaneJoin, LaneSnapshot, OutgoingLane, PutAnswers } from './handlers.ts';
export type { LaneOverflow } from './messages.ts';
export { LanePut, type PutOptions } from './put.ts';
export { LaneServer } from './server.ts';
export type { LaneEvent, SubscribeOptions } from './subscription.ts';
