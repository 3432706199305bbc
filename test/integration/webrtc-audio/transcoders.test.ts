import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import {
  type AudioDependencies,
  aacToOpus,
  opusToAac,
  opusToPcm,
  pcmToAac,
  pcmToOpus,
  type SoundPacket,
  type Transcoder,
  type TranscoderEvents,
} from '../../../gateway/webrtc/audio/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { aacTrack } from '../../../storage/media/index.ts';
import { commandLineOf, processTree } from '../../kit/processes.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { aacFrames, heardAac, heardOpus, onsets, opusPackets, pcmSteps, tones } from './sound.ts';

const deps: AudioDependencies = { clock: systemClock, log: silentLog, random: () => 0.5, ffmpeg: 'ffmpeg' };
const baseUs = 7_000_000;
const stereo48 = aacTrack(2, Uint8Array.of(0x11, 0x90));
const mono16 = aacTrack(2, Uint8Array.of(0x14, 0x08));

const opened: Transcoder[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

type Made = {
  readonly transcoder: Transcoder;
  readonly packets: SoundPacket[];
  readonly notes: (string | undefined)[];
};

function make(create: (events: TranscoderEvents) => Transcoder): Made {
  const packets: SoundPacket[] = [];
  const notes: (string | undefined)[] = [];
  const transcoder = create({ onPacket: (packet) => packets.push(packet), onNote: (note) => notes.push(note) });
  opened.push(transcoder);
  return { transcoder, packets, notes };
}

/** Fed no faster than it comes out, so that nothing is left out however slow the machine is. */
async function feed({ transcoder, packets }: Made, units: readonly Uint8Array[], unitUs: number): Promise<void> {
  const endUs = () => packets.at(-1)?.presentationTimeUs ?? baseUs;
  for (const [i, bytes] of units.entries()) {
    const presentationTimeUs = baseUs + Math.round(i * unitUs);
    await until('it keeps up', () => presentationTimeUs - endUs() < 500_000);
    transcoder.push({ presentationTimeUs, bytes });
  }
}

/** Tones on the timeline, milliseconds after `baseUs`. */
function tonesOf(packets: readonly SoundPacket[], heard: (packets: readonly SoundPacket[]) => Uint8Array): number[] {
  const beginMs = ((packets[0]?.presentationTimeUs ?? 0) - baseUs) / 1_000;
  return onsets(heard(packets)).map((ms) => ms + beginMs);
}

const heardPcm = (packets: readonly SoundPacket[]) => Buffer.concat(packets.map(({ bytes }) => bytes));

test.each([
  {
    what: 'AAC of 48 kHz to Opus',
    create: (events: TranscoderEvents) => aacToOpus(deps, { track: stereo48, ...events }),
    units: () => aacFrames(tones(3_000)),
    unitUs: 1_024_000 / 48,
    heard: heardOpus,
    lateMs: 21.3,
  },
  {
    what: 'AAC of 16 kHz, one channel, to Opus',
    create: (events: TranscoderEvents) => aacToOpus(deps, { track: mono16, ...events }),
    units: () => aacFrames(tones(3_000), { frequencyHz: 16_000, channels: 1 }),
    unitUs: 64_000,
    heard: heardOpus,
    lateMs: 64,
  },
  {
    what: 'Opus to AAC',
    create: (events: TranscoderEvents) => opusToAac(deps, events),
    units: () => opusPackets(tones(3_000)),
    unitUs: 20_000,
    heard: heardAac,
    lateMs: 6.5,
  },
  {
    what: 'Opus to PCM',
    create: (events: TranscoderEvents) => opusToPcm(deps, events),
    units: () => opusPackets(tones(3_000)),
    unitUs: 20_000,
    heard: heardPcm,
    lateMs: 6.5,
  },
  {
    what: 'PCM to Opus',
    create: (events: TranscoderEvents) => pcmToOpus(deps, events),
    units: () => pcmSteps(tones(3_000)),
    unitUs: 20_000,
    heard: heardOpus,
    lateMs: 0,
  },
  {
    what: 'PCM to AAC',
    create: (events: TranscoderEvents) => pcmToAac(deps, events),
    units: () => pcmSteps(tones(3_000)),
    unitUs: 20_000,
    heard: heardAac,
    lateMs: 0,
  },
])(
  '$what: each tone keeps its time, and packets follow each other',
  async ({ create, units, unitUs, heard, lateMs }) => {
    const made = make(create);

    await feed(made, units(), unitUs);

    const packets = await until('all but the last 300 ms came', () => {
      const last = made.packets.at(-1)?.presentationTimeUs ?? 0;
      return last > baseUs + 2_700_000 && [...made.packets];
    });
    // What the units' own encoder put in front of them is part of them.
    const found = tonesOf(packets, heard).filter((ms) => ms > 400 && ms < 2_600);
    expect(found.map((ms) => Math.round((ms - lateMs) / 5) * 5)).toEqual([500, 1_000, 1_500, 2_000, 2_500]);
    const holesUs = packets.slice(1).map((packet, i) => {
      const before = packets[i];
      return packet.presentationTimeUs - ((before?.presentationTimeUs ?? 0) + (before?.durationUs ?? 0));
    });
    expect(Math.max(...holesUs.map(Math.abs))).toBeLessThanOrEqual(1);
    expect(made.transcoder.dropped).toBe(0);
    expect(made.notes).toEqual([]);
  },
);

test.each([
  {
    what: 'AAC',
    create: (events: TranscoderEvents) => aacToOpus(deps, { track: stereo48, ...events }),
    units: () => aacFrames(tones(4_000)),
    unitUs: 1_024_000 / 48,
    heard: heardOpus,
    lateMs: 21.3,
  },
  {
    what: 'Opus',
    create: (events: TranscoderEvents) => opusToAac(deps, events),
    units: () => opusPackets(tones(4_000)),
    unitUs: 20_000,
    heard: heardAac,
    lateMs: 6.5,
  },
])(
  '$what that cannot be decoded is silence, and what follows keeps its time',
  async ({ create, units, unitUs, heard, lateMs }) => {
    const made = make(create);
    const garbage = units().map((unit, i) => {
      const isBroken = i * unitUs > 1_200_000 && i * unitUs < 1_400_000;
      // A head that promises what does not follow.
      return isBroken ? Uint8Array.from([0xfc, 0xff, ...unit.subarray(0, 5)]) : unit;
    });

    await feed(made, garbage, unitUs);

    const packets = await until('the sound behind it came', () => {
      const last = made.packets.at(-1)?.presentationTimeUs ?? 0;
      return last > baseUs + 3_600_000 && [...made.packets];
    });
    const found = tonesOf(packets, heard).filter((ms) => ms > 1_700 && ms < 3_700);
    expect(found.map((ms) => Math.round((ms - lateMs) / 5) * 5)).toEqual([2_000, 2_500, 3_000, 3_500]);
  },
);

test('a hole in what comes is a hole of the same length in what goes out', async () => {
  const made = make((events) => opusToAac(deps, events));
  const units = opusPackets(tones(3_000));
  const holeUs = 400_000;

  for (const [i, bytes] of units.entries()) {
    const isLate = i >= 50;
    made.transcoder.push({ presentationTimeUs: baseUs + i * 20_000 + (isLate ? holeUs : 0), bytes });
    await until('it keeps up', () => (i + 1) * 20_000 - made.packets.length * 21_333 < 500_000);
  }

  const late = await until('sound behind the hole came', () =>
    made.packets.find(({ presentationTimeUs }) => presentationTimeUs >= baseUs + 1_500_000),
  );
  const times = made.packets.slice(0, made.packets.indexOf(late)).map(({ presentationTimeUs }) => presentationTimeUs);
  const jumps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(jumps.filter((jumpUs) => Math.abs(jumpUs - 21_333 - holeUs) < 25_000)).toHaveLength(1);
});

test('a machine without ffmpeg is told about, and nothing fails', async () => {
  const made = make((events) => pcmToOpus({ ...deps, ffmpeg: '/nowhere/ffmpeg' }, events));

  for (const bytes of pcmSteps(tones(100))) made.transcoder.push({ presentationTimeUs: 0, bytes });

  const note = await until('the note', () => made.transcoder.note);
  expect(note).toContain('install ffmpeg');
});

test('a child that dies is replaced, and sound goes on with its own times', async () => {
  const clock = new SimulatedClock();
  const made = make((events) => pcmToOpus({ ...deps, clock }, events));
  const step = new Uint8Array(3_840);
  const push = (fromUs: number) => {
    for (let i = 0; i < 10; i++) made.transcoder.push({ presentationTimeUs: fromUs + i * 20_000, bytes: step });
  };
  push(0);
  await until('sound', () => made.packets.length > 0);

  process.kill(must(children()[0], 'a child'), 'SIGKILL');
  const note = await until('a note', () => made.transcoder.note);
  push(60_000_000);
  await clock.advance(1_000);
  await until('sound again', () => {
    push(60_000_000);
    return made.packets.some(({ presentationTimeUs }) => presentationTimeUs >= 59_000_000);
  });

  expect(note).toContain('ffmpeg ended');
  expect(made.transcoder.note).toBeUndefined();
});

test('a child that takes nothing costs the oldest sound, not memory, and is given up', async () => {
  const directory = await temporaryDirectory();
  const hangs = join(directory, 'hangs');
  await writeFile(hangs, '#!/bin/sh\nexec sleep 1000\n', { mode: 0o700 });
  const clock = new SimulatedClock();
  const made = make((events) => pcmToOpus({ ...deps, clock, ffmpeg: hangs }, events));
  const step = new Uint8Array(3_840);

  for (let i = 0; i < 1_000; i++) made.transcoder.push({ presentationTimeUs: i * 20_000, bytes: step });
  const dropped = made.transcoder.dropped;
  await clock.advance(10_000);

  // 20 s came: one is with the child and four wait.
  expect(dropped).toBeGreaterThan(700);
  expect(dropped).toBeLessThan(800);
  expect(made.transcoder.note ?? made.notes[0]).toContain('no sound');
});

test('nothing runs before the first unit and nothing after the end', async () => {
  const made = make((events) => pcmToOpus(deps, events));
  expect(children()).toEqual([]);
  made.transcoder.push({ presentationTimeUs: 0, bytes: new Uint8Array(3_840) });
  expect(children()).toHaveLength(1);

  await made.transcoder.close();
  await made.transcoder.close();
  made.transcoder.push({ presentationTimeUs: 0, bytes: new Uint8Array(3_840) });

  expect(children()).toEqual([]);
});

test('a track whose description is broken is refused at once', () => {
  const broken = { ...stereo48, codecPrivate: new Uint8Array(0) };

  expect(() => aacToOpus(deps, { track: broken, onPacket: () => {} })).toThrow();
});

/** Process ids of transcoders: each file of tests has a process of its own. */
function children(): number[] {
  return processTree(process.pid).filter((pid) => commandLineOf(pid).includes('pipe:0'));
}
