/**
 * Converts the H.265 video of single fragments to H.264, each by a child of its own. Measured, starting a child costs 0.06 s of
 * processor time, a tenth of converting a fragment of 2 s; for that a crash costs one fragment, any fragment can come next, and
 * nothing is left running when nobody watches. A fragment that cannot be converted is a black picture of the same length.
 */

import { appError, isAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableSegment } from '../fragment-source.ts';
import { chooseEncoder, type Encoder, type EncoderChoice, encodersFor, type RefusedEncoder } from './encoders.ts';
import { blackArguments, conversionArguments, convertedSize, type Size } from './encoding-arguments.ts';
import { type FfmpegDependencies, type FfmpegResult, type FfmpegWork, runFfmpeg, saidBy } from './ffmpeg-run.ts';
import { firstRelative, readVideo, recodedPictures, recodingInput, withPictures } from './fragment-recoding.ts';

export type ConverterDependencies = FfmpegDependencies & { readonly log: Log };

/** The form that all converted video of one picture size has. */
export type ConvertedForm = {
  readonly encoder: Encoder;
  readonly track: Track;
  /** One black picture, with its parameter sets. */
  readonly black: Uint8Array;
};

export type ConverterFigures = {
  readonly converted: number;
  readonly failed: number;
  /** Processor time of all children that ended well. */
  readonly cpuMs: number;
  /** ffmpeg's name of the encoder; undefined before the first conversion. */
  readonly encoder: string | undefined;
  readonly refused: readonly RefusedEncoder[];
};

const trialSize: Size = { widthPixels: 640, heightPixels: 360 };

export class Converter {
  readonly #dependencies: ConverterDependencies;
  readonly #cores: number;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  /** By size: each is asked of the encoder once. */
  readonly #forms = new Map<string, Promise<ConvertedForm>>();
  #choice: Promise<EncoderChoice> | undefined;
  #encoder: string | undefined;
  #refused: readonly RefusedEncoder[] = [];
  #converted = 0;
  #failed = 0;
  #failedInRow = 0;
  #cpuMs = 0;

  constructor(dependencies: ConverterDependencies, { cores }: { readonly cores: number }) {
    this.#dependencies = dependencies;
    this.#cores = cores;
  }

