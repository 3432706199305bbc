/** From messages to ranges: begin, end, what never ends, and clocks that lie. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventRanges } from '../../../gateway/onvif/events/event-ranges.ts';
import type { EventRange } from '../../../gateway/onvif/events/event-sink.ts';
import type { DeviceEvent } from '../../../gateway/onvif/events/notifications.ts';
import { onvifLimits } from '../../../gateway/onvif/limits.ts';

const startMs = 1_700_000_000_000;

type Line = { readonly what: string; readonly rangeId: string; readonly ms: number; readonly isCertain?: boolean };

function ranges() {
  const lines: Line[] = [];
  let ids = 0;
  const sink = {
    began: ({ rangeId, beginMs }: EventRange) => void lines.push({ what: 'began', rangeId, ms: beginMs }),
    ended: ({ rangeId }: EventRange, { endMs, isCertain }: { endMs: number; isCertain: boolean }) =>
      void lines.push({ what: 'ended', rangeId, ms: endMs, isCertain }),
  };
  const open = new EventRanges(sink, { streamId: 's', cameraId: 'c', newId: () => `r${++ids}` });
  return { lines, open };
}

function motion(change: Partial<DeviceEvent> = {}): DeviceEvent {
  const detail = { topic: 'm' };
  return { kind: 'motion', key: 'm', isActive: true, isInitial: false, deviceMs: undefined, detail, ...change };
}

const at = (afterMs: number, offsetMs: number | undefined = 0) => ({ nowMs: startMs + afterMs, offsetMs });

describe('a range', () => {
  it('begins and ends at the times of the device, put right by its offset', () => {
    const { lines, open } = ranges();
    const offsetMs = -3_600_000;

    open.take(motion({ deviceMs: startMs - 400 + offsetMs }), at(0, offsetMs));
    open.take(motion({ isActive: false, deviceMs: startMs + 2_000 + offsetMs }), at(2_300, offsetMs));

    expect(lines).toEqual([
      { what: 'began', rangeId: 'r1', ms: startMs - 400 },
      { what: 'ended', rangeId: 'r1', ms: startMs + 2_000, isCertain: true },
    ]);
  });

  it('begins on arrival when the time of the device is far off, from the future, or unknown', () => {
    for (const deviceMs of [startMs - 7_200_000, startMs + 9_000, undefined]) {
      const { lines, open } = ranges();
      open.take(motion({ deviceMs }), at(0));
      expect(lines).toEqual([{ what: 'began', rangeId: 'r1', ms: startMs }]);
    }
  });

  it('that goes on when it is first asked for begins a minute back at most', () => {
    const { lines, open } = ranges();

    open.take(motion({ isInitial: true, deviceMs: startMs - 86_400_000 }), at(0));

    expect(lines[0]?.ms).toBe(startMs - onvifLimits.eventBackMsMax);
  });

  it('that is repeated goes on, and ends by itself a stated time after it was heard last', () => {
    const { lines, open } = ranges();
    open.take(motion(), at(0));
    open.take(motion(), at(200_000));

    open.sweep(startMs + onvifLimits.eventOpenMsMax + 1_000);
    expect(lines).toHaveLength(1);
    open.sweep(startMs + 200_000 + onvifLimits.eventOpenMsMax);

    const endMs = startMs + 200_000 + onvifLimits.eventOpenMsMax;
    expect(lines[1]).toEqual({ what: 'ended', rangeId: 'r1', ms: endMs, isCertain: false });
  });

  it('of what has no duration lasts some seconds', () => {
    const { lines, open } = ranges();
    open.take(motion({ kind: 'line', isActive: undefined }), at(0));

    open.sweep(startMs + onvifLimits.eventPulseMs);

    expect(lines[1]).toMatchObject({ what: 'ended', ms: startMs + onvifLimits.eventPulseMs, isCertain: true });
  });

  it('that ends without having begun is none', () => {
    const { lines, open } = ranges();

    open.take(motion({ isActive: false, isInitial: true }), at(0));

    expect(lines).toEqual([]);
  });

  it('of a faulty device that tells too many is dropped and counted', () => {
    const { lines, open } = ranges();

    for (let index = 0; index < 1_000; index++) open.take(motion({ key: `m${index}` }), at(index));

    expect(lines).toHaveLength(onvifLimits.eventsPerMinuteMax);
    expect(open.droppedCount).toBe(1_000 - onvifLimits.eventsPerMinuteMax);
    open.take(motion({ key: 'later' }), at(62_000));
    expect(lines).toHaveLength(onvifLimits.eventsPerMinuteMax + 1);
  });
});

it('whatever comes, ranges of one thing begin and end in turn, and none ends before it began', () => {
  const event = fc.record({
    key: fc.constantFrom('a', 'b'),
    isActive: fc.constantFrom(true, false, undefined),
    isInitial: fc.boolean(),
    waitMs: fc.nat(400_000),
    deviceAgoMs: fc.option(fc.integer({ min: -100_000, max: 200_000 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const { lines, open } = ranges();
      let afterMs = 0;
      for (const { waitMs, deviceAgoMs, ...rest } of events) {
        afterMs += waitMs;
        open.sweep(startMs + afterMs);
        const deviceMs = deviceAgoMs === undefined ? undefined : startMs + afterMs - deviceAgoMs;
        open.take(motion({ ...rest, deviceMs }), at(afterMs));
      }
      open.endAll(startMs + afterMs);
      const beganMs = new Map<string, number>();
      for (const { what, rangeId, ms } of lines) {
        if (what === 'began') beganMs.set(rangeId, ms);
        else expect(ms).toBeGreaterThanOrEqual(beganMs.get(rangeId) ?? Number.POSITIVE_INFINITY);
      }
      expect(lines.filter(({ what }) => what === 'ended')).toHaveLength(beganMs.size);
      expect(open.openCount).toBe(0);
    }),
  );
});
