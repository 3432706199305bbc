/** Session descriptions: peers' are read here and ours are written. Pure; loads nothing of mediasoup but its arithmetic. */

export type { OfferedMedia, StorageOffer } from './storage-offer.ts';
export type { MediaDirection, MediaKind, OwnTransport, PeerDescription, PeerMedia } from './types.ts';
// Soon, with these signatures:
//   readOffer(text: string): PeerDescription                       @throws AppError invalid_argument
//   readAnswer(text: string, offered: readonly OfferedMedia[]): PeerDescription   the m-lines match those that were offered
//   storageOffer(offer: StorageOffer): string
//   candidateLines(transport: Pick<OwnTransport, 'addresses' | 'port'>): string[]  `candidate:...` as a browser names it
//   producerParameters(media: PeerMedia, capabilities): types.RtpParameters        for `transport.produce`, of a line that sends
//   receiverCapabilities(media: PeerMedia): types.RtpCapabilities                  for `transport.consume`, of a line that receives
