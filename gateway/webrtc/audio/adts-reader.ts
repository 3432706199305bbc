/** AAC frames out of an ADTS stream (ISO/IEC 14496-3 1.A.3.2) as ffmpeg writes it to a pipe: incremental and bounded. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import { joined } from './joined.ts';

const headBytesMin = 7;
const headBytesWithChecksum = 9;

export class AdtsReader {
  /** What is not read yet: less than a frame, so 8 KB at the most, between two calls. */
  #rest: Uint8Array = new Uint8Array(0);

  /**
   * @param chunk  the next bytes, split anywhere
   * @returns      raw frames without their heads: copies
   * @throws AppError data_loss  no ADTS: nothing that follows is read
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const bytes = joined(this.#rest, chunk);
    const frames: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= headBytesMin) {
      const [first = 0, second = 0, , fourth = 0, fifth = 0, sixth = 0, seventh = 0] = bytes.subarray(
        at,
        at + headBytesMin,
      );
      const headBytes = (second & 1) === 1 ? headBytesMin : headBytesWithChecksum;
      const frameBytes = ((fourth & 3) << 11) | (fifth << 3) | (sixth >> 5);
      // Sync word, layer 0, and one block of data in a frame: no encoder of ours puts more into one.
      const isHead = first === 0xff && (second & 0xf6) === 0xf0 && (seventh & 3) === 0 && frameBytes >= headBytes;
      if (!isHead) throw appError('data_loss', 'not an adts head', { byteOffset: at });
      if (bytes.length - at < frameBytes) break;
      frames.push(bytes.slice(at + headBytes, at + frameBytes));
      at += frameBytes;
    }
    this.#rest = bytes.slice(at);
    return frames;
  }
}
