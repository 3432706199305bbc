import { expect, test } from 'vitest';
import { Delivery } from '../../../gateway/rtsp/delivery.ts';
import type { ChosenMedia } from '../../../gateway/rtsp/media/formats.ts';
import type { SourceFault, SourceSink } from '../../../gateway/rtsp/source.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { countedRandom, fragments, pps, rtp, senderReport, slice, spropParameterSets, sps } from './packets.ts';

const video = (
  parameters: ReadonlyMap<string, string> = new Map([['sprop-parameter-sets', spropParameterSets]]),
): ChosenMedia => ({
  kind: 'video',
  trackNumber: 1,
  codec: 'h264',
  media: { kind: 'video', protocol: 'RTP/AVP', control: 'track1', formats: [], direction: undefined },
  format: { payloadType: 96, encoding: 'H264', clockRateHz: 90_000, channels: 1, parameters },
});
const audio: ChosenMedia = {
  kind: 'audio',
  trackNumber: 2,
  codec: 'pcma',
  media: { kind: 'audio', protocol: 'RTP/AVP', control: 'track2', formats: [], direction: undefined },
  format: { payloadType: 8, encoding: 'PCMA', clockRateHz: 8_000, channels: 1, parameters: new Map() },
};

/** A clock whose ticks come late when the test says so, as in a process that was stopped. */
class StoppableClock extends SimulatedClock {
  lateMs = 0;
  override monotonicMs(): number {
    return super.monotonicMs() + this.lateMs;
  }
}

function open(medias: readonly ChosenMedia[]) {
  const clock = new StoppableClock();
  const events: string[] = [];
  const faults: SourceFault[] = [];
  const sink: SourceSink = {
    session: (tracks, reason) => events.push(`session ${reason} ${tracks.map(({ codec }) => codec)}`),
    unit: (unit) =>
      events.push(`${unit.trackNumber}@${unit.presentationTimeUs / 1000}${unit.isAfterLoss ? ' after loss' : ''}`),
    loss: ({ trackNumber, packets }) => events.push(`loss ${trackNumber} ${packets}`),
    clock: ({ offsetMs }) => events.push(`clock ${Math.round(offsetMs)}`),
    warning: (text) => events.push(text),
  };
  const delivery = new Delivery(
    { clock, random: countedRandom(), sink, onFault: (fault) => faults.push(fault) },
    { silenceMs: 10_000 },
  );
  for (const media of medias) delivery.add(media, () => {});
  delivery.begin([]);
  let sequence = 0;
  const picture = (index: number, ...nals: readonly Uint8Array[]) => {
    nals.forEach((payload, n) => {
      const packet = rtp({ sequence: sequence++, time: index * 3_600, payload, marker: n === nals.length - 1 });
      delivery.packet(0, packet, 0, packet.length);
    });
  };
  const sound = (index: number) => {
    const packet = rtp({ sequence: index, time: index * 320, payload: new Uint8Array(320), type: 8, source: 9 });
    delivery.packet(1, packet, 0, packet.length);
  };
  return { clock, events, faults, delivery, picture, sound, skip: (packets: number) => (sequence += packets) };
}

test('the session begins with the first picture, sound before it is left out', () => {
  const it = open([video(), audio]);

  it.sound(0);
  it.picture(0, slice({ isKey: true }));
  it.picture(1, slice());
  it.sound(1);

  expect(it.events).toEqual(['session started h264,pcma', '1@0', '2@0']);
});

test('a picture that is never described lets the sound begin after a while and joins later', async () => {
  const it = open([video(new Map()), audio]);

  for (let second = 0; second < 12; second++) {
    it.picture(25 * second, slice());
    it.sound(25 * second);
    await it.clock.advance(1_000);
  }
  it.sound(400);
  it.picture(310, sps, pps, slice({ isKey: true }));
  it.picture(311, slice());

  expect(it.events.filter((event) => !/^(\d@|loss 2)/.test(event))).toEqual([
    'the picture is left out until the camera describes it',
    'session started pcma',
    'session tracks-changed h264,pcma',
  ]);
  expect(it.faults).toEqual([]);
  expect(it.events.slice(-2)).toEqual(['1@0', '1@40']);
});

test('a picture alone that is never described ends with words about parameter sets', async () => {
  const it = open([video(new Map())]);

  for (let second = 0; second < 32; second++) {
    it.picture(25 * second, slice());
    await it.clock.advance(1_000);
  }

  expect(it.faults[0]?.reason).toBe('protocol-error');
  expect(it.faults[0]?.message).toContain('parameter sets');
});

test('silence is told by the video alone, and not when this process itself stood still', async () => {
  const silent = open([video(), audio]);
  const stopped = open([video()]);
  silent.picture(0, slice({ isKey: true }));
  silent.picture(1, slice());
  stopped.picture(0, slice({ isKey: true }));
  stopped.picture(1, slice());

  await stopped.clock.advance(3_000);
  stopped.clock.lateMs = 60_000;
  await stopped.clock.advance(1_000);
  stopped.picture(1_600, slice());
  stopped.picture(1_601, slice());
  await stopped.clock.advance(5_000);
  for (let second = 0; second < 12; second++) {
    silent.sound(25 * second);
    await silent.clock.advance(1_000);
  }

  expect(stopped.faults).toEqual([]);
  expect(silent.faults[0]).toMatchObject({ reason: 'source-silent' });
});

test('loss is told with its count, and the next whole picture says that it comes after one', () => {
  const it = open([video()]);
  it.picture(0, slice({ isKey: true }));
  it.picture(1, slice());

  const [first = new Uint8Array(), , last = new Uint8Array()] = fragments(slice({ bytes: 90 }), 30);
  it.picture(2, first);
  it.skip(3);
  it.picture(2, last);
  it.picture(3, slice());
  it.picture(4, slice());

  // The picture before the gap was marked as whole and still waited for its successor.
  expect(it.events).toEqual(['session started h264', '1@0', '1@40', 'loss 1 3', '1@120 after loss']);
});

test('sender reports of the first track tell the clock, those of a stranger nothing', () => {
  const it = open([video()]);
  it.picture(0, slice({ isKey: true }));
  it.picture(1, slice());
  const ours = senderReport({ ntpMs: it.clock.wallMs() + 1_500, time: 3_600 });
  const other = senderReport({ source: 5, ntpMs: it.clock.wallMs(), time: 3_600 });

  it.delivery.packet(0, other, 0, other.length);
  it.delivery.packet(0, ours, 0, ours.length);

  expect(it.events.filter((event) => event.startsWith('clock'))).toEqual(['clock 1500']);
});

test('a camera that makes thousands of pictures a second is ended, one that catches up after a stall is not', async () => {
  const it = open([video()]);
  it.picture(0, slice({ isKey: true }));
  for (let i = 1; i < 1_500; i++) it.picture(i, slice());
  await it.clock.advance(5_000);
  for (let i = 1_500; i < 3_000; i++) it.picture(i, slice());
  const faultsBefore = it.faults.length;

  for (let i = 3_000; i < 30_000; i++) it.picture(i, slice());

  expect(faultsBefore).toBe(0);
  expect(it.faults.map(({ reason }) => reason)).toEqual(['protocol-error']);
  expect(it.events.filter((event) => event.startsWith('1@')).length).toBeLessThanOrEqual(11_500);
});
