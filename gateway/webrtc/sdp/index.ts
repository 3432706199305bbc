/** Session descriptions: peers' are read here and ours are written. Pure; loads nothing of mediasoup but its arithmetic. */

export { type AnswerOptions, takenLines, whepAnswer, whipAnswer } from './answers.ts';
export { candidateLines } from './candidates.ts';
export { type IceFragment, readFragment, writeFragment } from './fragment.ts';
export { sdpLimits } from './limits.ts';
export { type PlayableCodec, payloadTypesOf, producerParameters, receiverCapabilities } from './negotiate.ts';
export { readAnswer, readOffer } from './read.ts';
export { type OfferedMedia, type StorageOffer, storageOffer } from './storage-offer.ts';
export type { MediaDirection, MediaKind, OwnTransport, PeerDescription, PeerMedia } from './types.ts';
