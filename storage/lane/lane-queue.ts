/**
 * What waits for one subscriber: unit frames and the lane's own messages, in order and bounded. A full queue drops whole GOPs
 * by the policy that its subscriber named, and says how many units went. Pure: the peer takes frames out when its socket has room.
 */

import { limits } from '../model/limits.ts';
import { controlFrame, type LaneUnit, unitFrame, unitFrameBytes } from './frames.ts';
import type { LaneOverflow } from './messages.ts';

/** Bytes of all lanes of a process: a lane that finds it used up overflows although its own bound is not reached. */
export class LaneBudget {
  readonly #bytesMax: number;
  #used = 0;

  constructor(bytesMax: number = limits.lanesBytesMax) {
    this.#bytesMax = bytesMax;
  }

  get used(): number {
    return this.#used;
  }

  hasRoom(bytes: number): boolean {
    return this.#used + bytes <= this.#bytesMax;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/** `units`: 1 for a unit, the count for a message that tells dropped ones, 0 for what must never be dropped. */
type Entry = { readonly frame: Uint8Array; readonly units: number; readonly isUnit: boolean };

export class LaneQueue {
  readonly #laneId: number;
  readonly #budget: LaneBudget;
  readonly #onOverflow: LaneOverflow;
  readonly #bytesMax: number;
  readonly #entries: Entry[] = [];
  #queuedBytes = 0;
  /** The socket had no room for all of it: what is queued is late. */
  #isBehind = false;
  #waitsForKey = true;
  #isAfterDrop = false;
  /** A session without video has no key frames to wait for. */
  #videoTrack: number | undefined;
  #droppedUntold = 0;
  #droppedUnits = 0;

  constructor(budget: LaneBudget, options: { laneId: number; onOverflow: LaneOverflow; bytesMax: number }) {
    this.#laneId = options.laneId;
    this.#budget = budget;
    this.#onOverflow = options.onOverflow;
    this.#bytesMax = Math.min(options.bytesMax, limits.laneBytesMax);
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get droppedUnits(): number {
    return this.#droppedUnits;
  }

  /**
   * A session begins: nothing is delivered before a key frame of its video, if it has any.
   *
   * @param options.isContinued  the subscriber has the key frame already, out of the journal
   */
  session(options: { readonly videoTrack: number | undefined; readonly isContinued: boolean }): void {
    this.#videoTrack = options.videoTrack;
    this.#waitsForKey = options.videoTrack !== undefined && !options.isContinued;
    this.#isAfterDrop = false;
  }

  /** Queues one of the lane's own messages. It is never dropped: a session has a handful of them. */
  message(frame: Uint8Array): void {
    this.#add({ frame, units: 0, isUnit: false });
  }

  /** Copies the unit into the queue, or drops it by the lane's policy. */
  unit(unit: LaneUnit): void {
    const isStart = unit.isKey && (this.#videoTrack === undefined || unit.trackNumber === this.#videoTrack);
    if (isStart && this.#isBehind && this.#onOverflow === 'newest-wins') this.#dropQueued();
    if (this.#waitsForKey && !isStart) {
      // Before the first key frame nothing was promised; after a drop everything up to the next one is missing.
      if (this.#isAfterDrop) this.#countDropped(1);
      return;
    }
    const bytes = unitFrameBytes(unit.bytes.length);
    if (!this.#hasRoom(bytes)) {
      this.#dropQueued();
      if (!isStart || !this.#hasRoom(bytes)) {
        this.#countDropped(1);
        this.#isAfterDrop = true;
        this.#waitsForKey = this.#videoTrack !== undefined;
        return;
      }
    }
    this.#waitsForKey = false;
    this.#tellDropped();
    this.#add({
      frame: unitFrame(this.#laneId, this.#isAfterDrop ? { ...unit, isAfterLoss: true } : unit),
      units: 1,
      isUnit: true,
    });
    this.#isAfterDrop = false;
  }

  /** The next frame to send, or undefined when nothing waits. */
  take(): Uint8Array | undefined {
    const entry = this.#entries.shift();
    if (entry === undefined) return undefined;
    this.#queuedBytes -= entry.frame.length;
    this.#budget.give(entry.frame.length);
    return entry.frame;
  }

  /** The peer sent what its socket took: what is left waits for a slow reader. */
  flushed(): void {
    this.#isBehind = this.#entries.length > 0;
  }

  /** Gives everything queued back. */
  clear(): void {
    while (this.take() !== undefined);
  }

  #hasRoom(bytes: number): boolean {
    return this.#queuedBytes + bytes <= this.#bytesMax && this.#budget.hasRoom(bytes);
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    this.#queuedBytes += entry.frame.length;
    this.#budget.take(entry.frame.length);
  }

  #dropQueued(): void {
    const kept = this.#entries.filter((entry) => entry.units === 0);
    if (kept.length === this.#entries.length) return;
    for (const entry of this.#entries) {
      this.#droppedUntold += entry.units;
      if (entry.isUnit) this.#droppedUnits++;
    }
    this.clear();
    for (const entry of kept) this.#add(entry);
    this.#isAfterDrop = true;
  }

  #countDropped(units: number): void {
    this.#droppedUntold += units;
    this.#droppedUnits += units;
  }

  #tellDropped(): void {
    if (this.#droppedUntold === 0) return;
    const units = this.#droppedUntold;
    this.#droppedUntold = 0;
    this.#add({ frame: controlFrame({ type: 'dropped', laneId: this.#laneId, units }), units, isUnit: false });
  }
}
