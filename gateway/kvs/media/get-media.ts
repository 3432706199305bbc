/**
 * GetMedia: a body without an end.
 *
 *   start selector -> number -> (list what follows, send it, wait for news) again and again
 *
 * Fragments are sent when they are whole: what is open may still be taken back. Nobody is waited for: each reader goes on when its
 * client has taken a piece.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import { type FragmentNumber, numberBefore } from '../../../storage/model/fragment-number.ts';
import { isImported } from '../../../storage/model/run.ts';
import { streamArn } from '../arns.ts';
import { type KvsBytes, type KvsCall, type KvsOperation, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { type KvsStream, kvsStreams, retentionFloorMs } from '../streams.ts';
import { type Beginning, beginningOf, endOf, firstAt } from './beginnings.ts';
import { closingBytes } from './documents.ts';
import { mediaLimits } from './limits.ts';
import { startSelectorMember } from './selectors.ts';
import { faultBytes, type SendDeps, sendFragment } from './send-fragment.ts';
import type { MediaFragment, MediaSource } from './source.ts';
import type { StreamTail, StreamTails } from './stream-tails.ts';

export type GetMediaDeps = SendDeps & {
  readonly clock: Clock;
  readonly source: MediaSource;
  readonly tails: StreamTails;
};

/** One reader. */
type Session = {
  readonly call: KvsCall;
  readonly streamId: string;
  readonly streamName: string;
  readonly beginning: Beginning;
  readonly tail: StreamTail;
  readonly leave: () => void;
};

/** Fragments that may be read, after a number. */
type Listed = {
  readonly references: readonly MediaFragment[];
  /** What comes next has a higher number. */
  readonly last: FragmentNumber | undefined;
  /** There is nothing after it now. */
  readonly isAll: boolean;
};

const action = 'kinesisvideo:GetMedia';
const operation = 'GetMedia';
const spelling = 'get-media';

export class GetMedia {
  readonly #deps: GetMediaDeps;
  readonly #connectionsPerStreamMax: number;
  /** By id, as the catalog had them when it changed last. */
  #streams: ReadonlyMap<string, KvsStream> | undefined;
  #isClosing = false;

  constructor(deps: GetMediaDeps, options: { readonly connectionsPerStreamMax: number }) {
    this.#deps = deps;
    this.#connectionsPerStreamMax = options.connectionsPerStreamMax;
  }

  get operation(): KvsOperation {
    return { action, run: (call) => this.#open(call) };
  }

  /** To be called when cameras or streams changed: readers of those that are gone end. */
  streamsChanged(): void {
    this.#streams = undefined;
    this.#deps.tails.renew();
  }

  /** Ends all readers. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#deps.tails.renew();
  }

  async #open(call: KvsCall): Promise<KvsBytes> {
    const { source, tails, meter } = this.#deps;
    const stream = requireStream(call, action);
    const { id: streamId, name: streamName } = stream;
    const selector = startSelectorMember(call.input);
    if (tails.readersOf(streamId) >= this.#connectionsPerStreamMax) {
      meter.add(`${operation}.ConnectionErrors`, streamName, 1);
      throw awsError('ConnectionLimitExceededException', 'The stream has as many GetMedia connections as it may have.');
    }
    const { tail, leave } = tails.join(streamId);
    // Whoever goes before the body was begun has left too.
    call.signal.addEventListener('abort', leave, { once: true });
    if (call.signal.aborted) leave();
    try {
      const floorMs = retentionFloorMs(stream, call.nowMs);
      const beginning = await beginningOf(selector, { source, streamId, floorMs });
      const body = this.#body({ call, streamId, streamName, beginning, tail, leave });
      return { kind: 'bytes', contentType: 'video/webm', body };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async *#body(session: Session): AsyncGenerator<Uint8Array> {
    const { call, streamName, beginning, tail, leave } = session;
    let number = beginning.after;
    let { from } = beginning;
    try {
      while (!call.signal.aborted && !this.#isClosing) {
        const { news } = tail;
        const stream = this.#streamOf(session);
        if (stream === undefined) return;
        let listed: Listed;
        try {
          listed = await this.#list(session, stream, number);
        } catch (error) {
          yield faultBytes(this.#deps, error, { head: undefined, number: undefined, streamName, spelling });
          return;
        }
        for (const [i, reference] of listed.references.entries()) {
          if (from !== undefined && endOf(reference.fragment, from.axis) <= from.atMs) continue;
          from = undefined;
          const isNewest = listed.isAll && i === listed.references.length - 1;
          if (!(yield* this.#send(session, reference, { isNewest }))) return;
          if (call.signal.aborted) return;
        }
        number = listed.last;
        if (listed.isAll) await tail.changed(news, call.signal);
      }
    } finally {
      leave();
    }
  }

  #send(
    { streamName }: Session,
    reference: MediaFragment,
    { isNewest }: { readonly isNewest: boolean },
  ): AsyncGenerator<Uint8Array, boolean> {
    const { clock, meter } = this.#deps;
    const { fragment } = reference;
    const closing = () => {
      const nowMs = clock.wallMs();
      meter.add(`${operation}.MillisBehindNow`, streamName, Math.max(0, nowMs - fragment.serverTimestampMs));
      // Who has the newest fragment is not behind, however long that one is.
      const behindMs = isNewest ? 0 : nowMs - fragmentEndMs(fragment);
      return closingBytes({ number: fragment.number, behindMs });
    };
    return sendFragment(this.#deps, reference, { operation, streamName, spelling, closing });
  }

  /** The next fragments that are not older than the stream's retention. */
  async #list({ streamId, beginning, tail }: Session, stream: KvsStream, number: FragmentNumber | undefined) {
    const floorMs = retentionFloorMs(stream, this.#deps.clock.wallMs());
    const found = await tail.after(number);
    const references = found.filter(
      ({ fragment, segment }) =>
        fragment.serverTimestampMs >= floorMs && !(beginning.isRecordedOnly && isImported(segment)),
    );
    const last = found.at(-1)?.fragment.number ?? number;
    const isAll = found.length < mediaLimits.batchFragments;
    const isAllTooOld = !isAll && found.every(({ fragment }) => fragment.serverTimestampMs < floorMs);
    if (!isAllTooOld || last === undefined) return { references, last, isAll };
    return { references, last: await this.#behindFloor(streamId, { floorMs, last }), isAll };
  }

  /** Where to go on after fragments that are all too old: what is left of them may be years, so they are leapt over. */
  async #behindFloor(
    streamId: string,
    { floorMs, last }: { readonly floorMs: number; readonly last: FragmentNumber },
  ): Promise<FragmentNumber> {
    const { source } = this.#deps;
    const first = await firstAt({ axis: 'server', atMs: floorMs }, { source, streamId, floorMs });
    const target =
      first === undefined ? (await source.latest(streamId))?.fragment.number : numberBefore(first.fragment.number);
    return target !== undefined && target > last ? target : last;
  }

  /** The stream as it is now; undefined when it was removed, or the reader may not read it any more. */
  #streamOf({ call, streamId }: Session): KvsStream | undefined {
    this.#streams ??= new Map(kvsStreams(call.tables).map((stream) => [stream.id, stream]));
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return undefined;
    return call.mayNow(action, { arn: streamArn(call.site, stream), streamId }) ? stream : undefined;
  }
}
