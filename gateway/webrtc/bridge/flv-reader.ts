/** Reads the FLV of one H.264 track as ffmpeg writes it to a pipe: parameter sets and pictures, each as soon as its bytes are there. */

import { appError } from '../../../storage/base/errors.ts';
import { bridgeLimits } from './limits.ts';

export type FlvSink = {
  /** avcC; a view. */
  config(avcC: Uint8Array): void;
  /** @param picture.bytes  length-prefixed NAL units; a view */
  picture(picture: { readonly presentationMs: number; readonly isKey: boolean; readonly bytes: Uint8Array }): void;
};

const fileHeadBytes = 9;
const tagHeadBytes = 11;
/** Behind each tag, and once behind the file's head. */
const backPointerBytes = 4;
const videoTag = 9;
const videoHeadBytes = 5;
const avc = 7;
const packetTypes = { config: 0, picture: 1 } as const;

export class FlvReader {
  readonly #sink: FlvSink;
  #pending: Buffer = Buffer.alloc(0);
  #hasHead = false;

  constructor(sink: FlvSink) {
    this.#sink = sink;
  }

  /** @throws AppError data_loss  it is no FLV, or a tag is larger than any picture */
  push(chunk: Uint8Array): void {
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    let at = 0;
    if (!this.#hasHead) {
      if (this.#pending.length < fileHeadBytes + backPointerBytes) return;
      if (this.#pending.toString('latin1', 0, 3) !== 'FLV') throw appError('data_loss', 'the child wrote no flv');
      this.#hasHead = true;
      at = fileHeadBytes + backPointerBytes;
    }
    while (this.#pending.length - at >= tagHeadBytes) {
      const byteLength = this.#pending.readUIntBE(at + 1, 3);
      if (byteLength > bridgeLimits.convertedPictureBytesMax) {
        throw appError('data_loss', 'the child wrote a tag that is too long', { byteLength });
      }
      const begin = at + tagHeadBytes;
      const end = begin + byteLength;
      if (this.#pending.length < end + backPointerBytes) break;
      if (this.#pending[at] === videoTag) {
        const decodeMs = this.#pending.readUIntBE(at + 4, 3) + (this.#pending[at + 7] ?? 0) * 2 ** 24;
        this.#video(this.#pending.subarray(begin, end), decodeMs);
      }
      at = end + backPointerBytes;
    }
    this.#pending = this.#pending.subarray(at);
  }

  #video(body: Buffer, decodeMs: number): void {
    if (body.length <= videoHeadBytes || ((body[0] ?? 0) & 0x0f) !== avc) return;
    const bytes = body.subarray(videoHeadBytes);
    switch (body[1]) {
      case packetTypes.config:
        this.#sink.config(bytes);
        return;
      case packetTypes.picture: {
        const isKey = (body[0] ?? 0) >> 4 === 1;
        this.#sink.picture({ presentationMs: decodeMs + body.readIntBE(2, 3), isKey, bytes });
        return;
      }
    }
  }
}
