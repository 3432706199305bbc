/**
 * Segments that are being written, or were left by a writer that died: found by listing the journal's open directories, read
 * up to their last commit record, and from then on only what was added.
 */

import { stat } from 'node:fs/promises';
import { errnoOf, isAppError } from '../base/errors.ts';
import { listOpen, parseFileName, readSegmentHead, scanSegment } from '../journal/index.ts';
import type { Fragment } from '../model/fragment.ts';
import type { SegmentHead } from '../model/segment.ts';
import { type LoadedSegment, refOf } from './references.ts';

export type OpenSegmentFile = {
  readonly head: SegmentHead;
  readonly fragments: readonly Fragment[];
  /** Undefined while no fragment is committed in it. */
  readonly loaded: LoadedSegment | undefined;
  /** When it was last written to. */
  readonly changedMs: number;
  /** It only waits for its finished name. */
  readonly isEnded: boolean;
};

type Known = OpenSegmentFile & { readonly committedBytes: number; readonly size: number };

export class OpenSegments {
  readonly #directories: readonly string[];
  /** By stream, then by path. Streams without open files are forgotten. */
  readonly #known = new Map<string, Map<string, Known>>();
  readonly #running = new Map<string, Promise<readonly OpenSegmentFile[]>>();

  /** @param directories  `open` of each journal root */
  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  /** All open files of a stream as they are after this call began. */
  read(streamId: string): Promise<readonly OpenSegmentFile[]> {
    const before = this.#running.get(streamId) ?? Promise.resolve();
    const running: Promise<readonly OpenSegmentFile[]> = before
      .catch(() => {})
      .then(() => this.#read(streamId))
      .finally(() => {
        if (this.#running.get(streamId) === running) this.#running.delete(streamId);
      });
    this.#running.set(streamId, running);
    return running;
  }

  async #read(streamId: string): Promise<readonly OpenSegmentFile[]> {
    const before = this.#known.get(streamId);
    const now = new Map<string, Known>();
    for (const path of await this.#paths(streamId)) {
      const file = await readOpenFile(path, before?.get(path));
      if (file !== undefined) now.set(path, file);
    }
    if (now.size === 0) this.#known.delete(streamId);
    else this.#known.set(streamId, now);
    return [...now.values()];
  }

  async #paths(streamId: string): Promise<string[]> {
    const files = await Promise.all(this.#directories.map((open) => listOpen(open, streamId)));
    return files.flat().flatMap(({ name, path }) => (parseFileName(name) === undefined ? [] : [path]));
  }
}

/** Undefined when the file is gone: it was finished, or its run was taken back. */
async function readOpenFile(path: string, known: Known | undefined): Promise<Known | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    if (known?.size === size && known.changedMs === mtimeMs) return known;
    // Shorter than what was committed: recovery found damage that a walk does not see.
    const base = known !== undefined && size >= known.committedBytes ? known : undefined;
    const head = base?.head ?? (await readSegmentHead(path));
    const scan = await scanSegment(path, base?.committedBytes);
    const fragments =
      scan.fragments.length === 0 && base ? base.fragments : [...(base?.fragments ?? []), ...scan.fragments];
    const [first] = fragments;
    const loaded = first === undefined ? undefined : { segment: refOf(head, first, path), fragments };
    const { committedBytes, isEnded } = scan;
    return { head, fragments, loaded, changedMs: mtimeMs, isEnded, committedBytes, size };
  } catch (error) {
    // A head that is not complete yet holds nothing that could be read.
    if (isGone(error) || isAppError(error, 'data_loss')) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT' || isAppError(error, 'not_found');
}
