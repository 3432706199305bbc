/**
 * The tracks of a clip: what came from several runs in one MP4 track where one decoder can go on, otherwise in tracks of their
 * own. Sound in G.711 becomes uncompressed FLAC, whose length is known before the sound is read. Pure.
 */

import {
  type Fmp4Sample,
  flacTrack,
  fmp4Timescale,
  g711FlacBytes,
  g711ToFlac,
  joinNals,
  parameterSetsOf,
  parseWaveFormat,
} from '../../../storage/media/index.ts';
import { isSameTrack, type Track } from '../../../storage/model/track.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { chooseTracks } from '../playable-tracks.ts';

/** Where a stored track's samples go. */
export type ClipTrack = {
  /** As the clip's moov has it: numbered anew, FLAC for G.711. */
  readonly track: Track;
  readonly sampleDescriptionIndex: number;
  /**
   * Parameter sets that each fragment's first picture gets in band, length-prefixed; empty where the track has one set-up only.
   * ffmpeg, and with it Chromium and many players, ignores which sample entry a fragment names.
   */
  readonly parameterSets: Uint8Array;
};

/** Samples a FLAC frame: the largest that players' decoders expect (RFC 9639 streamable subset at 48 kHz and less). */
const flacFrameSamplesMax = 4_608;
const noBytes = new Uint8Array(0);

export class ClipTracks {
  /** By MP4 track, in the order of the file: its sample entries. */
  readonly #groups: Track[][] = [];
  readonly #sound: (ClipTrack & { readonly stored: Track })[] = [];

  /** @param references  all fragments of the clip: video gets the lower numbers */
  constructor(references: readonly PlayableFragment[]) {
    const choices = references.map(({ segment }) => chooseTracks(segment.tracks));
    for (const { video } of choices) this.#add(video);
    for (const { audio } of choices) this.#add(audio);
  }

  /** All sample entries, for the clip's moov. */
  get entries(): readonly Track[] {
    return this.#groups.flat();
  }

  /** The first stored form of each track of sound, and where it goes. */
  get soundTracks(): readonly (ClipTrack & { readonly stored: Track })[] {
    return this.#sound;
  }

  /** Where a stored track goes. */
  of(stored: Track): ClipTrack | undefined {
    const at = this.#groups.findIndex((group) => canShare(group, clipForm(stored)));
    const group = this.#groups[at] ?? [];
    const entry = group.findIndex((other) => isSameTrack(other, { ...clipForm(stored), number: other.number }));
    const track = group[entry];
    if (track === undefined) return undefined;
    const parameterSets = group.length > 1 && track.kind === 'video' ? joinNals(parameterSetsOf(stored)) : noBytes;
    return { track, sampleDescriptionIndex: entry + 1, parameterSets };
  }

  #add(stored: Track | undefined): void {
    if (stored === undefined || this.of(stored) !== undefined) return;
    const at = this.#groups.findIndex((group) => canShare(group, clipForm(stored)));
    const number = (at < 0 ? this.#groups.length : at) + 1;
    const track = { ...clipForm(stored), number };
    if (at >= 0) {
      this.#groups[at]?.push(track);
      return;
    }
    this.#groups.push([track]);
    if (track.kind === 'audio') this.#sound.push({ stored, track, sampleDescriptionIndex: 1, parameterSets: noBytes });
  }
}

/** How many samples and bytes a track has in a clip, from its row in the fragment table alone. */
export function clipAmounts(
  stored: Track,
  row: { readonly samples: number; readonly payloadBytes: number },
): { readonly samples: number; readonly bytes: number } {
  const format = isG711(stored) ? parseWaveFormat(stored.codecPrivate) : undefined;
  if (format === undefined) return { samples: row.samples, bytes: row.payloadBytes };
  const frames = flacFrames(Math.floor(row.payloadBytes / format.channels));
  return { samples: frames.length, bytes: frames.reduce((sum, samples) => sum + g711FlacBytes(format, samples), 0) };
}

/** A track's samples as a clip has them. G.711 is cut anew, since the table knows the bytes of all its packets together only. */
export function clipSamples(stored: Track, samples: readonly Fmp4Sample[]): readonly Fmp4Sample[] {
  const format = isG711(stored) ? parseWaveFormat(stored.codecPrivate) : undefined;
  if (format === undefined) return samples;
  const { channels, samplingFrequencyHz } = format;
  const sound = Buffer.concat(samples.map(({ bytes }) => bytes));
  const beginUs = samples[0]?.presentationTimeUs ?? 0;
  let at = 0;
  return flacFrames(Math.floor(sound.length / channels)).map((count) => {
    const bytes = g711ToFlac(format, sound.subarray(at * channels, (at + count) * channels), { isFixedSize: true });
    const presentationTimeUs = beginUs + (at * 1_000_000) / samplingFrequencyHz;
    at += count;
    return { presentationTimeUs, isKey: true, bytes };
  });
}

function flacFrames(samples: number): number[] {
  const whole = Math.floor(samples / flacFrameSamplesMax);
  const rest = samples % flacFrameSamplesMax;
  return [...Array.from({ length: whole }, () => flacFrameSamplesMax), ...(rest > 0 ? [rest] : [])];
}

function clipForm(stored: Track): Track {
  return isG711(stored) ? flacTrack(stored) : stored;
}

/** Players take several set-ups in one track only for one codec, and MP4 only for one time scale. */
function canShare(group: readonly Track[], track: Track): boolean {
  const [first] = group;
  return first !== undefined && first.codecId === track.codecId && fmp4Timescale(first) === fmp4Timescale(track);
}

function isG711(track: Track): boolean {
  return track.codec === 'pcmu' || track.codec === 'pcma';
}
