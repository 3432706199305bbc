/**
 * What a publisher sends, to the camera's owner: one put for as long as both are there, and another when the owner comes back. Never waits:
 * while the owner is slow or away whole groups of pictures are left out, and it is told of that.
 *
 *   session, unit, loss ... -> MediaWriter -> PutLine =lane socket=> owner
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, isAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { SessionReason } from '../../rtsp/index.ts';
import { isAccepted, MediaWriter, type WhipHead } from '../../webrtc-source/index.ts';
import { receiveLimits } from './limits.ts';
import { isTransient, PutLine, type PutOwner, type QueueBudget } from './put-line.ts';
import type { MediaSink } from './types.ts';

export type WhipPutDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: PutOwner;
  readonly budget: QueueBudget;
  /** A picture that is decodable alone is needed to go on: `PeerMedia.wantKeyFrame`. */
  readonly wantKeyFrame: () => void;
  /** The owner has ended it for good, or was away for too long. Called once, never after `close`. */
  readonly onEnded: (error: AppError) => void;
};

/** One put to the owner; its stream begins when its first key frame does. */
type Link = {
  readonly line: PutLine;
  writer: MediaWriter;
  /** Something of the writer is on its way: what follows continues that. */
  hasBegun: boolean;
  /** It was told of the session that goes on. */
  hasSession: boolean;
  isAccepted: boolean;
};

export class WhipPut implements MediaSink {
  readonly #deps: WhipPutDeps;
  readonly #head: WhipHead;
  #tracks: readonly Track[] = [];
  #link: Link | undefined;
  /** The owner found the publisher silent: the next unit asks for the stream again. */
  #isResting = false;
  #isClosed = false;
  /** Left out since the last unit that was sent; undefined while nothing is. */
  #leftOut: number | undefined;

  constructor(deps: WhipPutDeps, options: { readonly head: WhipHead }) {
    this.#deps = deps;
    this.#head = options.head;
  }

  /**
   * Asks the owner for the stream; it waits up to 3 s for another publisher to fall silent.
   *
   * @throws AppError already_exists       another publisher sends
   * @throws AppError failed_precondition  the camera takes no publisher
   * @throws AppError permission_denied    another stream key is the camera's by now
   * @throws AppError not_found            no such stream
   * @throws AppError unavailable          its owner is away
   */
  async open(): Promise<void> {
    const link = this.#connect({ openMsMax: receiveLimits.firstOpenMsMax });
    await link.line.accepted;
    void this.#tend(link);
  }

  /** @param options.isCut  the publisher was lost, it did not end its stream */
  async close({ isCut = false }: { readonly isCut?: boolean } = {}): Promise<void> {
    this.#isClosed = true;
    await this.#link?.line.close({ isCut });
  }

  session(tracks: readonly Track[], reason: SessionReason): void {
    this.#tracks = tracks;
    const link = this.#link;
    // Another put, or another place in this one, begins with a key frame and tells the tracks then.
    if (link === undefined || !link.hasSession || this.#leftOut !== undefined) {
      if (link !== undefined) link.hasSession = false;
      return;
    }
    if (link.line.push(link.writer.session(tracks, reason))) return;
    link.hasSession = false;
    this.#leaveOut(link);
  }

  unit(unit: AccessUnit): void {
    if (this.#isResting) {
      this.#isResting = false;
      this.#reconnect();
    }
    const link = this.#link;
    if (link === undefined || this.#isClosed) return;
    if (this.#leftOut !== undefined || !link.hasSession) {
      if (!this.#canBeginWith(unit, link)) {
        this.#leftOut = (this.#leftOut ?? 0) + 1;
        return;
      }
      if (!this.#begin(link)) return;
    }
    if (!link.line.push(link.writer.unit(unit))) this.#leaveOut(link);
  }

  loss(loss: { readonly trackNumber: number; readonly packets: number }): void {
    this.#link?.writer.loss(loss);
  }

  clock(clock: { readonly offsetMs: number; readonly driftPpm: number | undefined }): void {
    this.#link?.writer.clock(clock);
  }

  warning(text: string): void {
    this.#link?.writer.warning(text);
  }

  /** With a key frame, and when half of what may wait has gone. */
  #canBeginWith({ trackNumber, isKey }: AccessUnit, { line }: Link): boolean {
    const video = this.#tracks.find(({ kind }) => kind === 'video');
    const isLead = video === undefined || trackNumber === video.number;
    return isLead && isKey && line.queuedBytes <= receiveLimits.queueBytesMax / 2;
  }

  /** @returns  false when there is no room even for that: another key frame tries again */
  #begin(link: Link): boolean {
    const leftOut = this.#leftOut;
    if (!link.hasSession) {
      link.hasSession = link.line.push(link.writer.session(this.#tracks, 'started'));
      if (link.hasSession) link.hasBegun = true;
      else {
        if (!link.hasBegun) link.writer = new MediaWriter();
        this.#leaveOut(link);
        return false;
      }
    } else if (leftOut !== undefined) {
      for (const { number } of this.#tracks) link.writer.loss({ trackNumber: number, packets: leftOut });
    }
    this.#leftOut = undefined;
    return true;
  }

  /** The owner does not keep up: nothing more goes to it up to a key frame for which there is room. */
  #leaveOut(link: Link): void {
    this.#leftOut = (this.#leftOut ?? 0) + 1;
    const { streamId } = this.#head;
    this.#deps.log.counted('media of a publisher is left out: its recorder is slow', 1, {
      streamId,
      queuedBytes: link.line.queuedBytes,
    });
    this.#deps.wantKeyFrame();
  }

  #connect({ openMsMax }: { readonly openMsMax: number }): Link {
    const { clock, owner, budget } = this.#deps;
    const line = new PutLine({ clock, owner, budget }, { head: this.#head, isAccepted, openMsMax });
    const link: Link = { line, writer: new MediaWriter(), hasBegun: false, hasSession: false, isAccepted: false };
    line.accepted.then(
      () => (link.isAccepted = true),
      () => {},
    );
    line.start();
    this.#link = link;
    return link;
  }

  #reconnect(): void {
    const link = this.#connect({ openMsMax: receiveLimits.ownerAwayMsMax });
    void this.#tend(link);
    link.line.accepted.then(this.#deps.wantKeyFrame, () => {});
  }

  async #tend(link: Link): Promise<void> {
    const { log, onEnded } = this.#deps;
    const error = await link.line.over;
    if (this.#isClosed || this.#link !== link) return;
    this.#link = undefined;
    this.#leftOut = undefined;
    if (error === undefined) return;
    const { streamId } = this.#head;
    if (isAppError(error, 'cancelled')) this.#isResting = true;
    else if (isTransient(error) && link.isAccepted) {
      log.warn('the recording process of a publisher is away and is looked for', { streamId, error });
      this.#reconnect();
    } else onEnded(error);
  }
}
