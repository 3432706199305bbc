/**
 * One connection of a producer, at the owner of its stream: Matroska bytes in, fragments into the journal and to live viewers,
 * acknowledgements out. Whatever is wrong with the bytes, the disk or us ends this connection and nothing else; what was whole by then
 * is kept and acknowledged first, and nothing is acknowledged that is not durable.
 *
 *   put =lane socket=> ProducerMedia -> number, server time -> SegmentWriter -> durable -> told
 */

import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, isAppError, toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { ByteBudget } from '../../storage/journal/index.ts';
import type { IncomingPut, PutAnswers } from '../../storage/lane/index.ts';
import type { Hint, OpenSegment } from '../../storage/model/hint.ts';
import type { RunEndReason } from '../../storage/model/run.ts';
import { AckQueue } from './ack-queue.ts';
import { faultOfStart } from './broken-start.ts';
import type { PutMediaCounters } from './counters.ts';
import { FragmentBook, type OpenedFragment } from './fragment-book.ts';
import { type PutMediaQuotas, putMediaLimits } from './limits.ts';
import { mediaError, mediaErrorOf } from './media-errors.ts';
import type { Ack, PutMediaEvent, PutMediaHead } from './messages.ts';
import { type FragmentOpening, type ProducerFrame, type ProducerHead, ProducerMedia } from './producer-media.ts';
import { notPersisted, ProducerRun, type ProducerRunDeps } from './producer-run.ts';
import type { Turns } from './turns.ts';

/** Live viewers of the stream. */
export type LiveMedia = {
  begin(fragment: OpenedFragment, head: Pick<ProducerHead, 'tracks' | 'timecodeScaleNs'>): void;
  /** Of the fragment that began last; its bytes are on their way to the journal. Borrowed until return. */
  frame(frame: ProducerFrame): void;
};

export type ReceiverDeps = Omit<ProducerRunDeps, 'budget' | 'onFailed'> & {
  readonly clock: Clock;
  readonly log: Log;
  readonly answers: PutAnswers;
  /** Of all producers of the process: on the way to the disk, and of elements that are not whole. */
  readonly budget: ByteBudget;
  readonly heldBudget: ByteBudget;
  readonly turns: Turns;
  readonly counters: PutMediaCounters;
  readonly live: LiveMedia;
  /** True where fragments are kept beyond what live readers need: only then PERSISTED is told. */
  readonly hasRetention: () => boolean;
  readonly hasNumbersAhead: () => boolean;
  /** Another connection of this stream began later. */
  readonly isNewerThere: () => boolean;
  /** The connection of this stream before this one broke, or may have. */
  readonly isContinued: boolean;
  /** It takes no more media. */
  readonly onOver: () => void;
  /** Its files are finished, too. */
  readonly onClosed: () => void;
};

/** Whether everything is told and stored is looked at so often while it ends. */
const lookMs = 10;
/** The last acknowledgements of a producer that does not read are given up after this. */
const tellMsMax = 5_000;

export class PutMediaReceiver implements IncomingPut {
  readonly #deps: ReceiverDeps;
  readonly #head: PutMediaHead;
  readonly #quotas: PutMediaQuotas;
  readonly #budget: ByteBudget;
  readonly #acks: AckQueue;
  readonly #run: ProducerRun;
  readonly #media: ProducerMedia;
  readonly #beganMs: number;
  readonly #fragments: FragmentBook;
  #described: ProducerHead | undefined;
  #heldBytes = 0;
  #lastBytesMs: number;
  #idleToldMs = 0;
  /** Since when it is not read, as something of ours has no room. */
  #pausedSinceMs: number | undefined;
  #cancelSettle: (() => void) | undefined;
  #journalFailure: AppError | undefined;
  #isHeard = true;
  #isBroken = false;
  #closing: Promise<void> | undefined;

