/** Clips that ffmpeg encodes for the tests: numbered pictures and a tone, small and quick. */

import { type CodedClip, encodeClip } from './recorded-stream.ts';

export type ClipOptions = {
  readonly seconds: number;
  /** Key frame every so many pictures; 25 pictures a second. */
  readonly gopPictures?: number;
  readonly video?: 'h264' | 'h265' | 'none';
  readonly bFrames?: number;
  readonly audio?: 'aac' | 'opus' | 'pcmu' | 'pcma' | 'none';
  readonly size?: string;
  /** Each picture is of one grey, brighter than that of the picture before: `greyOf`. */
  readonly isCounting?: boolean;
  /** Leaves pictures out, so that they come at uneven times. */
  readonly isUneven?: boolean;
};

const audioArguments = {
  aac: ['-c:a', 'aac', '-b:a', '48k', '-ar', '48000', '-ac', '1'],
  opus: ['-c:a', 'libopus', '-b:a', '32k', '-ar', '48000', '-ac', '2'],
  pcmu: ['-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1'],
  pcma: ['-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1'],
  none: [],
} as const;

/** Encodes a clip. Sound is cut where the pictures end. */
export function codedClip(options: ClipOptions): Promise<CodedClip> {
  const { seconds, gopPictures = 25, video = 'h264', bFrames = 0, audio = 'aac', size = '320x180' } = options;
  const inputs: string[] = [];
  if (video !== 'none')
    inputs.push('-f', 'lavfi', '-i', picturesOf({ isCounting: options.isCounting === true, size, seconds }));
  if (audio !== 'none') inputs.push('-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`);
  const uneven =
    options.isUneven === true ? ['-vf', "select='not(eq(mod(n,7),3))*not(eq(mod(n,11),5))'", '-fps_mode', 'vfr'] : [];
  return encodeClip([
    ...inputs,
    ...videoArguments({ video, gopPictures, bFrames }),
    ...uneven,
    ...audioArguments[audio],
  ]);
}

/** Pictures until the greys begin again: 4.4 s. */
export const countedPictures = 110;

/** Which picture of `countedPictures` has this brightness, 0 .. 255. */
export function pictureOfGrey(brightness: number): number {
  // Limited range: 16 is black, 235 white.
  return Math.round((brightness * 219) / 255 / 2);
}

function picturesOf({ isCounting, size, seconds }: { isCounting: boolean; size: string; seconds: number }): string {
  const rate = `rate=25:duration=${seconds}`;
  if (!isCounting) return `testsrc2=size=${size}:${rate}`;
  const grey = `geq=lum='16+2*mod(N,${countedPictures})':cb=128:cr=128`;
  return `color=black:size=32x18:${rate},format=yuv420p,${grey},scale=${size.replace('x', ':')}`;
}

function videoArguments(options: { video: 'h264' | 'h265' | 'none'; gopPictures: number; bFrames: number }): string[] {
  const { video, gopPictures, bFrames } = options;
  if (video === 'none') return [];
  const codec = `keyint=${gopPictures}:min-keyint=${gopPictures}:scenecut=0:bframes=${bFrames}:open-gop=0`;
  if (video === 'h264') return ['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'veryfast', '-x264-params', codec];
  return ['-pix_fmt', 'yuv420p', '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', `${codec}:log-level=none`];
}
