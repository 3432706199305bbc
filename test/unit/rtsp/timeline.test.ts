import { expect, test } from 'vitest';
import { ProducerClock } from '../../../gateway/rtsp/media/producer-clock.ts';
import { MediaTimeline } from '../../../gateway/rtsp/media/timeline.ts';

const video = { clockRateHz: 90_000, kind: 'video', rtpInfoTime: undefined } as const;
const audio = { clockRateHz: 8_000, kind: 'audio', rtpInfoTime: undefined } as const;
const ntpMs = Date.UTC(2026, 0, 1);

function open(tracks: ConstructorParameters<typeof MediaTimeline>[0] = [video, audio]) {
  let contradictions = 0;
  const timeline = new MediaTimeline(tracks, () => {
    contradictions++;
  });
  return { timeline, contradictions: () => contradictions };
}

test('the first packet lies at 0 and the clock goes on across its wrap', () => {
  const { timeline } = open();

  const times = [0xffffffff - 3_599, 0, 3_600, 7_200].map((time, index) => timeline.place(0, time, 0, 40 * index));

  expect(times).toEqual([0, 40_000, 80_000, 120_000]);
});

test('times of reordered pictures step back within bounds', () => {
  const { timeline } = open();

  const times = [0, 10_800, 3_600, 7_200].map((time, index) => timeline.place(0, time, 0, 40 * index));

  expect(times).toEqual([0, 120_000, 40_000, 80_000]);
});

test.each([
  ['forward', 11 * 90_000, 40],
  ['backward', -4 * 90_000, 40],
])('a jump %s is told and not bridged', (_name, step, elapsedMs) => {
  const { timeline } = open();
  timeline.place(0, 500_000, 0, 0);

  const jumped = timeline.place(0, 500_000 + step, 0, elapsedMs);
  timeline.restart({ jumpedTrack: 0 });

  expect(jumped).toBeNaN();
  expect(timeline.place(0, 500_000 + step, 0, elapsedMs)).toBe(0);
});

test('a stream that paused for as long as its clock says goes on later without a jump', () => {
  const { timeline } = open();
  timeline.place(0, 0, 0, 0);

  expect(timeline.place(0, 30 * 90_000, 0, 30_050)).toBe(30_000_000);
});

test('a burst after a stalled connection is no jump, a media clock that stood still is one', () => {
  const stalled = open().timeline;
  const stopped = open().timeline;
  stalled.place(0, 0, 0, 0);
  stopped.place(0, 0, 0, 0);

  const burst = Array.from({ length: 300 }, (_, i) => stalled.place(0, 3_600 * (i + 1), 0, 12_000 + i));
  const late = Array.from({ length: 300 }, (_, i) => stopped.place(0, 3_600 * (i + 1), 0, 12_000 + 40 * i));

  expect(burst.some(Number.isNaN)).toBe(false);
  expect(late.findIndex(Number.isNaN)).toBe(251);
});

test('equal video times are told apart, sound never runs backwards', () => {
  const { timeline } = open();

  const pictures = [0, 3_600, 3_600].map((time, i) => timeline.place(0, time, 0, 40 * i));
  const sounds = [0, 160, 150, 320].map((time, i) => timeline.place(1, time, 0, 20 * i));

  expect(pictures).toEqual([0, 40_000, 41_000]);
  expect(sounds).toEqual([0, 20_000, 20_001, 40_000]);
});

test('tracks are put beside each other by sender reports of both, else RTP-Info, else arrival', () => {
  const byReports = open().timeline;
  byReports.senderReport(0, ntpMs, 1_000);
  byReports.senderReport(1, ntpMs + 500, 70_000);
  const byInfo = open([
    { ...video, rtpInfoTime: 1_000 },
    { ...audio, rtpInfoTime: 66_000 },
  ]).timeline;
  const byArrival = open([
    { ...video, rtpInfoTime: 0xf0000000 },
    { ...audio, rtpInfoTime: 66_000 },
  ]).timeline;

  const places = [byReports, byInfo, byArrival].map((timeline) => {
    timeline.place(0, 1_000, 0, 100);
    return timeline.place(1, 70_000, 0, 220);
  });

  expect(places).toEqual([500_000, 500_000, 120_000]);
});

test('later reports move the sound slowly: 1 % of the time, 10 % above a tenth of a second', () => {
  const { timeline } = open();
  timeline.place(0, 0, 0, 0);
  timeline.place(1, 0, 0, 0);
  timeline.senderReport(0, ntpMs, 0);
  timeline.senderReport(1, ntpMs + 300, 0);

  const atSecond = (second: number) => timeline.place(1, 8_000 * second, 0, 1_000 * second);
  const places = Array.from({ length: 15 }, (_, i) => atSecond(i + 1) - (i + 1) * 1_000_000);

  expect(places.slice(0, 3).map(Math.round)).toEqual([100_000, 200_000, 210_000]);
  expect(places.at(-1)).toBe(300_000);
});

test('reports that put tracks hours apart are not believed', () => {
  const { timeline, contradictions } = open();
  timeline.place(0, 0, 0, 0);
  timeline.place(1, 0, 0, 0);

  timeline.senderReport(0, ntpMs, 0);
  timeline.senderReport(1, ntpMs + 3_600_000, 0);

  expect(contradictions()).toBe(1);
  expect(timeline.place(1, 8_000, 0, 1_000)).toBe(1_000_000);
});

test('producer times follow the last report; a camera without a clock has none but still aligns', () => {
  const { timeline } = open();
  timeline.place(0, 0, 0, 0);
  timeline.senderReport(0, -2_208_988_800_000 + 60_000, 0);
  const unset = timeline.producerMs(0, 0);
  timeline.senderReport(0, ntpMs, 9_000);
  timeline.place(0, 90_000, 0, 1_000);

  expect(unset).toBeUndefined();
  expect(timeline.producerMs(0, 0)).toBe(ntpMs + 900);
});

test('another source of the same track goes on by arrival', () => {
  const { timeline } = open();
  timeline.place(0, 1_000, 0, 0);
  timeline.place(0, 4_600, 0, 40);

  timeline.continueTrack(0);

  expect(timeline.place(0, 77_777_777, 0, 100)).toBe(100_000);
  expect(timeline.place(0, 77_781_377, 0, 140)).toBe(140_000);
});

test('offset and drift of a camera come from its reports, a set clock starts anew', () => {
  const clock = new ProducerClock();
  const report = (second: number, aheadMs: number) =>
    clock.report(ntpMs + second * 1000 + aheadMs, ntpMs + second * 1000, second * 1000);

  const early = report(0, 250);
  let last = early;
  for (let second = 5; second <= 120; second += 5) last = report(second, 250 + second * 0.05);
  const afterStep = report(125, 60_000);

  expect(early).toEqual({ offsetMs: 250, driftPpm: undefined });
  expect(last?.driftPpm).toBeCloseTo(50, 3);
  expect(afterStep).toEqual({ offsetMs: 60_000, driftPpm: undefined });
  expect(clock.report(0, ntpMs, 0)).toBeUndefined();
});
