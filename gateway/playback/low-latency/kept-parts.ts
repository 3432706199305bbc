/** Parts of a stream's newest fragments with their indexes, which count on over all fragments, whatever becomes of them. Pure. */

import { type Fragment, fragmentEndMs } from '../../../storage/model/fragment.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { type Part, type PartKind, partPayloadBytes } from './part.ts';
import type { PartLists } from './run-parts.ts';

/** Parts of one fragment and the index of the first of each kind. */
export type IndexedParts = Readonly<Record<PartKind, { readonly first: number; readonly parts: readonly Part[] }>>;

type Closed = IndexedParts & { readonly number: FragmentNumber; readonly endMs: number };

export class KeptParts {
  #closed: Closed[] = [];
  #bytes = 0;
  /** Indexes of the open fragment's first parts. */
  #first = { video: 0, audio: 0 };

  get byteLength(): number {
    return this.#bytes;
  }

  /** By fragment, oldest first. */
  get closed(): ReadonlyMap<FragmentNumber, IndexedParts> {
    return new Map(this.#closed.map((each) => [each.number, each]));
  }

  /** Parts of the open fragment with the indexes that they have. A copy. */
  indexed({ video, audio }: PartLists): IndexedParts {
    return {
      video: { first: this.#first.video, parts: [...video] },
      audio: { first: this.#first.audio, parts: [...audio] },
    };
  }

  /** The part of that index; 'next' for the one that comes next, undefined for those that are gone or far away. */
  find(kind: PartKind, index: number, openParts: PartLists): Part | 'next' | undefined {
    const open = this.indexed(openParts)[kind];
    if (index === open.first + open.parts.length) return 'next';
    for (const each of [...this.#closed.map((closed) => closed[kind]), open]) {
      const part = index < each.first ? undefined : each.parts[index - each.first];
      if (part !== undefined) return part;
    }
    return undefined;
  }

  /** The open fragment is committed, with these parts; the oldest ones go, sooner where there is no room. */
  close(fragment: Fragment, parts: PartLists, hasRoom: () => boolean): void {
    this.#closed.push({ number: fragment.number, endMs: fragmentEndMs(fragment), ...this.indexed(parts) });
    this.giveUp(parts);
    this.#bytes = bytesOf(this.#closed);
    while (this.#isTooMuch(fragment, hasRoom)) {
      this.#closed.shift();
      this.#bytes = bytesOf(this.#closed);
    }
  }

  /** Indexes of these open parts are not used for others. */
  giveUp({ video, audio }: PartLists): void {
    this.#first = { video: this.#first.video + video.length, audio: this.#first.audio + audio.length };
  }

  #isTooMuch(newest: Fragment, hasRoom: () => boolean): boolean {
    const [oldest] = this.#closed;
    if (oldest === undefined || this.#closed.length === 1) return false;
    const isOld = oldest.endMs < newest.serverTimestampMs - limits.hlsPartsKeptMs;
    return (isOld && this.#closed.length > limits.hlsPartFragments) || !hasRoom();
  }
}

function bytesOf(closed: readonly Closed[]): number {
  const parts = closed.flatMap(({ video, audio }) => [...video.parts, ...audio.parts]);
  return parts.reduce((bytes, part) => bytes + partPayloadBytes(part), 0);
}
