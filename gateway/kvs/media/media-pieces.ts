/**
 * Documents of fragments in pieces, so that a reader holds no more than one piece however large a fragment is. Pieces are of one
 * size for all readers of a moment, and read once for those that stand at the same place.
 */

import { appError } from '../../../storage/base/errors.ts';
import type { FragmentTags } from '../../../storage/model/fragment.ts';
import { limits } from '../../../storage/model/limits.ts';
import { documentHead, openingBytes, type TagSpelling } from './documents.ts';
import { mediaLimits } from './limits.ts';
import { SharedReads } from './shared-reads.ts';
import type { MediaFragment, MediaSource } from './source.ts';

/** A fragment of which everything is there that can be found missing before its first byte is sent. */
export type BegunFragment = {
  /** Head and tags. */
  readonly opening: Uint8Array;
  /** The cluster, verbatim, piece by piece; shared: nobody may change them. */
  readonly cluster: AsyncIterable<Uint8Array>;
};

export class MediaPieces {
  readonly #source: MediaSource;
  readonly #readers: () => number;
  readonly #heads = new SharedReads<Uint8Array>({ bytesMax: mediaLimits.headsBytesMax, sizeOf: (head) => head.length });
  readonly #begun = new SharedReads<{ readonly tags: FragmentTags; readonly cluster: Uint8Array }>({
    bytesMax: mediaLimits.sharedBytesMax / 2,
    sizeOf: ({ cluster }) => cluster.length + tagsBytesMax,
  });
  readonly #pieces = new SharedReads<Uint8Array>({
    bytesMax: mediaLimits.sharedBytesMax / 2,
    sizeOf: (piece) => piece.length,
  });

  /** @param readers  how many there are now: they share what may be held */
  constructor({ source, readers }: { readonly source: MediaSource; readonly readers: () => number }) {
    this.#source = source;
    this.#readers = readers;
  }

  /** The header of a fragment's document. @throws AppError not_found, data_loss, unavailable */
  head({ segment }: MediaFragment): Promise<Uint8Array> {
    return this.#heads.get(segment.runId, async () => documentHead(await this.#source.runHead(segment)));
  }

  /** Reads tags and the first piece. @throws AppError not_found, data_loss, unavailable */
  async begin(reference: MediaFragment, spelling: TagSpelling): Promise<BegunFragment> {
    const { fragment, segment } = reference;
    const head = await this.head(reference);
    const share = Math.floor(mediaLimits.piecesBytesMax / Math.max(1, this.#readers()));
    const pieceBytes = Math.max(mediaLimits.pieceBytesMin, Math.min(mediaLimits.pieceBytesMax, share));
    const { tags, cluster } = await this.#begun.get(`${fragment.number} ${segment.streamId} ${pieceBytes}`, () =>
      this.#source.fragmentBytes(reference, pieceBytes),
    );
    return {
      opening: openingBytes({ head, fragment, tags, spelling }),
      cluster: this.#cluster(reference, cluster, pieceBytes),
    };
  }

  async *#cluster(
    { fragment, segment }: MediaFragment,
    first: Uint8Array,
    pieceBytes: number,
  ): AsyncGenerator<Uint8Array> {
    yield first;
    for (let at = first.length; at < fragment.byteLength; ) {
      const offset = fragment.offset + at;
      const length = Math.min(pieceBytes, fragment.byteLength - at);
      const key = `${segment.streamId} ${segment.runId} ${segment.firstCounter} ${offset} ${length}`;
      const piece = await this.#pieces.get(key, () => this.#source.openRange(segment, offset, length));
      if (piece.length < length)
        throw appError('data_loss', 'segment ends inside a fragment', { number: fragment.number });
      yield piece;
      at += length;
    }
  }
}

/** Ten tags of the largest size. */
const tagsBytesMax = limits.fragmentTagsMax * (limits.fragmentTagNameBytesMax + limits.fragmentTagValueBytesMax);