  figures(): ConverterFigures {
    return {
      ...{ converted: this.#converted, failed: this.#failed, cpuMs: this.#cpuMs },
      ...{ encoder: this.#encoder, refused: this.#refused },
    };
  }

  /**
   * The track that converted video has, known before any of it is converted.
   *
   * @throws AppError failed_precondition  this machine has no encoder of H.264
   */
  formOf(track: Track): Promise<ConvertedForm> {
    const size = convertedSize(track);
    const key = `${size.widthPixels}x${size.heightPixels}`;
    const known = this.#forms.get(key);
    if (known !== undefined) return known;
    if (this.#forms.size >= limits.conversionSizesMax) this.#forms.clear();
    const made = this.#encoderChoice().then((choice) => this.#formFor(choice, size));
    this.#forms.set(key, made);
    made.catch(() => this.#forms.delete(key));
    return made;
  }

  /**
   * The fragment's cluster with its video in H.264.
   *
   * @param clusters  the fragment's own, behind those that its decoding needs
   * @param track     its H.265 track
   * @param durationMs  of the fragment: a child that takes much longer is stuck
   * @throws AppError failed_precondition  this machine has no encoder of H.264
   * @throws AppError data_loss            the stored cluster is damaged
   * @throws AppError cancelled            it is being closed
   */
  async convert(
    clusters: readonly Uint8Array[],
    {
      segment,
      track,
      durationMs,
    }: { readonly segment: PlayableSegment; readonly track: Track; readonly durationMs: number },
  ): Promise<Uint8Array> {
    const form = await this.formOf(track);
    const own = clusters[clusters.length - 1] ?? new Uint8Array(0);
    const place = { trackNumber: track.number, segment };
    const input = recodingInput(clusters, { track, timecodeScaleNs: segment.timecodeScaleNs });
    try {
      const { output } = await this.#run({
        arguments: conversionArguments(form.encoder, { size: convertedSize(track), beginMs: input.beginMs }),
        input: input.matroska,
        timeoutMs: limits.conversionTimeoutMs + 2 * durationMs,
      });
      const pictures = recodedPictures(output, input);
      this.#converted++;
      this.#failedInRow = 0;
      return withPictures(own, place, pictures);
    } catch (error) {
      if (!isAppError(error) || isAppError(error, 'cancelled')) throw error;
      this.#failed++;
      if (++this.#failedInRow >= limits.conversionFailuresMax) this.#chooseAnew();
      const { streamId } = segment;
      this.#dependencies.log.warn('fragment not converted: it is shown black', { streamId, reason: saidBy(error) });
      return withPictures(own, place, [{ relative: firstRelative(own, track.number), isKey: true, bytes: form.black }]);
    }
  }

  /** The encoder that works on this machine. @throws AppError failed_precondition  there is none */
  async encoder(): Promise<Encoder> {
    return (await this.#encoderChoice()).encoder;
  }

  /** Ends all children. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#running);
  }

  #encoderChoice(): Promise<EncoderChoice> {
    this.#choice ??= this.#choose();
    this.#choice.catch(() => {
      // A driver or a package may be put right: the next one who asks tries again.
      this.#choice = undefined;
    });
    return this.#choice;
  }

  #chooseAnew(): void {
    this.#failedInRow = 0;
    this.#choice = undefined;
    this.#forms.clear();
  }

  /** Hardware that works may still refuse a size: then the next encoder makes it. */
  async #formFor({ encoder, refused }: EncoderChoice, size: Size): Promise<ConvertedForm> {
    const others = encodersFor(this.#cores).filter(({ name, isHardware }) => name !== encoder.name && !isHardware);
    let failure: unknown;
    for (const candidate of [encoder, ...others]) {
      if (refused.some(({ name }) => name === candidate.name)) continue;
      try {
        return await this.#black(candidate, size);
      } catch (error) {
        if (!isAppError(error) || isAppError(error, 'cancelled')) throw error;
        failure ??= error;
      }
    }
    throw appError('failed_precondition', 'the encoder of H.264 does not make pictures of this size', {
      ...size,
      cause: failure,
      said: saidBy(failure),
    });
  }

  async #choose(): Promise<EncoderChoice> {
    const { choice, refused } = await chooseEncoder(this.#dependencies, encodersFor(this.#cores), async (encoder) => {
      try {
        await this.#black(encoder, trialSize);
        return undefined;
      } catch (error) {
        if (isAppError(error, 'failed_precondition') || isAppError(error, 'cancelled')) throw error;
        return saidBy(error);
      }
    });
    this.#refused = refused;
    if (choice !== undefined) {
      this.#encoder = choice.encoder.name;
      return choice;
    }
    throw appError('failed_precondition', 'this machine has no encoder of H.264', {
      hint: 'install an ffmpeg with libx264 (on Debian and Ubuntu: apt install ffmpeg)',
    });
  }

  async #black(encoder: Encoder, size: Size): Promise<ConvertedForm> {
    const { output } = await this.#run({
      arguments: blackArguments(encoder, size),
      input: new Uint8Array(0),
      timeoutMs: limits.conversionTimeoutMs,
    });
    const { track } = readVideo(output);
    const [picture] = recodedPictures(output, { relativeAt: new Map([[0, 0]]) });
    if (picture === undefined) throw appError('data_loss', 'the encoder made no picture');
    return { encoder, track, black: picture.bytes };
  }

  async #run(work: Pick<FfmpegWork, 'arguments' | 'input' | 'timeoutMs'>): Promise<FfmpegResult> {
    const running = runFfmpeg(this.#dependencies, {
      ...work,
      outputBytesMax: limits.conversionBytesMax,
      signal: this.#closing.signal,
    });
    this.#running.add(running);
    try {
      const result = await running;
      this.#cpuMs += result.cpuMs ?? 0;
      return result;
    } finally {
      this.#running.delete(running);
    }
  }
}
