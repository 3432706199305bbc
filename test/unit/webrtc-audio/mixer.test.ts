import { expect, test } from 'vitest';
import { Mixer, type SoundPacket, type Voice } from '../../../gateway/webrtc/audio/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const stepBytes = 3_840;

function step(value: number, presentationTimeUs = 0): SoundPacket {
  const samples = new Int16Array(stepBytes / 2).fill(value);
  return { presentationTimeUs, durationUs: 20_000, bytes: new Uint8Array(samples.buffer) };
}

function mixer() {
  const clock = new SimulatedClock();
  const mix = new Mixer({ clock });
  mix.start();
  const heardBy = (options: { without?: Voice; timesOf?: Voice } = {}) => {
    const heard: SoundPacket[] = [];
    const stop = mix.listen({ ...options, onStep: (packet) => heard.push(packet) });
    return { heard, stop, levels: () => heard.map(level) };
  };
  const talk = (voice: Voice, value: number, steps: number, fromUs = 0) => {
    for (let i = 0; i < steps; i++) voice.push(step(value, fromUs + i * 20_000));
  };
  return { clock, mix, heardBy, talk };
}

function level({ bytes }: SoundPacket): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getInt16(0, true);
}

test('who listens hears the sum of all but itself', async () => {
  const { clock, mix, heardBy, talk } = mixer();
  const [first, second, third] = [mix.addVoice(), mix.addVoice(), mix.addVoice()];
  const all = heardBy();
  const others = heardBy({ without: second });
  talk(first, 100, 3);
  talk(second, 20, 3);
  talk(third, 3, 3);

  await clock.advance(60);

  expect(all.levels()).toEqual([123, 123, 123]);
  expect(others.levels()).toEqual([103, 103, 103]);
});

test('who is silent is silence, and the mix goes on', async () => {
  const { clock, mix, heardBy, talk } = mixer();
  const [first, second] = [mix.addVoice(), mix.addVoice()];
  const all = heardBy();
  talk(first, 100, 5);
  talk(second, 20, 3);

  await clock.advance(120);

  expect(all.levels()).toEqual([120, 120, 120, 100, 100, 0]);
});

test('loud voices are clipped, not turned around', async () => {
  const { clock, mix, heardBy, talk } = mixer();
  const [first, second] = [mix.addVoice(), mix.addVoice()];
  const all = heardBy();
  talk(first, 30_000, 6);
  talk(second, 30_000, 3);
  await clock.advance(60);
  talk(second, -30_000, 3);
  talk(first, -30_000, 6);

  await clock.advance(60);

  expect(all.levels().slice(0, 3)).toEqual([32_767, 32_767, 32_767]);
  expect(Math.min(...all.levels())).toBeGreaterThanOrEqual(-32_768);
});

test('who begins to talk is heard when three steps are there', async () => {
  const { clock, mix, heardBy, talk } = mixer();
  const voice = mix.addVoice();
  const all = heardBy();

  talk(voice, 5, 2);
  await clock.advance(40);
  talk(voice, 5, 1);
  await clock.advance(40);

  expect(all.levels()).toEqual([0, 0, 5, 5]);
});

test('who talks faster than the clock loses the oldest, and stays close to the present', async () => {
  const { clock, mix, heardBy, talk } = mixer();
  const voice = mix.addVoice();
  const all = heardBy({ timesOf: voice });

  talk(voice, 5, 100);
  await clock.advance(20);

  expect(voice.dropped).toBeGreaterThan(85);
  expect(all.heard[0]?.presentationTimeUs).toBeGreaterThanOrEqual(89 * 20_000);
});

test('times are those of the one asked for, and go on while it is silent', async () => {
  const { clock, mix, heardBy, talk } = mixer();
  const [reference, other] = [mix.addVoice(), mix.addVoice()];
  const recorded = heardBy({ timesOf: reference });
  talk(reference, 1, 3, 1_000_000);
  talk(other, 2, 8, 500);
  await clock.advance(100);
  talk(reference, 1, 3, 2_000_000);

  await clock.advance(40);

  expect(recorded.heard.map(({ presentationTimeUs }) => presentationTimeUs)).toEqual([
    1_000_000, 1_020_000, 1_040_000, 1_060_000, 1_080_000, 2_000_000, 2_020_000,
  ]);
});

test('a process that was held up makes up for it, but not for more than the voices kept', async () => {
  const clock = new SimulatedClock();
  let held: (() => void) | undefined;
  const mix = new Mixer({
    clock: {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      after: (ms, callback) => clock.after(ms, callback),
      every: (_periodMs, callback) => {
        held = callback;
        return () => {};
      },
    },
  });
  mix.start();
  const heard: SoundPacket[] = [];
  mix.listen({ onStep: (packet) => heard.push(packet) });

  await clock.advance(100);
  held?.();
  const afterShort = heard.length;
  await clock.advance(10_000);
  held?.();

  expect(afterShort).toBe(5);
  expect(heard.length).toBe(15);
});

test('nobody hears who left, and who left hears nobody', async () => {
  const { clock, mix, heardBy, talk } = mixer();
  const [first, second] = [mix.addVoice(), mix.addVoice()];
  const all = heardBy();
  const gone = heardBy();
  talk(first, 1, 5);
  talk(second, 2, 5);
  await clock.advance(20);

  second.remove();
  gone.stop();
  await clock.advance(20);

  expect(all.levels()).toEqual([3, 1]);
  expect(gone.levels()).toEqual([3]);
});

test('nothing ticks after the end', async () => {
  const { clock, mix, heardBy } = mixer();
  const all = heardBy();

  mix.close();
  mix.close();
  await clock.advance(100);

  expect(all.heard).toEqual([]);
});
