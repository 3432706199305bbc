/**
 * Turns messages of one device into ranges: begin and end for each thing that lasts, in server time. What never ends by word of
 * the device ends after a while. No clock, no I/O: whoever owns it says what time it is.
 */

import { onvifLimits } from '../limits.ts';
import type { EventRange, EventSink } from './event-sink.ts';
import type { DeviceEvent } from './notifications.ts';

type OpenRange = { readonly range: EventRange; readonly isPulse: boolean; heardMs: number };

export class EventRanges {
  readonly #sink: EventSink;
  readonly #options: { readonly streamId: string; readonly cameraId: string; readonly newId: () => string };
  readonly #open = new Map<string, OpenRange>();
  readonly #beganMs: number[] = [];
  #dropped = 0;

  constructor(
    sink: EventSink,
    options: { readonly streamId: string; readonly cameraId: string; readonly newId: () => string },
  ) {
    this.#sink = sink;
    this.#options = options;
  }

  /** Ranges that go on. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Events that came too many or too fast to be kept. */
  get droppedCount(): number {
    return this.#dropped;
  }

  /**
   * Takes one message.
   *
   * @param at.nowMs     server time of its arrival
   * @param at.offsetMs  the device's clock minus ours; undefined when it is not known
   */
  take(event: DeviceEvent, at: { readonly nowMs: number; readonly offsetMs: number | undefined }): void {
    const heardMs = this.#serverTime(event, at);
    const open = this.#open.get(event.key);
    if (event.isActive === false) {
      if (open !== undefined) this.#end(event.key, open, { endMs: heardMs, isCertain: true });
      return;
    }
    if (open !== undefined) {
      open.heardMs = Math.max(open.heardMs, heardMs);
      return;
    }
    if (!this.#mayBegin(at.nowMs)) {
      this.#dropped++;
      return;
    }
    const { kind, detail } = event;
    const { streamId, cameraId, newId } = this.#options;
    const range = { rangeId: newId(), streamId, cameraId, kind, beginMs: heardMs, detail };
    this.#open.set(event.key, { range, isPulse: event.isActive === undefined, heardMs });
    this.#sink.began(range);
  }

  /** Ends what was not heard of for too long. Call it about once a second. */
  sweep(nowMs: number): void {
    for (const [key, open] of this.#open) {
      const { heardMs, isPulse } = open;
      if (isPulse && nowMs >= heardMs + onvifLimits.eventPulseMs) {
        this.#end(key, open, { endMs: heardMs + onvifLimits.eventPulseMs, isCertain: true });
      } else if (!isPulse && nowMs >= heardMs + onvifLimits.eventOpenMsMax) {
        this.#end(key, open, { endMs: heardMs + onvifLimits.eventOpenMsMax, isCertain: false });
      }
    }
  }

  /** Nobody listens any more: everything ends now. */
  endAll(nowMs: number): void {
    for (const [key, open] of this.#open) this.#end(key, open, { endMs: nowMs, isCertain: false });
  }

  #end(key: string, { range }: OpenRange, end: { readonly endMs: number; readonly isCertain: boolean }): void {
    this.#open.delete(key);
    this.#sink.ended(range, { ...end, endMs: Math.max(end.endMs, range.beginMs) });
  }

  /** The device's time put right by its offset, where that is near the arrival; otherwise the arrival. */
  #serverTime(
    { deviceMs, isInitial }: DeviceEvent,
    { nowMs, offsetMs }: { readonly nowMs: number; readonly offsetMs: number | undefined },
  ): number {
    if (deviceMs === undefined || offsetMs === undefined) return nowMs;
    const toldMs = deviceMs - offsetMs;
    const oldestMs = nowMs - onvifLimits.eventBackMsMax;
    if (toldMs >= oldestMs) return Math.min(toldMs, nowMs);
    // A state of long ago goes on now; a change of long ago is a clock that lies (local time called UTC).
    return isInitial ? oldestMs : nowMs;
  }

  #mayBegin(nowMs: number): boolean {
    if (this.#open.size >= onvifLimits.openEventsMax) return false;
    while ((this.#beganMs[0] ?? nowMs) < nowMs - 60_000) this.#beganMs.shift();
    if (this.#beganMs.length >= onvifLimits.eventsPerMinuteMax) return false;
    this.#beganMs.push(nowMs);
    return true;
  }
}
