/** RTMP publishers for tests and the bench. ffmpeg 5.1 and GStreamer 1.22 have no Enhanced RTMP: this one stands in for it. */

export { type NumberedPublishing, publishNumbered } from './numbered.ts';
export { type PublisherOptions, RtmpPublisher } from './publisher.ts';
export { amf0, chunks, tags } from './wire.ts';
