/**
 * What is counted of one request of the KVS API: metrics under AWS's names, and usage. A reader may stay for months and a producer
 * sends for most of an hour, so what they are is told when they are let in, and their bytes while they come.
 */

import type { Socket } from 'node:net';
import { type KvsMeter, type KvsStream, snakeCase } from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Subject } from './authoriser.ts';
import type { UsageBook } from './usage-book.ts';

export type KvsRequestCountDeps = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly meter: Pick<KvsMeter, 'add'>;
  readonly usage: Pick<UsageBook, 'open'>;
};

/** What is known of a request by now. Of a stream that could not be named nothing is counted, so that nobody makes series at will. */
export type KvsAsked = {
  /** As AWS calls it: `GetMedia`; empty when it is none. */
  readonly operation: string;
  readonly stream?: KvsStream | undefined;
  readonly subject?: Subject | undefined;
};

/** What AWS counts; their own rooms count fragments and what else they know better. */
const countedOperations: ReadonlySet<string> = new Set([
  'PutMedia',
  'GetMedia',
  'GetMediaForFragmentList',
  'ListFragments',
  'GetHLSStreamingSessionURL',
  'GetDASHStreamingSessionURL',
  'GetClip',
  'GetImages',
]);

/** Their answers have no end, or as much of one as a list has fragments: AWS counts no latency of them. */
const withoutLatency: ReadonlySet<string> = new Set(['GetMedia', 'GetMediaForFragmentList']);

export class KvsRequestCount {
  readonly #deps: KvsRequestCountDeps;
  readonly #socket: Pick<Socket, 'bytesRead' | 'bytesWritten'>;
  readonly #startMs: number;
  readonly #readBefore: number;
  readonly #writtenBefore: number;
  #end: (() => void) | undefined;

  /** To be made when the request comes. @param socket  its connection, which may have served others before */
  constructor(deps: KvsRequestCountDeps, socket: Pick<Socket, 'bytesRead' | 'bytesWritten'>) {
    this.#deps = deps;
    this.#socket = socket;
    this.#startMs = deps.clock.monotonicMs();
    this.#readBefore = socket.bytesRead;
    this.#writtenBefore = socket.bytesWritten;
  }

  /** It was let in, and media go on from here: of an upload this is what its producer waited for. */
  accepted(asked: KvsAsked): void {
    this.#begin(asked, { isSuccess: true });
    if (asked.operation === 'PutMedia') this.#addLatency(asked);
  }

  /** It is over, well or not. */
  over(asked: KvsAsked, { isSuccess }: { readonly isSuccess: boolean }): void {
    if (this.#end === undefined) this.#begin(asked, { isSuccess });
    this.#end?.();
    if (isSuccess && asked.operation !== 'PutMedia') this.#addLatency(asked);
  }

  #addLatency({ operation, stream }: KvsAsked): void {
    if (stream === undefined || !countedOperations.has(operation) || withoutLatency.has(operation)) return;
    const { clock, meter } = this.#deps;
    meter.add(`${operation}.Latency`, stream.name, clock.monotonicMs() - this.#startMs);
  }

  #begin({ operation, stream, subject }: KvsAsked, { isSuccess }: { readonly isSuccess: boolean }): void {
    if (stream === undefined || !countedOperations.has(operation)) return;
    const { meter, usage } = this.#deps;
    const isUpload = operation === 'PutMedia';
    const socket = this.#socket;
    this.#end = usage.open({
      streamId: stream.id,
      direction: isUpload ? 'in' : 'out',
      protocol: kebabCase(operation),
      ...(subject === undefined ? {} : { subject: { kind: subject.kind, id: subject.id } }),
      totalBytes: () => (isUpload ? socket.bytesRead - this.#readBefore : socket.bytesWritten - this.#writtenBefore),
    });
    // What becomes of an upload is counted by whoever records it.
    if (isUpload) return;
    meter.add(`${operation}.Requests`, stream.name, 1);
    meter.add(`${operation}.Success`, stream.name, isSuccess ? 1 : 0);
  }
}

/** `GetHLSStreamingSessionURL` as `get-hls-streaming-session-url`. */
function kebabCase(operation: string): string {
  return snakeCase(operation).replaceAll('_', '-');
}
