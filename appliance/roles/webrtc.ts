/** WebRTC, in the role `serve`: mediasoup's workers, and what Prometheus learns of them. Everything else goes on without them. */

import { availableParallelism } from 'node:os';
import { Counter, Gauge, type Registry } from 'prom-client';
import { MediaPlane, type PlaneFigures, StunAnswerer } from '../../gateway/webrtc/index.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Closable, Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { whyNoWorker, workerThere } from '../setup/index.ts';
import type { RoleContext } from './role-context.ts';

export type WebRtcParts = { readonly registry: Registry };

/** The parts of WebRTC, put together; nothing runs before `start`. */
export class WebRtc {
  readonly plane: MediaPlane;
  readonly #context: RoleContext;
  readonly #stun: StunAnswerer | undefined;

  constructor(context: RoleContext, { registry }: WebRtcParts) {
    const { clock, log, random, config } = context;
    const { address, port, workers, announcedAddresses, stunPort, turn } = config.webrtc;
    if (workers > availableParallelism()) {
      log.warn('webrtc has more workers than processors', { workers, processors: availableParallelism() });
    }
    this.#context = context;
    this.plane = new MediaPlane(
      { clock, log, random: fractionOf(random) },
      {
        ...{ workers, port, host: address ?? config.listen.address, announced: announcedAddresses },
        workerPath: () => workerThere(),
        whyNoWorker: () => whyNoWorker(),
      },
    );
    // A TURN server answers STUN, too. Ours has the address of the page, by whose host clients are told of it.
    const isStunOurs = stunPort > 0 && turn.urls.length === 0;
    this.#stun = isStunOurs
      ? new StunAnswerer({ clock, log }, { address: config.listen.address, port: stunPort })
      : undefined;
    addMetrics(registry, this.plane);
  }

  /** Where this process answers STUN; undefined while it does not. */
  get stunPort(): number | undefined {
    return this.#stun?.port;
  }

  /** Returns at once: the workers come when they can. @param sessions  what lives on them, and ends before them */
  async start(lifetime: Lifetime, sessions: readonly Closable[]): Promise<void> {
    if (!this.#context.config.webrtc.enabled) return;
    lifetime.own(this.plane);
    await this.plane.start();
    lifetime.defer(() => endSessions(sessions, this.#context));
    if (this.#stun === undefined) return;
    lifetime.own(this.#stun);
    await this.#stun.start();
  }
}

/**
 * Of the 5 s that the supervisor gives this process to end: workers that stand still are killed after another 2 s, and a recording
 * process or a disk that stands still is waited for by nobody.
 */
const sessionsEndMsMax = 2_500;

/** Ends all at the same time; what does not end within its time loses its workers. What was sent to owners by then is recorded. */
export async function endSessions(
  sessions: readonly Closable[],
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const { promise: isOver, resolve: over } = Promise.withResolvers<void>();
  const stopWaiting = clock.after(sessionsEndMsMax, () => {
    log.warn('webrtc sessions do not end and are left alone', { afterMs: sessionsEndMsMax });
    over();
  });
  const told = (error: unknown) => log.warn('webrtc sessions did not end cleanly', { error });
  void Promise.all(sessions.map((each) => each.close().catch(told))).then(() => over());
  await isOver;
  stopWaiting();
}

function addMetrics(registry: Registry, plane: MediaPlane): void {
  const registers = [registry];
  const gauges = {
    workers: ['weir_webrtc_workers', 'WebRTC workers that run'],
    wanted: ['weir_webrtc_workers_wanted', 'WebRTC workers that should run'],
    peers: ['weir_webrtc_peers', 'WebRTC peers that have a transport'],
  } as const satisfies Partial<Record<keyof PlaneFigures, readonly [string, string]>>;
  for (const [figure, [name, help]] of Object.entries(gauges) as [keyof typeof gauges, readonly [string, string]][]) {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(plane.figures[figure]);
      },
    });
  }
  const counters = {
    weir_webrtc_worker_restarts_total: ['WebRTC workers that died and were replaced', ({ restarts }) => restarts],
    weir_webrtc_sent_bytes_total: ['Bytes sent to WebRTC peers', ({ sentBytes }) => sentBytes],
    weir_webrtc_received_bytes_total: ['Bytes received of WebRTC peers', ({ receivedBytes }) => receivedBytes],
    weir_webrtc_worker_cpu_seconds_total: [
      'Processor time of WebRTC workers',
      ({ processorMs }) => processorMs / 1_000,
    ],
  } as const satisfies Record<string, readonly [string, (figures: PlaneFigures) => number]>;
  for (const [name, [help, of]] of Object.entries(counters)) {
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(of(plane.figures));
      },
    });
  }
}
