/** What a role gives to its `LaneServer`, and what the server gives to the role: the port between protocol and owner. */

import type { AppError } from '../base/errors.ts';
import type { SourceState } from '../model/camera.ts';
import type { OpenSegment } from '../model/hint.ts';
import type { Track } from '../model/track.ts';
import type { LaneUnit } from './frames.ts';

export type LaneSnapshot = { readonly open: readonly OpenSegment[]; readonly states: readonly SourceState[] };

/** Where a lane begins. Without `from` it begins with the next key frame. */
export type LaneJoin = {
  readonly tracks: readonly Track[];
  /** The open fragment's cluster: in the file from `clusterOffset` to `joinOffset`, then `tail`, borrowed until return. */
  readonly from:
    | undefined
    | {
        readonly path: string;
        readonly clusterOffset: number;
        readonly joinOffset: number;
        readonly tail: Uint8Array;
        readonly serverTimestampMs: number;
        readonly runId: string;
        readonly sessionOffsetUs: number;
      };
};

/** What a stream's owner does with one subscriber's lane. Calls never block and never throw: a full lane drops. */
export type OutgoingLane = {
  /** First call, exactly once. */
  joined(join: LaneJoin): void;
  session(tracks: readonly Track[]): void;
  /** Copies the unit's bytes, or drops it by the lane's policy. */
  unit(unit: LaneUnit): void;
  sessionEnded(reason: string): void;
  /** Ends the lane from this side. */
  closed(reason: string): void;
};

/** How a stream's owner answers about media that is sent to it. */
export type PutAnswers = {
  /**
   * What was received or persisted; JSON.
   *
   * @returns  false when it was left out: too many wait for a sender that does not read
   */
  event(event: unknown): boolean;
  /** Everything is durable: the last call, as is `failed`. */
  done(result: unknown): void;
  failed(error: AppError): void;
};

/** What a stream's owner does with media that is sent to it. Calls do not throw: what goes wrong is told by `failed`. */
export type IncomingPut = {
  /** @param bytes  borrowed until return @returns  when more may come; undefined for at once */
  bytes(bytes: Uint8Array): Promise<void> | undefined;
  end(options: { readonly isCut: boolean }): void;
  /** The sender is gone; nobody hears answers any more. */
  lost(): void;
};

export type LaneHandlers = {
  /** By method; what they return must be JSON. An `AppError` reaches the asker with code, message and hint. */
  readonly requests: Readonly<Record<string, (params: unknown) => unknown>>;
  /** What is true now, for a new watcher. Absent: this role has nothing to watch. */
  readonly snapshot?: () => LaneSnapshot;
  /** Opens a lane; returns how the subscriber leaves. @throws AppError not_found  no such stream: the lane is closed */
  /** Begins to take media in. @throws AppError  the head is refused */
  readonly put?: (head: unknown, answers: PutAnswers) => IncomingPut;
  readonly subscribe?: (streamId: string, lane: OutgoingLane) => () => void;
};
