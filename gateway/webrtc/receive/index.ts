/** The door of what peers send: out of mediasoup as units, and on to the stream's owner as Matroska. See README.md. */

export { PeerMedia, type PeerMediaDeps, type PeerMediaOptions } from './peer-media.ts';
export { PutLine, type PutLineOptions, type PutOwner, type QueueBudget } from './put-line.ts';
export type { MediaSink } from './types.ts';
export { WhipReceiver, type WhipReceiverDeps } from './whip-receiver.ts';
