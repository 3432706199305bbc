/**
 * One session with a publisher: waits for whoever has the stream's key, takes what it sends, and ends with the reason. Waiting is
 * no failure: it lasts until somebody comes or the caller no longer wants it.
 */

import type { Clock } from '../../storage/base/clock.ts';
import type { Log } from '../../storage/base/log.ts';
import type { RtmpSource } from '../../storage/model/camera.ts';
import type { SourceEnd, SourceSink } from '../rtsp/index.ts';
import type { RtmpConnection } from './connection.ts';
import { RtmpDelivery } from './delivery.ts';
import { ends } from './ends.ts';
import type { RtmpListener } from './listener.ts';

export class RtmpSession {
  /** It comes to us: there is nothing to try again, and no reason to let it wait. */
  readonly isAwaited = true;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listener: RtmpListener;
  readonly #source: RtmpSource;

  constructor(
    deps: { readonly clock: Clock; readonly log: Log; readonly listener: RtmpListener },
    options: { readonly source: RtmpSource },
  ) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#listener = deps.listener;
    this.#source = options.source;
  }

  /**
   * Resolves with the reason for which the publisher's session ended, `shutdown` when the signal asked for it. Rejects only with
   * our own mistakes (a sink that throws among them).
   */
  run(sink: SourceSink, signal: AbortSignal): Promise<SourceEnd> {
    const { promise, resolve, reject } = Promise.withResolvers<SourceEnd>();
    let connection: RtmpConnection | undefined;
    let delivery: RtmpDelivery | undefined;
    const stop = (end: SourceEnd) => {
      if (connection === undefined) resolve(end);
      else connection.end(end);
    };
    const forget = this.#listener.expect(this.#source.keySha256, {
      get silentSinceMs() {
        return delivery?.lastMediaMs;
      },
      replace: () => stop(ends.replaced),
      claim: (claimed) => {
        connection = claimed;
        const clock = this.#clock;
        delivery = new RtmpDelivery({ clock, sink, onFault: stop });
        delivery.start();
        this.#log.info('rtmp publisher is there', { peer: claimed.peer });
        const { media } = delivery;
        claimed.accept({ media: media.bind(delivery), ended: resolve, crashed: reject });
      },
    });
    const onAbort = () => stop(ends.shutdown);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else if (connection === undefined) sink.waiting?.(this.#waiting());
    return promise.finally(() => {
      signal.removeEventListener('abort', onAbort);
      delivery?.close();
      forget();
    });
  }

  #waiting(): Pick<SourceEnd, 'reason' | 'message' | 'hint'> {
    const { fault, port } = this.#listener;
    if (fault !== undefined) {
      return {
        reason: 'no-publisher',
        message: `publishers cannot connect: port ${port} is not open (${fault})`,
        hint: 'give RTMP another port (rtmp.port), or end the program that has it',
      };
    }
    return {
      reason: 'no-publisher',
      message: 'no publisher has connected with the stream key',
      hint: `let the encoder publish to rtmp://<this server>:${port}/live/<stream key>`,
    };
  }
}
