/**
 * One worker as viewers with other payload types see it. mediasoup rewrites a packet's payload type where it comes in, to the
 * router's, and never again: whoever offers to receive H.264 as 102 needs a router that calls it 102.
 */

import type { types } from 'mediasoup';
import { appError } from '../../../storage/base/errors.ts';
import { mediaPlaneLimits } from './limits.ts';
import { codecsSpeaking } from './router-codecs.ts';
import type { MediaWorker, PayloadTypes, PeerOptions } from './types.ts';

export type SpeakingDeps = {
  readonly createRouter: (codecs: types.RouterRtpCodecCapability[]) => Promise<types.Router>;
  readonly createPeerOn: (router: types.Router, options?: PeerOptions) => Promise<types.WebRtcTransport>;
  readonly createPlainOn: (router: types.Router) => Promise<types.PlainTransport>;
  readonly worker: MediaWorker;
};

type Speaking = MediaWorker & { readonly isUnused: () => boolean };

/** Those of one worker; the longest unused goes when there are too many. */
export class SpeakingWorkers {
  readonly #deps: SpeakingDeps;
  /** Least recently wanted first. Routers that are being made are among them. */
  readonly #all = new Map<string, Promise<Speaking>>();
  readonly #made = new Map<string, Speaking>();

  constructor(deps: SpeakingDeps) {
    this.#deps = deps;
  }

  /** @throws AppError  as `MediaWorker.speaking` */
  get(payloadTypes: PayloadTypes): Promise<MediaWorker> {
    const { h264, opus, pcmu, pcma } = payloadTypes;
    const key = [h264, opus, pcmu, pcma].join(' ');
    const known = this.#all.get(key);
    this.#all.delete(key);
    if (known === undefined) this.#makeRoom();
    const making = known ?? this.#make(key, payloadTypes);
    this.#all.set(key, making);
    return making;
  }

  #makeRoom(): void {
    if (this.#all.size < mediaPlaneLimits.routersMax) return;
    for (const key of this.#all.keys()) {
      const speaking = this.#made.get(key);
      if (speaking?.isUnused() !== true) continue;
      this.#all.delete(key);
      this.#made.delete(key);
      speaking.router.close();
      return;
    }
    throw appError('resource_exhausted', `viewers with ${mediaPlaneLimits.routersMax} different numberings are here`, {
      hint: 'close another live view first',
    });
  }

  async #make(key: string, payloadTypes: PayloadTypes): Promise<Speaking> {
    const { createRouter, createPeerOn, createPlainOn, worker } = this.#deps;
    try {
      const router = await createRouter(codecsSpeaking(payloadTypes));
      let uses = 0;
      const using = async <T>(making: () => Promise<T>): Promise<T> => {
        // A router to which something is being added is in use.
        uses++;
        return making().finally(() => uses--);
      };
      router.observer.on('newtransport', (transport) => {
        uses++;
        transport.observer.once('close', () => uses--);
      });
      const speaking: Speaking = {
        get isAlive() {
          return worker.isAlive && !router.closed;
        },
        port: worker.port,
        router,
        createPeer: (options) => using(() => createPeerOn(router, options)),
        createPlain: () => using(() => createPlainOn(router)),
        candidateAddresses: (...reachedAt) => worker.candidateAddresses(...reachedAt),
        speaking: (others) => worker.speaking(others),
        onDied: (callback) => worker.onDied(callback),
        isUnused: () => uses === 0,
      };
      this.#made.set(key, speaking);
      return speaking;
    } catch (error) {
      this.#all.delete(key);
      throw error;
    }
  }
}
