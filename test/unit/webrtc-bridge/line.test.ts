import { expect, test } from 'vitest';
import { forEachPacket } from '../../../gateway/rtp/index.ts';
import { bridgeLimits } from '../../../gateway/webrtc/bridge/limits.ts';
import { Line } from '../../../gateway/webrtc/bridge/line.ts';
import { RtpSender } from '../../../gateway/webrtc/bridge/sender.ts';
import { StreamTimes } from '../../../gateway/webrtc/bridge/stream-times.ts';
import { u16, u32 } from '../../../storage/base/bytes.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { baseMs, sound, toldFeed, unit, video } from './kit.ts';

/** A line of the feed's first or second track, and what it sent. */
function lineOf(
  { feed, clock }: ReturnType<typeof toldFeed>,
  options: { readonly at?: number; readonly times?: StreamTimes } = {},
) {
  const { at = 0, times = new StreamTimes() } = options;
  const track = feed.tracks[at];
  if (track === undefined) throw new Error('there is no such track');
  const packets: { sequence: number; time: number; ssrc: number }[] = [];
  const reports: { ntpMs: number; time: number }[] = [];
  const pipe = {
    isFull: false,
    send: (burst: Uint8Array) => {
      if (pipe.isFull) return false;
      forEachPacket(burst, (begin) =>
        packets.push({ sequence: u16(burst, begin + 2), time: u32(burst, begin + 4), ssrc: u32(burst, begin + 8) }),
      );
      return true;
    },
    report: (report: Uint8Array) =>
      void reports.push({
        ntpMs: Math.round(u32(report, 8) * 1000 + (u32(report, 12) / 2 ** 32) * 1000 - 2_208_988_800_000),
        time: u32(report, 16),
      }),
  };
  const ended: string[] = [];
  const sender = new RtpSender({ ssrc: 7, firstSequence: 65_534 });
  const line = new Line(
    { clock, log: silentLog, feed, times, pipe, sender, onEnded: (why) => ended.push(why) },
    { track, isLead: at === 0, streamId: 'x' },
  );
  return { line, packets, reports, ended, pipe };
}

/** Milliseconds of RTP time from the first packet of each picture on, pictures told by their time. */
const pictureMs = (packets: readonly { time: number }[]) =>
  [...new Set(packets.map(({ time }) => time))].map((time) => ((time - (packets[0]?.time ?? 0)) >>> 0) / 90);

test('kept pictures come a millisecond apart right before the newest one, and live ones in their own time', async () => {
  const told = toldFeed();
  await told.tell({ kind: 'joined', tracks: [video], from: undefined }, unit(0, { isKey: true }), unit(40), unit(80));
  const { line, packets } = lineOf(told);

  line.begin();
  line.begin();
  await told.tell(unit(120), unit(160));

  expect(pictureMs(packets)).toEqual([0, 1, 2, 42, 82]);
  expect(packets.map(({ sequence }) => sequence)).toEqual([65_534, 65_535, 0, 1, 2, 3, 4]);
  expect(new Set(packets.map(({ ssrc }) => ssrc))).toEqual(new Set([7]));
});

test('two lines share pictures and nothing else: the later one begins with the same key frame', async () => {
  const told = toldFeed();
  await told.tell({ kind: 'joined', tracks: [video], from: undefined }, unit(0, { isKey: true }), unit(40));
  const first = lineOf(told);
  first.line.begin();
  await told.tell(unit(80), unit(120));
  const second = lineOf(told);

  second.line.begin();
  await told.tell(unit(160));

  expect(pictureMs(first.packets)).toEqual([0, 1, 41, 81, 121]);
  expect(pictureMs(second.packets)).toEqual([0, 1, 2, 3, 43]);
});

test('without a kept GOP it waits for the next key frame', async () => {
  const told = toldFeed();
  await told.tell({ kind: 'joined', tracks: [video], from: undefined }, unit(0), unit(40));
  const { line, packets } = lineOf(told);

  line.begin();
  await told.tell(unit(80), unit(120, { isKey: true }), unit(160));

  expect(pictureMs(packets)).toEqual([0, 40]);
});

test('a GOP of too many pictures is not sent at once', async () => {
  const told = toldFeed();
  const pictures = Array.from({ length: bridgeLimits.keptPicturesMax + 1 }, (_, at) =>
    unit(40 * at, { isKey: at === 0 }),
  );
  await told.tell({ kind: 'joined', tracks: [video], from: undefined }, ...pictures);
  const { line, packets } = lineOf(told);

  line.begin();

  expect(packets).toEqual([]);
});

test('what does not go out costs everything up to the next key frame, and numbers tell that something is missing', async () => {
  const told = toldFeed();
  await told.tell({ kind: 'joined', tracks: [video], from: undefined }, unit(0, { isKey: true }));
  const { line, packets, pipe } = lineOf(told);
  line.begin();

  pipe.isFull = true;
  await told.tell(unit(40));
  pipe.isFull = false;
  await told.tell(unit(80), unit(120, { isKey: true }));

  expect(pictureMs(packets)).toEqual([0, 120]);
  expect(packets.map(({ sequence }) => sequence)).toEqual([65_534, 65_535, 0, 2, 3, 4]);
});

test('sound begins live, and its reports tell the same clock as those of the pictures', async () => {
  const told = toldFeed();
  const times = new StreamTimes();
  const sounds = (ms: number) => unit(ms, { trackNumber: 2, bytes: 160 });
  await told.tell(
    { kind: 'joined', tracks: [video, sound], from: undefined },
    unit(0, { isKey: true }),
    sounds(0),
    unit(40),
    sounds(20),
  );
  const pictures = lineOf(told, { times });
  const audio = lineOf(told, { at: 1, times });

  audio.line.begin();
  pictures.line.begin();
  await told.clock.advance(60);
  await told.tell(sounds(40), unit(80));

  expect(audio.packets).toHaveLength(1);
  const [report] = audio.reports;
  expect(report?.ntpMs).toBe(baseMs + 60);
  // The frame of 40 ms is told at 60 ms: 20 ms later by the clock of 8 kHz.
  expect(((report?.time ?? 0) - (audio.packets[0]?.time ?? 0)) >>> 0).toBe(160);
  const [first] = pictures.reports;
  expect(first?.ntpMs).toBe(baseMs);
});

test('another codec ends it', async () => {
  const told = toldFeed();
  await told.tell({ kind: 'joined', tracks: [video], from: undefined }, unit(0, { isKey: true }));
  const { line, ended } = lineOf(told);
  line.begin();

  await told.tell({ kind: 'session', tracks: [{ ...video, codec: 'h265', codecId: 'V_MPEGH/ISO/HEVC' }] });

  expect(ended).toEqual(['the camera sends another codec now']);
});
