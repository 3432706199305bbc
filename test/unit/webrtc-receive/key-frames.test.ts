import { expect, test } from 'vitest';
import { KeyFrames } from '../../../gateway/webrtc/receive/key-frames.ts';
import { receiveLimits } from '../../../gateway/webrtc/receive/limits.ts';
import { formatNack } from '../../../gateway/webrtc/receive/rtp-inlet.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

function started() {
  const clock = new SimulatedClock();
  const asked: number[] = [];
  const keyFrames = new KeyFrames({ clock, ask: () => asked.push(clock.monotonicMs()) });
  keyFrames.start();
  return { clock, asked, keyFrames };
}

test('a key frame is asked for at the beginning, again while none comes, and then less often', async () => {
  const { clock, asked } = started();

  await clock.advance(60_000);

  const steps = asked.slice(1).map((ms, i) => ms - (asked[i] ?? 0));
  expect(asked[0]).toBeLessThanOrEqual(receiveLimits.keyFrameLookMs);
  expect(steps.slice(0, 2)).toEqual([1_000, 2_000]);
  expect(Math.max(...steps)).toBe(receiveLimits.keyFrameRetryMsMax);
});

test('one is asked for when the last one is old, and never of an encoder that makes them by itself', async () => {
  const { clock, asked, keyFrames } = started();
  await clock.advance(300);
  asked.length = 0;

  for (let i = 0; i < 5; i++) {
    keyFrames.came();
    await clock.advance(2_000);
  }
  expect(asked).toEqual([]);
  keyFrames.came();
  await clock.advance(receiveLimits.keyFrameAgeMs + 500);

  expect(asked).toHaveLength(1);
});

test('one is asked for after a loss at once, and not for each of a hundred losses', async () => {
  const { clock, asked, keyFrames } = started();
  await clock.advance(300);
  keyFrames.came();
  await clock.advance(2_000);
  asked.length = 0;

  for (let i = 0; i < 100; i++) keyFrames.want();

  expect(asked).toEqual([clock.monotonicMs()]);
});

test('a NACK names each missing packet once', () => {
  const named = (sequence: number, packets: number) => {
    const bytes = Buffer.from(formatNack({ ourSource: 1, source: 2, sequence, packets }));
    expect(bytes.readUInt16BE(2)).toBe(bytes.length / 4 - 1);
    const found: number[] = [];
    for (let at = 12; at < bytes.length; at += 4) {
      found.push(bytes.readUInt16BE(at));
      for (let bit = 0; bit < 16; bit++) {
        if ((bytes.readUInt16BE(at + 2) & (1 << bit)) !== 0) found.push((bytes.readUInt16BE(at) + bit + 1) & 0xffff);
      }
    }
    return found;
  };

  for (const packets of [1, 2, 17, 18, 40]) {
    expect(named(65_530, packets)).toEqual(Array.from({ length: packets }, (_, i) => (65_530 + i) & 0xffff));
  }
});