  constructor(
    deps: ReceiverDeps,
    options: {
      readonly head: PutMediaHead;
      readonly quotas: PutMediaQuotas;
      readonly isRing: boolean;
    },
  ) {
    this.#deps = deps;
    const { head, quotas, isRing } = options;
    this.#head = head;
    this.#quotas = quotas;
    this.#beganMs = deps.clock.monotonicMs();
    this.#lastBytesMs = this.#beganMs;
    this.#budget = deps.budget.share(putMediaLimits.shareBytesMax);
    this.#acks = new AckQueue(deps);
    this.#fragments = new FragmentBook({ ...deps, tell: (ack) => this.#tell(ack) });
    this.#run = new ProducerRun(
      {
        ...deps,
        budget: this.#budget,
        onHint: (hint) => this.#onHint(hint),
        onFailed: (error) => {
          this.#journalFailure ??= error;
          this.#finish(notPersisted(error));
        },
      },
      { streamId: head.streamId, isRing },
    );
    this.#media = new ProducerMedia(
      {
        sink: {
          head: (described) => {
            this.#run.describe(described);
            this.#described = described;
          },
          begin: (opening) => this.#begin(opening),
          bytes: (bytes) => this.#run.write(bytes),
          frame: (frame) => this.#frame(frame),
          whole: () => this.#fragments.whole(),
          commit: (end) => {
            this.#run.commit(end);
            this.#fragments.committed();
          },
        },
      },
      { timecodes: head.timecodes, producerStartMs: head.producerStartMs, quotas },
    );
  }

  get openSegments(): readonly OpenSegment[] {
    return this.#run.openSegments;
  }

  get isRecording(): boolean {
    return this.#run.runId !== undefined;
  }

  /** Its connection ended before its media did. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Where a lane that joins now finds the fragment being written, if it has pieces that are not too large. */
  get openFragment() {
    const open = this.#run.openFragment;
    const runId = this.#run.runId;
    return open === undefined || runId === undefined ? undefined : { ...open, runId };
  }

  /** To be called at once: the producer is told that the stream takes its media. */
  accept(): void {
    this.#deps.answers.event({ kind: 'accepted' } satisfies PutMediaEvent);
  }

  bytes(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#closing !== undefined) return undefined;
    const { clock, counters, turns } = this.#deps;
    this.#lastBytesMs = clock.monotonicMs();
    this.#idleToldMs = this.#lastBytesMs;
    counters.incomingBytes += bytes.length;
    const pauseMs = turns.work(() => this.#contained(() => this.#media.push(bytes)));
    this.#accountHeld();
    this.#settleLater();
    if (this.#closing !== undefined || (pauseMs === 0 && this.#hasRoom)) return undefined;
    return this.#untilRoom(pauseMs);
  }

  end({ isCut }: { readonly isCut: boolean }): void {
    if (this.#closing !== undefined) return;
    if (isCut) {
      this.#isBroken = true;
      this.#finish(mediaError('read-error', 'the body broke off'));
      return;
    }
    this.#contained(() => this.#media.end());
    this.#finish(undefined);
  }

  /** The sender is gone; what is not whole comes again on another connection. */
  lost(): void {
    this.#isHeard = false;
    this.#isBroken ||= this.#closing === undefined;
    this.#finish(mediaError('read-error', 'the connection broke'));
  }

  /** The stream, or the process, ends; what is whole is kept and told, then the producer is to try again. */
  async close(reason: RunEndReason): Promise<void> {
    this.#finish(
      reason === 'camera-removed'
        ? mediaError('stream-not-active', 'the stream was deleted')
        : mediaError('internal', 'the recording process ends'),
      reason,
    );
    await this.#closing;
    await this.#run.ended();
  }

  /** Nothing came for so long that the producer was told so. */
  get isSilent(): boolean {
    const silentMs = this.#deps.clock.monotonicMs() - this.#lastBytesMs;
    return this.#pausedSinceMs === undefined && silentMs >= putMediaLimits.idleMs;
  }

  /** Another connection of the stream needs its place. */
  giveWay(): void {
    this.#isBroken ||= this.#closing === undefined;
    this.#finish(mediaError('read-error', 'another connection took its place'));
  }

  /** To be called about twice a second. */
  tick(): void {
    if (this.#closing !== undefined) return;
    this.#acks.flush();
    const { clock, isNewerThere } = this.#deps;
    const nowMs = clock.monotonicMs();
    const stall = this.#stallAt(nowMs);
    if (stall !== undefined) {
      this.#finish(stall);
      return;
    }
    const { open } = this.#fragments;
    const isOpen = open !== undefined;
    const ageMs = nowMs - this.#beganMs;
    if (ageMs > this.#quotas.connectionMsMax + (isOpen ? putMediaLimits.connectionGraceMs : 0)) {
      this.#finish(tooOld());
      return;
    }
    // What we do not read is no silence.
    if (this.#pausedSinceMs !== undefined) this.#lastBytesMs = nowMs;
    const silentMs = nowMs - this.#lastBytesMs;
    const isInTheWay = isOpen && isNewerThere();
    if (isInTheWay && nowMs - open.firstByteMs >= putMediaLimits.openMsMaxBesideNewer) {
      this.#finish(mediaError('read-error', 'its fragment holds back those of a newer connection'));
      return;
    }
    const silentMsMax = isInTheWay ? putMediaLimits.silenceMsBesideNewer : putMediaLimits.silenceMsMax;
    if (silentMs >= silentMsMax) {
      this.#finish(isOpen ? mediaError('read-error', 'nothing more came') : undefined);
    } else if (silentMs >= putMediaLimits.idleMs && nowMs - this.#idleToldMs >= putMediaLimits.idleMs) {
      this.#idleToldMs = nowMs;
      this.#tell({ kind: 'idle' });
    }
  }

  /** Runs what outside bytes decide; nothing that happens in there reaches the cameras. */
  #contained(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isAppError(error)) this.#deps.log.error('put-media failed', { error });
      this.#finish(isAppError(error) ? faultOfStart(error, this.#deps) : toAppError(error));
    }
  }

  #begin(opening: FragmentOpening): void {
    const firstByteMs = this.#deps.clock.monotonicMs();
    // Its number would be wasted: the producer sends it again on another connection.
    if (firstByteMs - this.#beganMs > this.#quotas.connectionMsMax) throw tooOld(opening.timecodeMs);
    const fragment = { ...opening, ...this.#numbered(opening) };
    this.#fragments.begin(fragment, firstByteMs);
    if (this.#described !== undefined) this.#deps.live.begin(fragment, this.#described);
  }

  /** @throws AppError  about this fragment */
  #numbered(opening: FragmentOpening): ReturnType<ProducerRun['begin']> {
    try {
      return this.#run.begin(opening);
    } catch (error) {
      if (!isAppError(error)) throw error;
      throw mediaError(mediaErrorOf(error), error.message, { cause: error, timecodeMs: opening.timecodeMs });
    }
  }

  #frame(frame: ProducerFrame): void {
    this.#deps.counters.incomingFrames++;
    this.#deps.live.frame(frame);
  }

  #onHint(hint: Hint): void {
    const isKept = this.#deps.hasRetention();
    const { runId } = hint;
    if (hint.kind === 'durable') this.#fragments.stored({ runId, number: hint.number }, { isKept });
    if (hint.kind === 'committed' && !isKept) {
      this.#fragments.stored({ runId, number: hint.fragment.number }, { isKept });
    }
    this.#deps.onHint(hint);
  }

  #tell(ack: Ack): void {
    if (this.#isHeard && (this.#head.wantsAcks || ack.kind === 'error')) this.#acks.add(ack);
  }

  /** A whole fragment is not held longer than its tags may take. */
  #settleLater(): void {
    if (!this.#media.isHolding || this.#cancelSettle !== undefined) return;
    this.#cancelSettle = this.#deps.clock.after(putMediaLimits.tagsWaitMs, () => {
      this.#cancelSettle = undefined;
      if (this.#closing !== undefined) return;
      const nowMs = this.#deps.clock.monotonicMs();
      const silentMs = nowMs - this.#lastBytesMs;
      const heldMs = nowMs - (this.#fragments.heldSinceMs ?? nowMs);
      const isPaused = this.#pausedSinceMs !== undefined;
      const mayWait = silentMs < putMediaLimits.tagsWaitMs && heldMs < putMediaLimits.tagsWaitMsMax;
      if (mayWait && !isPaused) this.#settleLater();
      else this.#contained(() => this.#media.settle());
    });
  }

  get #hasRoom(): boolean {
    return (
      this.#budget.used <= putMediaLimits.flightBytesMax &&
      this.#deps.budget.used <= putMediaLimits.bytesMax / 2 &&
      this.#acks.hasRoom &&
      this.#deps.hasNumbersAhead()
    );
  }

  async #untilRoom(pauseMs: number): Promise<void> {
    const { clock } = this.#deps;
    this.#pausedSinceMs = clock.monotonicMs();
    if (pauseMs > 0) await clock.sleep(pauseMs);
    while (this.#closing === undefined && !this.#hasRoom) {
      this.#acks.flush();
      await clock.sleep(lookMs);
    }
    this.#pausedSinceMs = undefined;
    this.#lastBytesMs = clock.monotonicMs();
  }

  /** The beginning of an element that is larger than usual ones has a budget of its own. */
  #accountHeld(): void {
    const { heldBudget } = this.#deps;
    const isOver = this.#closing !== undefined;
    const bytes = isOver ? 0 : Math.max(0, this.#media.heldBytes - putMediaLimits.heldBytesFree);
    if (bytes <= this.#heldBytes) {
      heldBudget.give(this.#heldBytes - bytes);
      this.#heldBytes = bytes;
    } else if (heldBudget.take(bytes - this.#heldBytes)) {
      this.#heldBytes = bytes;
    } else {
      this.#finish(mediaError('internal', 'too many large frames at the same time', { bytes }));
    }
  }

  /** What has to move and does not, or undefined. */
  #stallAt(nowMs: number): AppError | undefined {
    const waitedMs = putMediaLimits.persistMsMax;
    const sinceMs = Math.min(this.#fragments.waitingSinceMs ?? nowMs, this.#pausedSinceMs ?? nowMs);
    if (nowMs - sinceMs <= waitedMs) return undefined;
    if (!this.#acks.hasRoom) return mediaError('read-error', 'the producer does not read what it is told');
    return this.#stalled('the disk did not take a fragment in time');
  }

  #stalled(message: string): AppError {
    const error = mediaError('not-persisted', message, { waitedMs: putMediaLimits.persistMsMax });
    this.#journalFailure ??= error;
    if (this.#budget.used > 0) this.#run.giveUp(error, 'disk-stalled');
    return error;
  }

  /** The first call counts. */
  #finish(fault: AppError | undefined, reason?: RunEndReason): void {
    if (this.#closing !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closing = promise;
    this.#cancelSettle?.();
    this.#accountHeld();
    void this.#close(fault, reason ?? (fault === undefined ? 'source-closed' : runEndReasonOf(fault))).then(resolve);
  }

  async #close(fault: AppError | undefined, reason: RunEndReason): Promise<void> {
    const { answers, clock, counters, log, onOver, onClosed } = this.#deps;
    const failure = await this.#keepWhole();
    const error = failure ?? fault;
    log.info('put-media ended', { reason, ...(error === undefined ? {} : { fault: error.message, ...error.context }) });
    onOver();
    if (error !== undefined) {
      counters.connectionErrors++;
      if (this.#isHeard) counters.errorAcks++;
      this.#tell(this.#errorAck(error));
    }
    const giveUpMs = clock.monotonicMs() + tellMsMax;
    while (!this.#acks.isEmpty && this.#isHeard && clock.monotonicMs() < giveUpMs) {
      this.#acks.flush();
      if (!this.#acks.isEmpty) await clock.sleep(lookMs);
    }
    this.#fragments.giveUp();
    answers.done({});
    this.#run.end(reason);
    void this.#run.ended().then(onClosed);
  }

  /** Commits what is whole, drops what is not, and waits until all of it is told. @returns  why that failed */
  async #keepWhole(): Promise<AppError | undefined> {
    const { clock, log } = this.#deps;
    try {
      if (this.#journalFailure === undefined) this.#media.settle();
      this.#run.abort();
    } catch (error) {
      if (!isAppError(error)) log.error('put-media failed', { error });
      this.#journalFailure ??= toAppError(error);
    }
    this.#fragments.dropRest();
    const untilMs = clock.monotonicMs() + putMediaLimits.persistMsMax;
    while (this.#fragments.isWaiting && this.#journalFailure === undefined) {
      if (clock.monotonicMs() > untilMs) this.#stalled('the disk did not confirm the last fragments in time');
      else await clock.sleep(lookMs);
    }
    return this.#fragments.isWaiting ? this.#journalFailure : undefined;
  }

  /**
   * About what the producer has to send again, or to leave out: the oldest fragment that was not stored, or the one that the error
   * names. About none where all were stored: a producer that is told one of those would send it twice.
   */
  #errorAck(error: AppError): Ack {
    const name = mediaErrorOf(error);
    const { oldest } = this.#fragments;
    if (oldest !== undefined) {
      return { kind: 'error', error: name, timecodeMs: oldest.timecodeMs, number: oldest.number };
    }
    const { timecodeMs } = error.context;
    return { kind: 'error', error: name, ...(typeof timecodeMs === 'number' ? { timecodeMs } : {}) };
  }
}

function tooOld(timecodeMs?: number): AppError {
  const about = timecodeMs === undefined ? {} : { timecodeMs };
  return mediaError('connection-too-old', 'the connection is older than it may be', about);
}

function runEndReasonOf(error: AppError): RunEndReason {
  switch (mediaErrorOf(error)) {
    case 'read-error':
      return 'connection-lost';
    case 'connection-too-old':
      return 'source-closed';
    case 'stream-not-active':
      return 'camera-removed';
    case 'not-persisted':
      return 'write-failed';
    default:
      return 'source-error';
  }
}
