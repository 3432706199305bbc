/** One UDP socket that tells who asks from where they ask. Whatever becomes of it, nothing else does without. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Clock } from '../../../storage/base/clock.ts';
import { errnoOf } from '../../../storage/base/errors.ts';
import type { Closable } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { AnswerBudget } from './answer-budget.ts';
import { answerTo } from './message.ts';

export type StunAnswererDeps = { readonly clock: Pick<Clock, 'monotonicMs'>; readonly log: Log };

export type StunAnswererOptions = {
  /** `0.0.0.0` for all of IPv4, `::` for all of both. */
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
};

export class StunAnswerer implements Closable {
  readonly #deps: StunAnswererDeps;
  readonly #options: StunAnswererOptions;
  readonly #budget = new AnswerBudget();
  #socket: Socket | undefined;
  #port: number | undefined;

  constructor(deps: StunAnswererDeps, options: StunAnswererOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Where it is listened on now; undefined while nobody is answered. */
  get port(): number | undefined {
    return this.#port;
  }

  /** A port that cannot be had is told to the log, and nobody is answered then. */
  async start(): Promise<void> {
    const { address, port } = this.#options;
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on('error', (error) => {
      this.#deps.log.warn('stun is not answered', {
        ...{ address, port, errno: errnoOf(error), error },
        hint: 'name a port that is free in webrtc.stunPort, or 0 to do without',
      });
      void this.close().then(resolve);
    });
    socket.on('message', (request, source) => this.#answer(socket, request, source));
    socket.bind({ address, port, exclusive: true }, () => {
      this.#port = socket.address().port;
      this.#deps.log.info('stun is answered', { address, port: this.#port });
      resolve();
    });
    await promise;
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#port = undefined;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  }

  #answer(socket: Socket, request: Uint8Array, { address, port }: RemoteInfo): void {
    // Nothing listens there: somebody wrote it.
    if (port === 0) return;
    const answer = answerTo(request, { address, port });
    if (answer === undefined || !this.#budget.take(address, this.#deps.clock.monotonicMs())) return;
    // Who gets no answer asks again.
    socket.send(answer, port, address, () => {});
  }
}
