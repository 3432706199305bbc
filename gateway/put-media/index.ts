/** Media that KVS producers send, at the owner of their stream. See README.md. */

export { type LatencyFigures, PutMediaCounters, type PutMediaFigures } from './counters.ts';
export type { OpenedFragment } from './fragment-book.ts';
export { type PutMediaQuotas, putMediaLimits, putMediaQuotasDefault } from './limits.ts';
export type { MediaErrorName } from './media-errors.ts';
export {
  type Ack,
  isPutMediaHead,
  type PutMediaHead,
  parsePutMediaEvent,
  parsePutMediaHead,
} from './messages.ts';
export type { ProducerFrame, ProducerHead } from './producer-media.ts';
export { PutMediaReceiver, type ReceiverDeps } from './receiver.ts';
export { Turns } from './turns.ts';
