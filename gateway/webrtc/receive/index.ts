/** The door of what peers send: out of mediasoup as units, and on to the stream's owner as Matroska. */

export type {
  MediaPutDeps,
  MediaPutDoor,
  MediaPutHead,
  MediaSink,
  PeerMediaDoor,
  PeerMediaEvents,
  PeerMediaOptions,
} from './types.ts';
