/**
 * Pictures of given moments of a fragment, in a size and form of the asker's choice: the fragment is decoded once, by a child of its
 * own, and every picture is the one that was shown at its moment, not only the nearest key frame.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { appError, isAppError } from '../../../storage/base/errors.ts';
import { limits } from '../../../storage/model/limits.ts';
import { runFfmpeg } from '../convert/ffmpeg-run.ts';
import { recodingInput } from '../convert/fragment-recoding.ts';
import type { FragmentSource, PlayableFragment } from '../fragment-source.ts';
import { chooseTracks } from '../playable-tracks.ts';
import { JpegSplitter } from './jpeg-splitter.ts';
import { splitPng } from './png-splitter.ts';

export type PictureForm = {
  readonly format: 'jpeg' | 'png';
  /** Of a JPEG, as the world counts it: 1 .. 100. */
  readonly quality?: number | undefined;
  /** Both: stretched to this size. One: in proportion. None: as it is. */
  readonly widthPixels?: number | undefined;
  readonly heightPixels?: number | undefined;
};

export type PicturesWanted = PictureForm & {
  /** Milliseconds from the fragment's beginning, ascending. */
  readonly momentsMs: readonly number[];
  readonly signal: AbortSignal;
};

/** Children at a time: recording and viewers come first. */
const childrenMax = 2;
/** Fragments that wait for a child. */
const waitingMax = 32;
const secondMs = 1_000;

export class FragmentPictures {
  readonly #deps: { readonly clock: Clock; readonly source: FragmentSource; readonly ffmpeg: string };
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(deps: {
    readonly clock: Clock;
    readonly source: FragmentSource;
    /** Path of the ffmpeg program. */
    readonly ffmpeg: string;
  }) {
    this.#deps = deps;
  }

  /**
   * One picture for each moment, in their order; undefined where it cannot be decoded.
   *
   * @param references  the fragment, behind those that its decoding needs: the first begins with a key frame
   * @throws AppError resource_exhausted   too many fragments wait for their pictures
   * @throws AppError failed_precondition  ffmpeg is not installed
   * @throws AppError cancelled            the signal was raised
   */
  async pictures(
    references: readonly PlayableFragment[],
    wanted: PicturesWanted,
  ): Promise<readonly (Uint8Array | undefined)[]> {
    const none = wanted.momentsMs.map(() => undefined);
    const reference = references.at(-1);
    const track = reference === undefined ? undefined : chooseTracks(reference.segment.tracks).video;
    if (reference === undefined || track === undefined) return none;
    await this.#turn();
    try {
      const clusters: Uint8Array[] = [];
      for (const one of references) clusters.push(await this.#deps.source.clusterBytes(one));
      const { timecodeScaleNs } = reference.segment;
      const { matroska, relativeAt } = recodingInput(clusters, { track, timecodeScaleNs });
      const shown = [...relativeAt]
        .map(([childMs, relative]) => ({ childMs, offsetMs: (relative * timecodeScaleNs) / 1e6 }))
        .sort((a, b) => a.offsetMs - b.offsetMs);
      const first = shown[0]?.childMs ?? 0;
      const places = wanted.momentsMs.map((ms) => shown.findLast(({ offsetMs }) => offsetMs <= ms)?.childMs ?? first);
      const distinct = [...new Set(places)].sort((a, b) => a - b);
      const { output } = await runFfmpeg(this.#deps, {
        arguments: ffmpegArguments(distinct, wanted),
        input: matroska,
        timeoutMs: limits.imageTimeoutMs + references.length * 2 * secondMs + distinct.length * secondMs,
        outputBytesMax: limits.imageBytesMax * distinct.length,
        signal: wanted.signal,
      });
      const pictures = wanted.format === 'png' ? splitPng(output) : splitJpeg(output);
      // Which one is missing nobody knows.
      if (pictures.length !== distinct.length) return none;
      return places.map((place) => pictures[distinct.indexOf(place)]);
    } catch (error) {
      const isMedia = ['data_loss', 'not_found', 'deadline_exceeded', 'invalid_argument'].some(
        (code) => isAppError(error) && error.code === code,
      );
      if (isMedia) return none;
      throw error;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= childrenMax) {
      if (this.#waiting.length >= waitingMax) {
        throw appError('resource_exhausted', 'too many pictures are waiting', { waiting: waitingMax });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }
}

function ffmpegArguments(timesMs: readonly number[], form: PictureForm): string[] {
  const chosen = timesMs.map((ms) => `eq(pts,${ms})`).join('+');
  // Of a free side -2 keeps the proportion and makes it even, as pictures with halved colours must be.
  const { widthPixels, heightPixels } = form;
  const isScaled = widthPixels !== undefined || heightPixels !== undefined;
  const scale = isScaled ? `,scale=${widthPixels ?? -2}:${heightPixels ?? -2}` : '';
  const codec =
    form.format === 'png'
      ? ['-pix_fmt', 'rgb24', '-c:v', 'png']
      : ['-pix_fmt', 'yuvj420p', '-c:v', 'mjpeg', '-qmin', '1', '-q:v', quantizerOf(form.quality ?? 80).toFixed(2)];
  return [
    ...['-max_pixels', String(limits.picturePixelsMax), '-threads', '1', '-copyts', '-f', 'matroska', '-i', 'pipe:0'],
    ...['-an', '-threads', '1', '-filter_threads', '1', '-fps_mode', 'passthrough'],
    ...['-vf', `select='${chosen}'${scale}`, ...codec, '-f', 'image2pipe', 'pipe:1'],
  ];
}

/** Both scale the tables of the standard's annex: quality as libjpeg does, the quantizer in eighths. */
function quantizerOf(quality: number): number {
  const percent = quality < 50 ? 5_000 / quality : 200 - 2 * quality;
  return Math.min(31, Math.max(1, (percent * 8) / 100));
}

function splitJpeg(bytes: Uint8Array): Uint8Array[] {
  return new JpegSplitter({ bytesMax: limits.imageBytesMax }).push(bytes);
}
