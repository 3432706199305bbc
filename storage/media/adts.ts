/** ADTS heads (ISO/IEC 14496-3 1.A.3.2): what stands before an AAC frame where no container tells about it. */

import { appError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { aacFrequenciesHz, parseAudioSpecificConfig } from './aac.ts';

const headBytes = 7;
const frameBytesMax = 0x1fff - headBytes;
const fullness = 0x7ff;

/**
 * The 7 bytes before a raw frame.
 *
 * @throws AppError unimplemented  no profile, rate or channel layout that the head can tell
 * @throws AppError data_loss      the frame is too long
 */
export function adtsHead(track: Track, frameBytes: number): Uint8Array {
  const { coreObjectType, samplingFrequencyHz, channels } = parseAudioSpecificConfig(track.codecPrivate);
  const frequency = aacFrequenciesHz.indexOf(samplingFrequencyHz);
  const configuration = channels === 8 ? 7 : channels;
  if (coreObjectType > 4 || frequency < 0 || configuration > 7) {
    throw appError('unimplemented', 'this form of AAC has no ADTS head', { coreObjectType, samplingFrequencyHz });
  }
  if (frameBytes > frameBytesMax) throw appError('data_loss', 'audio frame is too long', { frameBytes });
  const byteLength = headBytes + frameBytes;
  return Uint8Array.of(
    // Sync word, MPEG-4, no checksum.
    ...[0xff, 0xf1],
    ((coreObjectType - 1) << 6) | (frequency << 2) | (configuration >> 2),
    ((configuration & 3) << 6) | (byteLength >> 11),
    (byteLength >> 3) & 0xff,
    ((byteLength & 7) << 5) | (fullness >> 6),
    (fullness & 0x3f) << 2,
  );
}
