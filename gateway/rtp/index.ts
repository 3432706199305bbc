/** The door of RTP: live streams as packets that any number of readers share, and what packets are made of. */

export { forEachPacket, frameHeadBytes, onChannel, type RtpBurst } from './burst-writer.ts';
export { type ClusterUnit, readJoin, unitsOf } from './cluster-units.ts';
export { isSameFormat, type RtpCodec, type RtpFormat, rtpFormatsOf } from './format.ts';
export { type FeedLimits, type FeedReader, FeedTrack, type FeedUnit, LiveFeed } from './live-feed.ts';
export { type FeedLease, LiveFeeds, type LiveFeedsDeps, type LiveFeedsLimits } from './live-feeds.ts';
export { type PacketForm, RtpPacketiser, type UnitToSend } from './packetiser.ts';
export { formatBye, formatSenderReport, type SenderReport } from './reports.ts';
export { TrackClock } from './track-clock.ts';
