/** The pillar's door: the recording role, playback, and the test of a camera. See README.md. */

export { Ingest, type IngestOptions } from './ingest/index.ts';
export { Clips, type FragmentSource, Hls, Images, PictureDecoders, timelineOf } from './playback/index.ts';
export { probe, SourceFault } from './rtsp/index.ts';
