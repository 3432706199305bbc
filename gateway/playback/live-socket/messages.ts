/**
 * What a live socket says in text, between its binary messages of fMP4: an initialization after each `begin`, then parts of one
 * moof and mdat each. All binary messages from one `begin` to the next are one file.
 */

import type { LeftOutTrack } from '../playable-tracks.ts';

/** Where on the media's timeline a moment of ours lies: both in milliseconds, the latter since 1970 UTC. */
export type TimePoint = { readonly positionMs: number; readonly serverTimestampMs: number };

export type LiveMessage =
  /** The next binary message is an initialization. Positions go on over all sessions of the camera. */
  | {
      readonly type: 'begin';
      /** With codecs, for `MediaSource.addSourceBuffer`. */
      readonly mime: string;
      readonly video: { readonly codec: string; readonly widthPixels: number; readonly heightPixels: number } | null;
      readonly audio: {
        readonly codec: string;
        readonly samplingFrequencyHz: number;
        readonly channels: number;
      } | null;
      readonly leftOut: readonly LeftOutTrack[];
      readonly time: TimePoint;
    }
  | { readonly type: 'time'; readonly time: TimePoint }
  /** The viewer was late: so many parts were left out, up to the key frame that follows. */
  | { readonly type: 'dropped'; readonly parts: number }
  /** The camera sends nothing; `begin` follows when it does again. */
  | { readonly type: 'away'; readonly reason: string }
  /** The socket is closed: this way of watching is of no use for this viewer. */
  | {
      readonly type: 'refused';
      readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
    };

/** WebSocket close codes (RFC 6455, 7.4.1; 4000 and above are ours). */
export const liveCloseCodes = {
  goingAway: 1001,
  tryLater: 1013,
  loggedOut: 4401,
  notAllowed: 4403,
  noStream: 4404,
  refused: 4415,
} as const;
