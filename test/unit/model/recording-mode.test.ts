import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordingMode, ScheduleSpan, WeeklySchedule } from '../../../storage/model/camera.ts';
import { recordingModeAt } from '../../../storage/model/recording-mode.ts';
import { scheduleShape } from '../../../storage/model/recording-shape.ts';

const at = (text: string) => Date.parse(text);
const span = (weekday: number, beginMinute: number, endMinute: number, mode: RecordingMode = 'continuous') =>
  ({ weekday, beginMinute, endMinute, mode }) as ScheduleSpan;
const policy = (timeZone: string, ...spans: ScheduleSpan[]) => ({
  mode: 'live' as const,
  schedule: { timeZone, spans },
});
const answer = (mode: RecordingMode, until: string) => ({ mode, untilMs: at(until) });

describe('the recording mode', () => {
  it('is the policy own one for ever without a schedule', () => {
    expect(recordingModeAt({ mode: 'events' }, 5)).toEqual({ mode: 'events', untilMs: Number.POSITIVE_INFINITY });
    expect(recordingModeAt(policy('UTC'), 5).mode).toBe('live');
  });

  it('is that of the span it lies in, up to its end', () => {
    const monday = policy('Europe/Berlin', span(1, 8 * 60, 18 * 60));

    expect(recordingModeAt(monday, at('2026-11-23T06:59:59.999Z'))).toEqual(answer('live', '2026-11-23T07:00Z'));
    expect(recordingModeAt(monday, at('2026-11-23T07:00Z'))).toEqual(answer('continuous', '2026-11-23T17:00Z'));
    expect(recordingModeAt(monday, at('2026-11-23T17:00Z'))).toEqual(answer('live', '2026-11-30T07:00Z'));
  });

  it('goes on over midnight when the next day goes on with the same mode', () => {
    const night = policy('Asia/Kathmandu', span(7, 22 * 60, 1_440), span(1, 0, 6 * 60));

    // Kathmandu is 5 h 45 min ahead.
    expect(recordingModeAt(night, at('2026-11-22T16:20Z'))).toEqual(answer('continuous', '2026-11-23T00:15Z'));
  });

  it('holds for two hours in an hour that the clock repeats, and not at all in one that it skips', () => {
    const early = policy('Europe/Berlin', span(7, 2 * 60, 3 * 60));

    // 25 October 2026: 2:00 to 3:00 local happens at 0:00Z and again at 1:00Z.
    expect(recordingModeAt(early, at('2026-10-25T00:00Z'))).toEqual(answer('continuous', '2026-10-25T02:00Z'));
    // 29 March 2026: 1:59:59 is followed by 3:00:00.
    expect(recordingModeAt(early, at('2026-03-29T00:30Z'))).toEqual(answer('live', '2026-04-05T00:00Z'));
  });

  it('changes at the step itself when a span reaches into a skipped or repeated hour', () => {
    const spring = policy('Europe/Berlin', span(7, 60, 150));
    const autumn = policy('Europe/Berlin', span(7, 150, 240));

    expect(recordingModeAt(spring, at('2026-03-29T00:30Z'))).toEqual(answer('continuous', '2026-03-29T01:00Z'));
    // 2:30 summer time to the step back to 2:00, then again from 2:30 winter time.
    expect(recordingModeAt(autumn, at('2026-10-25T00:40Z'))).toEqual(answer('continuous', '2026-10-25T01:00Z'));
    expect(recordingModeAt(autumn, at('2026-10-25T01:00Z'))).toEqual(answer('live', '2026-10-25T01:30Z'));
    expect(recordingModeAt(autumn, at('2026-10-25T01:30Z'))).toEqual(answer('continuous', '2026-10-25T03:00Z'));
  });

  it('knows zones whose clocks move by half an hour, and dates before 1970', () => {
    const island = policy('Australia/Lord_Howe', span(7, 90, 150));

    // 4 October 2026: 2:00 is followed by 2:30.
    expect(recordingModeAt(island, at('2026-10-03T15:00Z'))).toEqual(answer('continuous', '2026-10-03T15:30Z'));
    expect(recordingModeAt(policy('UTC', span(3, 60, 120)), at('1969-12-31T01:30Z'))).toEqual(
      answer('continuous', '1969-12-31T02:00Z'),
    );
  });

  it('stays until then and changes then, whatever the schedule', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/St_Johns',
      'Australia/Lord_Howe',
      'Pacific/Apia',
      'Africa/Casablanca',
    ];
    const anySpan = fc.tuple(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 0, max: 95 }),
      fc.integer({ min: 1, max: 96 }),
      fc.constantFrom<RecordingMode>('continuous', 'events', 'live'),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.array(anySpan, { maxLength: 6 }),
        fc.integer({ min: at('2026-01-01T00:00Z'), max: at('2027-12-31T00:00Z') }),
        fc.float({ min: 0, max: 1, noNaN: true }),
        (timeZone, raw, atMs, share) => {
          const spans = raw.flatMap(([day, begin, end, mode]) =>
            begin < end ? [span(day, begin * 15, end * 15, mode)] : [],
          );
          const any = policy(timeZone, ...spans);
          const { mode, untilMs } = recordingModeAt(any, atMs);
          expect(untilMs).toBeGreaterThan(atMs);
          if (!Number.isFinite(untilMs)) return;
          expect(recordingModeAt(any, Math.floor(atMs + share * (untilMs - 1 - atMs))).mode).toBe(mode);
          if (untilMs < atMs + 15 * 86_400_000) expect(recordingModeAt(any, untilMs).mode).not.toBe(mode);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a schedule from outside', () => {
  const schedule = (...spans: ScheduleSpan[]): WeeklySchedule => ({ timeZone: 'Europe/Berlin', spans });

  it('is taken when its spans do not overlap', () => {
    const whole = schedule(span(1, 0, 480), span(1, 480, 1_440), span(2, 0, 1_440));
    expect(scheduleShape.parse(whole)).toEqual(whole);
  });

  it('is refused with overlaps, spans that end before they begin, and zones that nobody knows', () => {
    expect(scheduleShape.safeParse(schedule(span(1, 0, 481), span(1, 480, 600))).success).toBe(false);
    expect(scheduleShape.safeParse(schedule(span(1, 600, 600))).success).toBe(false);
    expect(scheduleShape.safeParse({ timeZone: 'Mars/Olympus', spans: [] }).success).toBe(false);
    expect(scheduleShape.safeParse(schedule(span(8, 0, 60))).success).toBe(false);
  });
});
