/**
 * The live fan-out of one stream, synchronous: the recorder first, then the lanes. A lane that throws is cut off and reported;
 * a recorder that throws is the stream's own mistake and goes on to its owner, after the lanes had the unit.
 */

import type { Log } from '../../storage/base/log.ts';
import type { LaneJoin, LaneUnit, OutgoingLane } from '../../storage/lane/index.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { RunEndReason } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';

/** What the hub needs of a recorder. */
export type HubRecorder = {
  session(tracks: readonly Track[], endOfLast: RunEndReason): void;
  unit(unit: AccessUnit): void;
  sessionEnded(reason: RunEndReason): void;
  serverTimestampMs(unit: AccessUnit): number;
  join(): { readonly from: LaneJoin['from']; readonly held: readonly AccessUnit[] };
};

export class StreamHub {
  readonly #recorder: HubRecorder;
  readonly #log: Log;
  readonly #lanes = new Set<OutgoingLane>();
  #tracks: readonly Track[] = [];

  constructor(dependencies: { readonly recorder: HubRecorder; readonly log: Log }) {
    this.#recorder = dependencies.recorder;
    this.#log = dependencies.log;
  }

  /** The session's tracks; none between sessions. */
  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  get lanes(): number {
    return this.#lanes.size;
  }

  session(tracks: readonly Track[], endOfLast: RunEndReason): void {
    this.#tracks = tracks;
    try {
      this.#recorder.session(tracks, endOfLast);
    } finally {
      this.#toLanes((lane) => lane.session(tracks));
    }
  }

  /** @param unit  borrowed until return */
  unit(unit: AccessUnit): void {
    try {
      this.#recorder.unit(unit);
    } finally {
      if (this.#lanes.size > 0) {
        const stamped = this.#stamped(unit);
        this.#toLanes((lane) => lane.unit(stamped));
      }
    }
  }

  sessionEnded(reason: RunEndReason): void {
    if (this.#tracks.length === 0) return;
    this.#tracks = [];
    try {
      this.#recorder.sessionEnded(reason);
    } finally {
      this.#toLanes((lane) => lane.sessionEnded(reason));
    }
  }

  /**
   * Opens a lane: it begins in the open fragment, goes on with the units that wait for the next one, and then live. Nothing is
   * missing or doubled between, since all of it happens in this call.
   *
   * @returns how the lane leaves
   */
  join(lane: OutgoingLane): () => void {
    const { from, held } = this.#recorder.join();
    lane.joined({ tracks: this.#tracks, from });
    for (const unit of held) lane.unit(this.#stamped(unit));
    this.#lanes.add(lane);
    return () => this.#lanes.delete(lane);
  }

  /** The stream is no more. */
  close(reason: string): void {
    this.#toLanes((lane) => lane.closed(reason));
    this.#lanes.clear();
  }

  #stamped(unit: AccessUnit): LaneUnit {
    const { trackNumber, presentationTimeUs, producerTimestampMs, isKey, isAfterLoss, bytes } = unit;
    const serverTimestampMs = this.#recorder.serverTimestampMs(unit);
    return { trackNumber, presentationTimeUs, serverTimestampMs, producerTimestampMs, isKey, isAfterLoss, bytes };
  }

  #toLanes(tell: (lane: OutgoingLane) => void): void {
    for (const lane of this.#lanes) {
      try {
        tell(lane);
      } catch (error) {
        this.#lanes.delete(lane);
        this.#log.error('lane is cut off: it failed', { error });
      }
    }
  }
}
