/** How much footage a file may become: its blocks may be compressed a thousandfold, and the disk is not its sender's. Pure. */

import { type AppError, appError } from '../../storage/base/errors.ts';
import type { MediaFile } from './media-file.ts';

const MiB = 1024 * 1024;

/** Heads of blocks cost more than the smallest sounds themselves: four times an upload and this much are never reached by copying. */
const slackBytes = 16 * MiB;
const copiedTimes = 4;
/** The thriftiest speech codecs have 5 kb/s and become AAC of 128 kb/s; AV1 of a screen becomes ten times as much in H.264. */
const convertedTimes = 64;

/** Bytes that may be made of a file. */
export function footageBytesMax({ tracks }: Pick<MediaFile, 'tracks'>, fileBytes: number): number {
  const isConverted = tracks.some(({ how }) => how === 'convert');
  return slackBytes + (isConverted ? convertedTimes : copiedTimes) * fileBytes;
}

/** What its sender is told. */
export function tooMuchFootage(options: { readonly fileBytes: number; readonly bytesMax: number }): AppError {
  const { fileBytes, bytesMax } = options;
  const text = (bytes: number) => `${(bytes / MiB).toFixed(1)} MiB`;
  return appError('resource_exhausted', `a file of ${text(fileBytes)} may not become more than ${text(bytesMax)}`, {
    hint: 'are its tracks compressed inside the file? `ffmpeg -i <file> -c copy <new file>` unpacks them; import that with --skip-existing',
  });
}
