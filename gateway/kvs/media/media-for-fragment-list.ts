/** GetMediaForFragmentList: fragments by their numbers, in the order of the request. All are found before the first is sent. */

import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { type KvsBytes, type KvsCall, type KvsOperation, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { retentionFloorMs } from '../streams.ts';
import { invalidNumbers, numbersMember } from './selectors.ts';
import { type SendDeps, sendFragment } from './send-fragment.ts';
import type { MediaFragment, MediaSource } from './source.ts';

export type FragmentListDeps = SendDeps & { readonly source: MediaSource };

const action = 'kinesisvideo:GetMediaForFragmentList';
const operation = 'GetMediaForFragmentList';

export class MediaForFragmentList {
  readonly #deps: FragmentListDeps;
  readonly #connectionsPerStreamMax: number;
  readonly #readers = new Map<string, number>();

  constructor(deps: FragmentListDeps, options: { readonly connectionsPerStreamMax: number }) {
    this.#deps = deps;
    this.#connectionsPerStreamMax = options.connectionsPerStreamMax;
  }

  get operation(): KvsOperation {
    return { action, run: (call) => this.#open(call) };
  }

  /** Readers of all streams. */
  get readers(): number {
    return [...this.#readers.values()].reduce((sum, count) => sum + count, 0);
  }

  async #open(call: KvsCall): Promise<KvsBytes> {
    const { source } = this.#deps;
    const stream = requireStream(call, action);
    const numbers = numbersMember(call.input);
    if (stream.retentionHours === 0) throw invalidNumbers();
    if ((this.#readers.get(stream.id) ?? 0) >= this.#connectionsPerStreamMax) {
      const message = 'The stream has as many GetMediaForFragmentList connections as it may have.';
      throw awsError('ClientLimitExceededException', message);
    }
    const leave = this.#join(stream.id);
    call.signal.addEventListener('abort', leave, { once: true });
    if (call.signal.aborted) leave();
    try {
      const found = await source.fragmentsOfNumbers(stream.id, numbers);
      const floorMs = retentionFloorMs(stream, call.nowMs);
      const references = numbers.map((number) => required(found, number, floorMs));
      const body = this.#body(call, references, { streamName: stream.name, leave });
      return { kind: 'bytes', contentType: 'video/webm', body };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async *#body(
    { signal }: KvsCall,
    references: readonly MediaFragment[],
    { streamName, leave }: { readonly streamName: string; readonly leave: () => void },
  ): AsyncGenerator<Uint8Array> {
    try {
      for (const reference of references) {
        const options = { operation, streamName, spelling: 'fragment-list' } as const;
        const isSent = yield* sendFragment(this.#deps, reference, options);
        if (!isSent || signal.aborted) return;
      }
    } finally {
      leave();
    }
  }

  #join(streamId: string): () => void {
    this.#readers.set(streamId, (this.#readers.get(streamId) ?? 0) + 1);
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      const left = (this.#readers.get(streamId) ?? 1) - 1;
      if (left === 0) this.#readers.delete(streamId);
      else this.#readers.set(streamId, left);
    };
  }
}

function required(
  found: ReadonlyMap<FragmentNumber, MediaFragment>,
  number: FragmentNumber,
  floorMs: number,
): MediaFragment {
  const reference = found.get(number);
  if (reference === undefined || reference.fragment.serverTimestampMs < floorMs) throw invalidNumbers();
  return reference;
}
