/**
 * The H.264 encoders that ffmpeg may have, best first, and which of them works on this machine: found out once, by encoding one
 * picture with each. What a build of ffmpeg lists says nothing about drivers and devices.
 */

import type { Log } from '../../../storage/base/log.ts';

export type Encoder = {
  /** ffmpeg's name. */
  readonly name: string;
  readonly isHardware: boolean;
  /** Before the input. */
  readonly device: readonly string[];
  /** Ends the chain of filters: the form in which the encoder takes pictures. */
  readonly filter: string;
  readonly options: (bitsPerSecondMax: number) => readonly string[];
  /** Added to these: each picture comes out before the next one goes in, in the profile that every WebRTC peer takes. */
  readonly immediate: readonly string[];
};

/** Why an encoder is not used. */
export type RefusedEncoder = { readonly name: string; readonly reason: string };

export type EncoderChoice = { readonly encoder: Encoder; readonly refused: readonly RefusedEncoder[] };

/** Constant quality up to a bound on the bit rate: 25 is what surveillance pictures need to stay legible. */
const quality = 25;
/** H.264 level of 1080p at 30 pictures a second, the largest that is made. */
const level = '4.1';

function bounded(bitsPerSecondMax: number): string[] {
  return ['-maxrate', String(bitsPerSecondMax), '-bufsize', String(bitsPerSecondMax)];
}

/**
 * All candidates. Hardware comes first: it leaves the processors to recording.
 *
 * @param cores  of the machine: x264 takes its fastest preset on small ones (0.5 of a core for 1080p at 25 pictures a second,
 *               the next preset half as much again), and never more than four threads
 */
export function encodersFor(cores: number): readonly Encoder[] {
  const threads = String(Math.min(4, Math.max(1, cores)));
  return [
    {
      name: 'h264_nvenc',
      isHardware: true,
      device: [],
      filter: 'format=yuv420p',
      options: (bits) => ['-preset', 'p2', '-rc', 'vbr', '-cq', String(quality), '-level', level, ...bounded(bits)],
      immediate: ['-tune', 'ull', '-zerolatency', '1', '-delay', '0', '-profile:v', 'baseline'],
    },
    {
      name: 'h264_qsv',
      isHardware: true,
      device: [],
      filter: 'format=nv12',
      options: (bits) => ['-preset', 'veryfast', '-b:v', String(bits / 2), ...bounded(bits)],
      immediate: ['-async_depth', '1', '-profile:v', 'baseline'],
    },
    {
      name: 'h264_vaapi',
      isHardware: true,
      device: ['-vaapi_device', '/dev/dri/renderD128'],
      filter: 'format=nv12,hwupload',
      options: (bits) => ['-b:v', String(bits / 2), ...bounded(bits)],
      immediate: ['-async_depth', '1', '-profile:v', 'constrained_baseline'],
    },
    {
      name: 'libx264',
      isHardware: false,
      device: [],
      filter: 'format=yuv420p',
      options: (bits) => [
        ...['-preset', cores >= 8 ? 'superfast' : 'ultrafast', '-crf', String(quality), '-level', level],
        ...['-sc_threshold', '0', '-threads', threads, ...bounded(bits)],
      ],
      immediate: ['-tune', 'zerolatency', '-profile:v', 'baseline'],
    },
    {
      name: 'libopenh264',
      isHardware: false,
      device: [],
      filter: 'format=yuv420p',
      options: (bits) => ['-b:v', String(bits / 2), ...bounded(bits)],
      immediate: ['-profile:v', 'constrained_baseline'],
    },
  ];
}

/**
 * The first encoder with which the trial succeeds. Says in the log which one, and why not those before it.
 *
 * @param trial  throws where the encoder does not work
 * @returns      undefined when none works
 */
export async function chooseEncoder(
  { log }: { readonly log: Log },
  candidates: readonly Encoder[],
  trial: (encoder: Encoder) => Promise<string | undefined>,
): Promise<{ readonly choice: EncoderChoice | undefined; readonly refused: readonly RefusedEncoder[] }> {
  const refused: RefusedEncoder[] = [];
  for (const encoder of candidates) {
    const reason = await trial(encoder);
    if (reason !== undefined) {
      refused.push({ name: encoder.name, reason });
      continue;
    }
    log.info('video is converted', { encoder: encoder.name, isHardware: encoder.isHardware, refused });
    return { choice: { encoder, refused }, refused };
  }
  log.warn('video cannot be converted', { refused });
  return { choice: undefined, refused };
}
