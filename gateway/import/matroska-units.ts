/**
 * Access units out of a Matroska stream as a sender wrote it: the parser's calls in, tracks and units out. What the stream says of
 * time is all there is, so a unit counts as received when the media before it was: rules that wait for a slow track wait in
 * media time.
 */

import { type AppError, appError, isAppError } from '../../storage/base/errors.ts';
import {
  audioFrameDurationUs,
  isKeyAccessUnit,
  type MatroskaFrame,
  type MatroskaHead,
  MatroskaReader,
} from '../../storage/media/index.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';

/** Who takes the units. What a call throws ends the parser. */
export type UnitSink = {
  /** Once, before the first unit. */
  tracks(tracks: readonly Track[]): void;
  /** @param unit  borrowed until return */
  unit(unit: AccessUnit): void;
};

export class MatroskaUnits {
  readonly #sink: UnitSink;
  readonly #reader: MatroskaReader;
  #tracks = new Map<number, Track>();
  #scaleNs = 1_000_000;
  #latestMs = 0;

  constructor({ sink }: { readonly sink: UnitSink }) {
    this.#sink = sink;
    this.#reader = new MatroskaReader({
      sink: {
        head: (head) => this.#onHead(head),
        clusterBegin: () => {},
        clusterBytes: () => {},
        frame: (frame) => this.#onFrame(frame),
        clusterEnd: () => {},
        tags: () => {},
      },
    });
  }

  /** @throws AppError  as `MatroskaReader.push`, and what the sink throws; after that it must not be called again */
  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  /** @throws AppError  as `MatroskaReader.end`: the stream is cut off */
  end(): void {
    this.#reader.end();
  }

  #onHead({ tracks, timecodeScaleNs }: MatroskaHead): void {
    this.#scaleNs = timecodeScaleNs;
    this.#tracks = new Map(tracks.map((track) => [track.number, track]));
    for (const { codec, codecId } of tracks) {
      if (codec === 'other') throw appError('unimplemented', 'codec cannot be cut into fragments', { codecId });
    }
    if (tracks.length === 0 || tracks.length > limits.tracksMax) {
      throw appError('invalid_argument', 'stream has no track, or more than a stream may have', {
        tracks: tracks.length,
        tracksMax: limits.tracksMax,
      });
    }
    this.#sink.tracks(tracks);
  }

  #onFrame(frame: MatroskaFrame): void {
    const track = this.#tracks.get(frame.trackNumber);
    // Blocks of a track that the head does not describe are noise.
    if (track === undefined) return;
    const { bytes } = frame;
    const blockUs = ((frame.timecode + frame.relative) * this.#scaleNs) / 1_000;
    const presentationTimeUs = Math.round(blockUs + (frame.laceIndex === 0 ? 0 : laceOffsetUs(track, frame)));
    this.#latestMs = Math.max(this.#latestMs, presentationTimeUs / 1_000);
    this.#sink.unit({
      trackNumber: track.number,
      presentationTimeUs,
      producerTimestampMs: undefined,
      receivedMonotonicMs: this.#latestMs,
      isKey: track.kind === 'video' ? isKeyAccessUnit(track.codec, bytes) : true,
      isAfterLoss: false,
      bytes,
    });
  }
}

/** Frames of one lace follow each other by the length of a frame; lacing is for sound. */
function laceOffsetUs(track: Track, { laceIndex, bytes }: MatroskaFrame): number {
  try {
    return laceIndex * audioFrameDurationUs(track, bytes);
  } catch (error) {
    if (isAppError(error)) return laceIndex * 1_000;
    throw error;
  }
}

/** What was wrong with a stream, in words for the one who sent it. */
export function faultText(error: AppError): string {
  const { byteOffset } = error.context;
  return typeof byteOffset === 'number' ? `${error.message} (byte ${byteOffset} of the stream)` : error.message;
}
