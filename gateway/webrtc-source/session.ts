/**
 * One session with a WHIP publisher: waits for whoever `serve` lets in, takes what it sends, and ends with the reason. Waiting is no
 * failure: it lasts until somebody comes or the caller no longer wants it.
 */

import type { Clock } from '../../storage/base/clock.ts';
import type { Log } from '../../storage/base/log.ts';
import type { WhipSource } from '../../storage/model/camera.ts';
import type { SourceEnd, SourceSink } from '../rtsp/index.ts';
import { ends } from './ends.ts';
import { MediaReceiver } from './media-receiver.ts';
import type { WhipPublisher } from './publisher.ts';
import type { WhipDoor } from './whip-door.ts';

export class WhipSession {
  /** It comes to us: there is nothing to try again, and no reason to let it wait. */
  readonly isAwaited = true;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #door: WhipDoor;
  readonly #streamId: string;
  readonly #source: WhipSource;

  constructor(
    deps: { readonly clock: Clock; readonly log: Log; readonly door: WhipDoor },
    options: { readonly streamId: string; readonly source: WhipSource },
  ) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#door = deps.door;
    this.#streamId = options.streamId;
    this.#source = options.source;
  }

  /**
   * Resolves with the reason for which the publisher's session ended, `shutdown` when the signal asked for it. Rejects only with
   * our own mistakes (a sink that throws among them).
   */
  run(sink: SourceSink, signal: AbortSignal): Promise<SourceEnd> {
    const { promise, resolve, reject } = Promise.withResolvers<SourceEnd>();
    let publisher: WhipPublisher | undefined;
    let receiver: MediaReceiver | undefined;
    const stop = (end: SourceEnd) => {
      if (publisher === undefined) resolve(end);
      else publisher.stop(end);
    };
    const forget = this.#door.expect(this.#streamId, {
      keySha256: this.#source.keySha256,
      get silentSinceMs() {
        return receiver?.lastMediaMs;
      },
      replace: () => stop(ends.replaced),
      claim: (claimed) => {
        publisher = claimed;
        const media = new MediaReceiver({ clock: this.#clock, sink, onFault: stop });
        receiver = media;
        media.start();
        this.#log.info('whip publisher is there', { peer: claimed.head.peer });
        claimed.accept({ bytes: (bytes) => media.push(bytes), ended: resolve, crashed: reject });
      },
    });
    const onAbort = () => stop(ends.shutdown);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else if (publisher === undefined) sink.waiting?.(waiting);
    return promise.finally(() => {
      signal.removeEventListener('abort', onAbort);
      receiver?.close();
      forget();
    });
  }
}

const waiting: Pick<SourceEnd, 'reason' | 'message' | 'hint'> = {
  reason: 'no-publisher',
  message: 'nobody publishes to this camera',
  hint: "let a browser, OBS or GStreamer publish by WHIP, with the stream key as its bearer token: the camera's settings tell the URL",
};
