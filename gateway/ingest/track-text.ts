/** Tracks in a few words for people. */

import type { Codec, Track } from '../../storage/model/track.ts';

const codecTexts: Readonly<Record<Codec, string>> = {
  h264: 'H.264',
  h265: 'H.265',
  aac: 'AAC',
  opus: 'Opus',
  pcmu: 'G.711 µ-law',
  pcma: 'G.711 A-law',
  other: 'other',
};

/** `H.264 1920x1080`, `AAC 48 kHz 2 channels`. */
export function trackText(track: Track): string {
  const codec = track.codec === 'other' ? track.codecId : codecTexts[track.codec];
  if (track.video !== undefined) return `${codec} ${track.video.widthPixels}x${track.video.heightPixels}`;
  if (track.audio === undefined) return codec;
  const { samplingFrequencyHz, channels } = track.audio;
  return `${codec} ${samplingFrequencyHz / 1_000} kHz ${channels} ${channels === 1 ? 'channel' : 'channels'}`;
}
