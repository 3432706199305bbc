/** The durable atom: a Matroska cluster with its number, as the fragment table and the commit tags describe it. */

import type { FragmentNumber } from './fragment-number.ts';

/** What one track contributes to one fragment. */
export type FragmentTrack = {
  readonly trackNumber: number;
  readonly samples: number;
  /** Sum of the frames' bytes, without any container bytes. */
  readonly payloadBytes: number;
  /** Earliest presentation time of the track in the fragment, milliseconds of the run's media timeline. */
  readonly beginMediaMs: number;
  /** First presentation time after the track's last frame here (estimated at a run's end), same timeline. */
  readonly endMediaMs: number;
};

export type Fragment = {
  readonly number: FragmentNumber;
  /** Where the Cluster element begins in its segment file, and its whole length (head included), bytes. */
  readonly offset: number;
  readonly byteLength: number;
  /** Our time at its beginning, milliseconds since 1970 UTC: the run's start plus media time, slewed. */
  readonly serverTimestampMs: number;
  /** The source's time at its beginning, milliseconds since 1970 UTC. */
  readonly producerTimestampMs: number;
  /** Cluster timecode, milliseconds of the run's media timeline. */
  readonly mediaTimeMs: number;
  /** From its beginning to the beginning of the next fragment of the run, or to its own end at the run's end. */
  readonly durationMs: number;
  /** Begins with a video key frame (or is of audio alone): playback can begin here. */
  readonly isKey: boolean;
  /** Media is known to be missing directly before or inside it; the gap ledger says why. */
  readonly hasLoss: boolean;
  readonly tracks: readonly FragmentTrack[];
  /** SHA-256 of the cluster's bytes. */
  readonly sha256: Uint8Array;
};

/** A fragment's metadata tags as the producer gave them: at most 10, names up to 128 bytes, values up to 256 bytes. */
export type FragmentTags = readonly { readonly name: string; readonly value: string }[];

/** Server time at which a fragment ends. */
export function fragmentEndMs(fragment: Pick<Fragment, 'serverTimestampMs' | 'durationMs'>): number {
  return fragment.serverTimestampMs + fragment.durationMs;
}
