/** Sound whose place can be found again: short tones, one each half a second, made and heard with ffmpeg itself. */

import { spawnSync } from 'node:child_process';
import { AdtsReader } from '../../../gateway/webrtc/audio/adts-reader.ts';
import { recordedAacTrack, type SoundPacket } from '../../../gateway/webrtc/audio/index.ts';
import { MatroskaInput } from '../../../gateway/webrtc/audio/matroska-input.ts';
import { OggReader } from '../../../gateway/webrtc/audio/ogg-reader.ts';
import { opusTrack } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';

const hz = 48_000;
const tonePeriodMs = 500;
const pcmArguments = ['-f', 's16le', '-ar', String(hz), '-ac', '2'];

/** 48 kHz, two channels, 16 bit: a tone of 10 ms at the beginning of each half second. */
export function tones(durationMs: number): Uint8Array {
  const samples = new Int16Array((2 * hz * durationMs) / 1_000);
  for (let i = 0; i < samples.length; i++) {
    const second = Math.floor(i / 2) / hz;
    const isTone = (second * 1_000) % tonePeriodMs < 10;
    samples[i] = isTone ? Math.round(20_000 * Math.sin(2 * Math.PI * 1_000 * second)) : 0;
  }
  return new Uint8Array(samples.buffer);
}

/** Where tones begin, milliseconds. */
export function onsets(pcm: Uint8Array): number[] {
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const found: number[] = [];
  let quiet = hz;
  for (let i = 0; i < Math.floor(pcm.length / 4); i++) {
    const isLoud = Math.abs(view.getInt16(i * 4, true)) > 4_000;
    if (isLoud && quiet > hz / 10) found.push((i * 1_000) / hz);
    quiet = isLoud ? 0 : quiet + 1;
  }
  return found;
}

export function pcmSteps(pcm: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.floor(pcm.length / 3_840) }, (_, i) => pcm.slice(i * 3_840, (i + 1) * 3_840));
}

/** AAC-LC of the whole, whose first frame is the encoder's own. */
export function aacFrames(pcm: Uint8Array, { frequencyHz = hz, channels = 2 } = {}): Uint8Array[] {
  const form = ['-ar', String(frequencyHz), '-ac', String(channels), '-c:a', 'aac', '-f', 'adts', 'pipe:1'];
  return new AdtsReader().push(ffmpeg([...pcmArguments, '-i', 'pipe:0', ...form], pcm));
}

/** Packets of 20 ms; the first of them begins with the encoder's look-ahead of 6.5 ms. */
export function opusPackets(pcm: Uint8Array): Uint8Array[] {
  const ogg = ffmpeg([...pcmArguments, '-i', 'pipe:0', '-c:a', 'libopus', '-f', 'ogg', 'pipe:1'], pcm);
  return new OggReader()
    .push(ogg)
    .flatMap(({ packets }) => packets)
    .slice(2);
}

/** What is heard of packets that follow each other: PCM. */
export function heardOpus(packets: readonly SoundPacket[]): Uint8Array {
  return heard(packets, opusTrack(2, { channels: 2 }));
}

/** As `heardOpus`. */
export function heardAac(packets: readonly SoundPacket[]): Uint8Array {
  return heard(packets, recordedAacTrack(2));
}

function heard(packets: readonly SoundPacket[], track: Track): Uint8Array {
  const input = new MatroskaInput(track);
  const matroska = Buffer.concat([input.head(), ...packets.map(({ bytes }) => input.block(bytes).block)]);
  return ffmpeg(['-f', 'matroska', '-i', 'pipe:0', ...pcmArguments, 'pipe:1'], matroska);
}

function ffmpeg(args: readonly string[], input: Uint8Array): Uint8Array {
  const { status, stdout, stderr } = spawnSync('ffmpeg', ['-v', 'error', ...args], {
    input,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`ffmpeg: ${stderr.toString()}`);
  return new Uint8Array(stdout);
}
