/** What ffmpeg is told: which size and rate converted video has, how fragments are converted, and how a black picture is made. Pure. */

import { limits } from '../../../storage/model/limits.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { Encoder } from './encoders.ts';

/** Of a picture. */
export type Size = { readonly widthPixels: number; readonly heightPixels: number };

/** Larger pictures are made smaller: no machine of the usual kind encodes 4K in real time, and level 4.1 ends here. */
const sizeMax: Size = { widthPixels: 1920, heightPixels: 1088 };
/** Bits per second for each pixel: 6 Mb/s at 1080p. */
const bitsPerPixelMax = 3;
const bitsPerSecondMin = 500_000;

/** Bits per second that converted video of a size has at most. */
export function convertedBitsPerSecondMax({ widthPixels, heightPixels }: Size): number {
  return Math.max(bitsPerSecondMin, widthPixels * heightPixels * bitsPerPixelMax);
}

/** Even numbers, at most `sizeMax`, in the same shape. */
export function convertedSize({ video }: Track): Size {
  const { widthPixels, heightPixels } = video ?? sizeMax;
  const scale = Math.min(1, sizeMax.widthPixels / widthPixels, sizeMax.heightPixels / heightPixels);
  const even = (pixels: number) => Math.max(2, 2 * Math.round((pixels * scale) / 2));
  return { widthPixels: even(widthPixels), heightPixels: even(heightPixels) };
}

/**
 * Times pass through as they are, to the millisecond; nothing is reordered, so that times of decoding need no thought. The one
 * key frame is the first picture.
 */
export function conversionArguments(
  encoder: Encoder,
  { size, beginMs }: { readonly size: Size; readonly beginMs: number },
): string[] {
  const trim = beginMs > 0 ? [`trim=start_pts=${beginMs}`] : [];
  const filters = [...trim, `scale=${size.widthPixels}:${size.heightPixels}`, encoder.filter].join(',');
  return [
    ...encoder.device,
    ...[
      '-copyts',
      '-max_pixels',
      String(limits.picturePixelsMax),
      '-f',
      'matroska',
      '-i',
      'pipe:0',
      '-map',
      '0:v:0',
      '-vf',
      filters,
    ],
    ...encodingArguments(encoder, size),
  ];
}

/**
 * A conversion that runs on: each picture leaves as soon as it came, a key frame every `keyIntervalMs`. It reads Matroska from a pipe
 * and writes FLV, whose muxer holds nothing back. Decoding has one thread for each picture's slices: more would hold back pictures.
 *
 * @param options.beginMs  what is earlier is decoded only
 */
export function runningArguments(
  encoder: Encoder,
  { size, beginMs, keyIntervalMs }: { readonly size: Size; readonly beginMs: number; readonly keyIntervalMs: number },
): string[] {
  const trim = beginMs > 0 ? [`trim=start_pts=${beginMs}`] : [];
  const filters = [...trim, `scale=${size.widthPixels}:${size.heightPixels}`, encoder.filter].join(',');
  const keyInterval = `expr:isnan(prev_forced_t)+gte(t,prev_forced_t+${keyIntervalMs / 1000})`;
  return [
    ...encoder.device,
    // Nothing is probed. No `-fflags nobuffer`: it throws the probed first picture away (libavformat 59).
    ...['-probesize', '32', '-analyzeduration', '0', '-copyts', '-max_pixels', String(limits.picturePixelsMax)],
    ...['-threads', '1', '-f', 'matroska', '-i', 'pipe:0', '-map', '0:v:0', '-vf', filters],
    ...['-fps_mode', 'passthrough', '-enc_time_base', '1:1000', '-c:v', encoder.name, '-bf', '0', '-g', '10000'],
    ...encoder.options(convertedBitsPerSecondMax(size)),
    ...encoder.immediate,
    ...['-force_key_frames', keyInterval, '-avoid_negative_ts', 'disabled', '-flush_packets', '1'],
    ...['-flvflags', 'no_duration_filesize', '-f', 'flv', 'pipe:1'],
  ];
}

/** One black picture, as all that the encoder will make of this size. */
export function blackArguments(encoder: Encoder, size: Size): string[] {
  const picture = `color=black:size=${size.widthPixels}x${size.heightPixels}:rate=25`;
  return [
    ...encoder.device,
    ...['-f', 'lavfi', '-i', picture, '-frames:v', '1', '-vf', encoder.filter],
    ...encodingArguments(encoder, size),
  ];
}

function encodingArguments(encoder: Encoder, size: Size): string[] {
  return [
    ...['-fps_mode', 'passthrough', '-enc_time_base', '1:1000', '-c:v', encoder.name, '-bf', '0', '-g', '10000'],
    ...encoder.options(convertedBitsPerSecondMax(size)),
    ...['-avoid_negative_ts', 'disabled', '-f', 'matroska', 'pipe:1'],
  ];
}
