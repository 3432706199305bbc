/**
 * The lane protocol: how processes, later machines, pass live media, hints and control. One stream of frames each way over a
 * Unix socket (`run/<role>.sock`):
 *
 *   u32 LE  bytes that follow (1 .. limits.laneMessageBytesMax)
 *   u8      frame type: 1 control (JSON, UTF-8), 2 access unit, 3 media of a put
 *   body
 *
 * Body of an access unit, little endian, then the unit's bytes:
 *   u32 lane id | u8 track number | u8 flags (1 key, 2 after loss) | u16 zero
 *   f64 presentation time, microseconds of the session | f64 server timestamp, ms | f64 producer timestamp, ms (NaN: unknown)
 *
 * Body of media of a put: u32 LE put id, then the next bytes of its Matroska stream.
 *
 * Both sides send `hello` first. Unknown control types are ignored within a version; another version ends the connection.
 */

import type { ErrorCode } from '../base/errors.ts';
import type { SourceState } from '../model/camera.ts';
import type { Fragment } from '../model/fragment.ts';
import type { Hint, OpenSegment } from '../model/hint.ts';

export const laneProtocolVersion = 1;

/** A `Track` as JSON carries it: `codecPrivate` is base64. */
export type WireTrack = {
  readonly number: number;
  readonly kind: 'video' | 'audio' | 'other';
  readonly codec: string;
  readonly codecId: string;
  readonly codecPrivate: string;
  readonly codecString?: string;
  readonly video?: { readonly widthPixels: number; readonly heightPixels: number };
  readonly audio?: { readonly samplingFrequencyHz: number; readonly channels: number };
};

/** A `Hint` as JSON carries it: a committed fragment's `sha256` is base64. */
export type WireHint =
  | Exclude<Hint, { readonly kind: 'committed' }>
  | (Omit<Extract<Hint, { readonly kind: 'committed' }>, 'fragment'> & {
      readonly fragment: Omit<Fragment, 'sha256'> & { readonly sha256: string };
    });

/**
 * What a full lane does. There is no default.
 * `drop-to-key-frame`: everything queued is dropped and the lane goes on with the next key frame.
 * `newest-wins`: the same, and any key frame replaces whatever is still queued before it, so that a slow reader is never late.
 */
export type LaneOverflow = 'drop-to-key-frame' | 'newest-wins';

export type ClientMessage =
  | { readonly type: 'hello'; readonly version: number; readonly client: string }
  | { readonly type: 'request'; readonly id: number; readonly method: string; readonly params: unknown }
  | {
      readonly type: 'subscribe';
      readonly laneId: number;
      readonly streamId: string;
      readonly onOverflow: LaneOverflow;
      readonly bytesMax: number;
    }
  | { readonly type: 'unsubscribe'; readonly laneId: number }
  /**
   * Media for a stream of this owner: bytes of one Matroska stream follow in frames of their own, then `put-end`. The head is told
   * by its `kind`. A connection has one put at a time; while its owner is busy it is not read.
   */
  | { readonly type: 'put'; readonly putId: number; readonly head: unknown }
  | { readonly type: 'put-end'; readonly putId: number; readonly isCut: boolean }
  /** Answered by a `snapshot`, then hints and states as they happen. */
  | { readonly type: 'watch' };

export type ServerMessage =
  | { readonly type: 'hello'; readonly version: number; readonly role: string }
  | { readonly type: 'response'; readonly id: number; readonly result: unknown }
  | {
      readonly type: 'response';
      readonly id: number;
      readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string };
    }
  /**
   * The lane is open. `from` is where its first picture lies: the open fragment's cluster in the journal file from
   * `clusterOffset` up to `joinOffset`, followed by `tail` (base64: bytes on their way to the disk). Units that follow on the
   * lane continue exactly there. Without an open fragment `from` is null and the lane begins with the next key frame.
   * The cluster speaks in the run's media time: `sessionOffsetUs` added to it gives the session's time that units carry.
   */
  | {
      readonly type: 'joined';
      readonly laneId: number;
      readonly tracks: readonly WireTrack[];
      readonly from: null | {
        readonly path: string;
        readonly clusterOffset: number;
        readonly joinOffset: number;
        readonly tail: string;
        readonly serverTimestampMs: number;
        readonly runId: string;
        readonly sessionOffsetUs: number;
      };
    }
  /** A new session of the source with these tracks: decoders start anew. */
  | { readonly type: 'session'; readonly laneId: number; readonly tracks: readonly WireTrack[] }
  | { readonly type: 'session-ended'; readonly laneId: number; readonly reason: string }
  | { readonly type: 'dropped'; readonly laneId: number; readonly units: number }
  | { readonly type: 'closed'; readonly laneId: number; readonly reason: string }
  /** About a put: what was received and persisted so far, then its result or why it ended. */
  | { readonly type: 'put-event'; readonly putId: number; readonly event: unknown }
  | { readonly type: 'put-done'; readonly putId: number; readonly result: unknown }
  | {
      readonly type: 'put-failed';
      readonly putId: number;
      readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string };
    }
  | { readonly type: 'snapshot'; readonly open: readonly OpenSegment[]; readonly states: readonly SourceState[] }
  | { readonly type: 'hint'; readonly hint: WireHint }
  | { readonly type: 'state'; readonly state: SourceState };
