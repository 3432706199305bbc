/** Cuts PNG pictures that follow one another into pictures. Pure. */

import { appError } from '../../../storage/base/errors.ts';

const signatureBytes = 8;
/** Length, type and checksum of a chunk. */
const chunkFrameBytes = 12;

/** Views, each from its signature to the end of IEND. @throws AppError data_loss  not PNG, or cut off */
export function splitPng(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pictures: Uint8Array[] = [];
  let begin = 0;
  let at = signatureBytes;
  while (begin < bytes.length) {
    if (at + chunkFrameBytes > bytes.length) throw appError('data_loss', 'picture is cut off', { byteOffset: at });
    const type = view.getUint32(at + 4);
    at += chunkFrameBytes + view.getUint32(at);
    if (type !== 0x49454e44) continue;
    pictures.push(bytes.subarray(begin, at));
    begin = at;
    at += signatureBytes;
  }
  return pictures;
}
