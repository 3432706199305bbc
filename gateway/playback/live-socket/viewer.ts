/** One viewer's socket: what it does not take in time is dropped up to the next key frame, never kept without bound. */

import type { WebSocket } from 'ws';
import type { Clock } from '../../../storage/base/clock.ts';
import type { LeftOutTrack } from '../playable-tracks.ts';
import { liveSocketLimits } from './limits.ts';
import type { FeedViewer, LiveBegin } from './live-feed.ts';
import { type LiveMessage, liveCloseCodes, type TimePoint } from './messages.ts';
import type { LivePart } from './part-cutter.ts';

/** What is needed of a socket. */
export type ViewerSocket = Pick<WebSocket, 'send' | 'close' | 'terminate' | 'bufferedAmount' | 'readyState' | 'OPEN'>;

export class LiveViewer implements FeedViewer {
  readonly #clock: Clock;
  readonly #socket: ViewerSocket;
  readonly #canPlayH265: boolean;
  readonly #onDropped: () => void;
  readonly #hasRoom: () => boolean;
  #waitsForStart = true;
  #isLate = false;
  #isRefused = false;
  /** Since when something has been waiting, on the monotonic clock. */
  #waitingSinceMs: number | undefined;
  #dropped = 0;
  sentBytes = 0;

  constructor(
    deps: {
      readonly clock: Clock;
      readonly socket: ViewerSocket;
      readonly onDropped: () => void;
      /** False when too much waits for all viewers together. */
      readonly hasRoom: () => boolean;
    },
    options: { readonly canPlayH265: boolean },
  ) {
    this.#clock = deps.clock;
    this.#socket = deps.socket;
    this.#onDropped = deps.onDropped;
    this.#hasRoom = deps.hasRoom;
    this.#canPlayH265 = options.canPlayH265;
  }

  begin({ message, init }: LiveBegin): void {
    if (message.video?.codec === 'h265' && !this.#canPlayH265) {
      this.#refuse({
        code: 'unimplemented',
        message: 'the camera sends H.265, which is not converted for this way of watching',
        hint: 'HLS with ?video=h264 has it converted',
      });
      return;
    }
    this.#say(message);
    this.#send(init);
    this.#waitsForStart = true;
    this.#dropped = 0;
  }

  part(part: LivePart): void {
    if (this.#isRefused || this.#socket.readyState !== this.#socket.OPEN) return;
    const waiting = this.#socket.bufferedAmount;
    const nowMs = this.#clock.monotonicMs();
    if (waiting === 0) this.#waitingSinceMs = undefined;
    else this.#waitingSinceMs ??= nowMs;
    const waitingMs = nowMs - (this.#waitingSinceMs ?? nowMs);
    if (waitingMs > liveSocketLimits.viewerGoneMs) {
      this.#socket.terminate();
      return;
    }
    if (waitingMs > liveSocketLimits.viewerLateMs || this.#isTooMuch(waiting)) {
      this.#isLate = true;
      this.#waitsForStart = true;
    }
    // Everything that waits goes out first: whoever got the next key frame behind it would be late again at once.
    this.#isLate &&= waiting > 0;
    if (this.#isLate || (this.#waitsForStart && !part.isStart)) {
      this.#dropped++;
      this.#onDropped();
      return;
    }
    this.#waitsForStart = false;
    if (this.#dropped > 0) this.#say({ type: 'dropped', parts: this.#dropped });
    this.#dropped = 0;
    this.#send(part.bytes);
  }

  time(time: TimePoint): void {
    this.#say({ type: 'time', time });
  }

  away(reason: string): void {
    this.#say({ type: 'away', reason });
  }

  unplayable(leftOut: readonly LeftOutTrack[]): void {
    const why = leftOut.map(({ reason }) => reason).join('; ');
    this.#refuse({
      code: 'unimplemented',
      message: `nothing the camera sends can be played: ${why || 'it has no tracks'}`,
    });
  }

  ended(): void {
    this.#socket.close(liveCloseCodes.noStream, 'the stream is no more');
  }

  #isTooMuch(waiting: number): boolean {
    const { viewerBytesMax, unsentBytesFree } = liveSocketLimits;
    return waiting > viewerBytesMax || (waiting > unsentBytesFree && !this.#hasRoom());
  }

  #refuse(error: Extract<LiveMessage, { readonly type: 'refused' }>['error']): void {
    if (this.#isRefused) return;
    this.#say({ type: 'refused', error });
    this.#isRefused = true;
    this.#socket.close(liveCloseCodes.refused, 'refused');
  }

  #say(message: LiveMessage): void {
    if (!this.#isRefused && this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #send(bytes: Uint8Array): void {
    if (this.#isRefused || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(bytes);
    this.sentBytes += bytes.length;
  }
}
