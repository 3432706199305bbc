/** What WHIP sessions hand their media to: each publication is asked for at the camera's owner, then received and passed on. */

import type { Clock } from '../../../storage/base/clock.ts';
import type { AppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { ByteBudget } from '../../../storage/journal/index.ts';
import type { SourceEnd } from '../../rtsp/index.ts';
import type { Publication, Receiver, Reception } from '../sessions/index.ts';
import { receiveLimits } from './limits.ts';
import { PeerMedia } from './peer-media.ts';
import type { PutOwner } from './put-line.ts';
import { WhipPut } from './whip-put.ts';

export type WhipReceiverDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** The process that records a stream. */
  readonly ownerOf: (streamId: string) => PutOwner;
};

const publisherCharactersMax = 200;

export class WhipReceiver implements Receiver {
  readonly #deps: WhipReceiverDeps;
  readonly #budget = new ByteBudget(receiveLimits.queuesBytesMax);

  constructor(deps: WhipReceiverDeps) {
    this.#deps = deps;
  }

  async receive(publication: Publication): Promise<Reception> {
    const { clock, log, random, ownerOf } = this.#deps;
    const { streamId, worker, video, audio, publisher, keySha256 } = publication;
    const ending = Promise.withResolvers<string>();
    const stop = ({ message }: AppError | SourceEnd) => ending.resolve(message);
    const put = new WhipPut(
      {
        ...{ clock, log: log.child({ streamId }), owner: ownerOf(streamId), budget: this.#budget },
        wantKeyFrame: () => media.wantKeyFrame(),
        onEnded: stop,
      },
      {
        head: {
          ...{ kind: 'whip', streamId, peer: publisher.slice(0, publisherCharactersMax) },
          ...(keySha256 === undefined ? {} : { keySha256 }),
        },
      },
    );
    const media = new PeerMedia({ clock, random, worker, sink: put, onFault: stop }, { video, audio });
    let isClosed = false;
    const close = async (options: { readonly isLost?: boolean } = {}) => {
      isClosed = true;
      media.close();
      await put.close({ isCut: options.isLost ?? false });
    };
    try {
      await put.open();
      await media.start();
    } catch (error) {
      await close({ isLost: true });
      throw error;
    }
    return {
      onEnded: (callback) =>
        void ending.promise.then((reason) => {
          if (!isClosed) callback(reason);
        }),
      close,
    };
  }
}
