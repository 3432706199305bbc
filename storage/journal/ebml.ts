/**
 * The little EBML that finding commit records takes: element heads, and walking a file element by element through a window.
 * Media are skipped, not parsed; `storage/media` does that.
 */

import type { FileHandle } from 'node:fs/promises';
import { ebmlIds } from '../media/index.ts';

const topLevel: ReadonlySet<number> = new Set([
  ebmlIds.ebml,
  ebmlIds.segment,
  ebmlIds.seekHead,
  ebmlIds.info,
  ebmlIds.tracks,
  ebmlIds.cluster,
  ebmlIds.tags,
  ebmlIds.cues,
  ebmlIds.chapters,
  ebmlIds.attachments,
]);

/** Longest head of an element: 4 bytes of identifier, 8 of size. */
export const elementHeadBytesMax = 12;

/** `size` is undefined where it is written as unknown. */
export type ElementHead = { readonly id: number; readonly headBytes: number; readonly size: number | undefined };

/** True for elements that stand directly in a Segment: they end a cluster of unknown size. */
export function isTopLevel(id: number): boolean {
  return topLevel.has(id);
}

/** The head at `at`, or undefined when the bytes end inside it or are no EBML. */
export function readElementHead(bytes: Uint8Array, at: number): ElementHead | undefined {
  const idBytes = vintBytes(bytes[at]);
  if (idBytes === undefined || idBytes > 4) return undefined;
  const sizeAt = at + idBytes;
  const sizeBytes = vintBytes(bytes[sizeAt]);
  if (sizeBytes === undefined || sizeAt + sizeBytes > bytes.byteLength) return undefined;
  let id = 0;
  for (let i = at; i < sizeAt; i++) id = id * 256 + (bytes[i] ?? 0);
  let size = (bytes[sizeAt] ?? 0) & (0xff >> sizeBytes);
  let isUnknown = size === 0xff >> sizeBytes;
  for (let i = sizeAt + 1; i < sizeAt + sizeBytes; i++) {
    size = size * 256 + (bytes[i] ?? 0);
    isUnknown &&= bytes[i] === 0xff;
  }
  return { id, headBytes: idBytes + sizeBytes, size: isUnknown ? undefined : size };
}

/** Reads a file forward through one buffer: a step from element to element is rarely a system call. */
export class FileWindow {
  readonly #file: FileHandle;
  readonly #fileBytes: number;
  #buffer: Buffer;
  #begin = 0;
  #end = 0;

  /** @param fileBytes  nothing beyond is looked at: the file may grow */
  constructor(file: FileHandle, fileBytes: number, windowBytes = 256 * 1024) {
    this.#file = file;
    this.#fileBytes = fileBytes;
    this.#buffer = Buffer.allocUnsafe(windowBytes);
  }

  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** A view, valid until the next call; undefined when the file ends before. The caller bounds `length`. */
  async bytes(at: number, length: number): Promise<Uint8Array | undefined> {
    if (at + length > this.#fileBytes) return undefined;
    if (at < this.#begin || at + length > this.#end) await this.#fill(at, length);
    if (at + length > this.#end) return undefined;
    return this.#buffer.subarray(at - this.#begin, at - this.#begin + length);
  }

  /** The element head at `at`; undefined as `readElementHead`. */
  async head(at: number): Promise<ElementHead | undefined> {
    if (at >= this.#fileBytes) return undefined;
    const bytes = await this.bytes(at, Math.min(elementHeadBytesMax, this.#fileBytes - at));
    return bytes === undefined ? undefined : readElementHead(bytes, 0);
  }

  async #fill(at: number, length: number): Promise<void> {
    if (length > this.#buffer.byteLength) this.#buffer = Buffer.allocUnsafe(length);
    this.#begin = at;
    this.#end = at;
    const wanted = Math.min(this.#buffer.byteLength, this.#fileBytes - at);
    while (this.#end - at < wanted) {
      const done = this.#end - at;
      const { bytesRead } = await this.#file.read(this.#buffer, done, wanted - done, this.#end);
      if (bytesRead === 0) return;
      this.#end += bytesRead;
    }
  }
}

function vintBytes(first: number | undefined): number | undefined {
  return first === undefined || first === 0 ? undefined : Math.clz32(first) - 23;
}
