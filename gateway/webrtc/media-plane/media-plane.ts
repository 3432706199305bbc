/**
 * The workers: started beside everything else, replaced when they die, looked for while their program is missing. Nobody waits for
 * them: `status` says how it stands, and `place` refuses with the same words.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import { mediaPlaneLimits } from './limits.ts';
import { freePort, listenAddressesOf, portTrouble } from './port-probe.ts';
import { RunningWorker } from './running-worker.ts';
import type { MediaWorker, PlaneStatus } from './types.ts';

export type MediaPlaneDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** 0..1, for delays. */
  readonly random: () => number;
};

export type MediaPlaneOptions = {
  /** The program, as far as it is there; asked again every few seconds while it is not. */
  readonly workerPath: () => string | undefined;
  /** What is to be said while it is not there. */
  readonly whyNoWorker?: () => { readonly state: 'building' | 'missing'; readonly reason: string };
  readonly workers: number;
  /** UDP and TCP; worker i has `port + i`. 0: any free one for each. */
  readonly port: number;
  /** `::` takes IPv6 beside IPv4. */
  readonly host: string;
  /** Addresses that peers are told besides this machine's own. */
  readonly announced: readonly string[];
};

type NotReady = Exclude<PlaneStatus, { readonly state: 'ready' }>;

/** A place for a worker, empty while there is none. */
type Slot = { worker: RunningWorker | undefined; status: NotReady };

const starting: NotReady = { state: 'starting', reason: 'the WebRTC worker is being started' };
const off: NotReady = { state: 'off', reason: 'WebRTC is not started' };
const missing = { state: 'missing', reason: 'the WebRTC worker (mediasoup) is not installed' } as const;

export class MediaPlane {
  readonly #deps: MediaPlaneDeps;
  readonly #options: MediaPlaneOptions;
  readonly #lifetime = new Lifetime();
  readonly #onChange = new Set<(status: PlaneStatus) => void>();
  readonly #slots: Slot[] = [];
  #status: PlaneStatus = off;
  #restarts = 0;

  constructor(deps: MediaPlaneDeps, options: MediaPlaneOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Begins to start the workers and returns at once. */
  async start(): Promise<void> {
    for (let index = 0; index < this.#options.workers; index++) {
      const slot: Slot = { worker: undefined, status: starting };
      this.#slots.push(slot);
      this.#lifetime.loop((signal) => this.#keep(slot, index, signal));
    }
    this.#say();
  }

  async close(): Promise<void> {
    await this.#lifetime.close();
    for (const slot of this.#slots) slot.status = off;
    this.#say();
  }

  status(): PlaneStatus {
    return this.#status;
  }

  /** Workers that run, of those that should, and how often one had to be replaced. */
  get figures(): {
    readonly alive: number;
    readonly wanted: number;
    readonly peers: number;
    readonly restarts: number;
  } {
    const alive = this.#slots.flatMap(({ worker }) => (worker?.isAlive ? [worker] : []));
    const peers = alive.reduce((sum, worker) => sum + worker.peers, 0);
    return { alive: alive.length, wanted: this.#options.workers, peers, restarts: this.#restarts };
  }

  /** Called with each new status. Returns how to be told no more. */
  onChange(callback: (status: PlaneStatus) => void): () => void {
    this.#onChange.add(callback);
    return () => this.#onChange.delete(callback);
  }

  /**
   * The worker for a peer that watches or sends `key`: the one that has it already, or else the one with the fewest peers.
   * @throws AppError unavailable         there is none; the message is the reason of `status`
   * @throws AppError resource_exhausted  all are full
   */
  place(key: string): MediaWorker {
    const { peersAheadMax, peersPerWorkerMax } = mediaPlaneLimits;
    const alive = this.#slots.flatMap(({ worker }) => (worker?.isAlive ? [worker] : []));
    const [emptiest] = alive.sort((left, right) => left.peers - right.peers);
    if (emptiest === undefined) {
      throw appError('unavailable', this.#status.state === 'ready' ? starting.reason : this.#status.reason);
    }
    if (emptiest.peers >= peersPerWorkerMax)
      throw appError('resource_exhausted', `all WebRTC workers have ${peersPerWorkerMax} peers`, {
        hint: 'raise webrtc.workers, up to the number of processors',
      });
    const most = Math.min(emptiest.peers + peersAheadMax, peersPerWorkerMax - 1);
    return alive.find((worker) => worker.peers <= most && worker.hasPeerOf(key)) ?? emptiest;
  }

  /** One slot, for as long as the plane runs. */
  async #keep(slot: Slot, index: number, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#deps;
    const { firstRetryMs, retryMsMax, stableMs, lookMs } = mediaPlaneLimits;
    const backoff = new Backoff({ firstDelayMs: firstRetryMs, delayMsMax: retryMsMax, random });
    while (!signal.aborted) {
      const path = this.#options.workerPath();
      if (path === undefined) {
        this.#set(slot, undefined, this.#options.whyNoWorker?.() ?? missing);
        await clock.sleep(lookMs, signal);
        continue;
      }
      if (slot.status.state !== 'failed') this.#set(slot, undefined, starting);
      try {
        const worker = await this.#start(path, index);
        const ended = new Promise<void>((resolve) => worker.onDied(resolve));
        const since = clock.monotonicMs();
        this.#set(slot, worker, starting);
        log.info('webrtc worker runs', { pid: worker.pid, port: worker.port });
        const close = () => void worker.close();
        signal.addEventListener('abort', close, { once: true });
        if (signal.aborted) close();
        await ended;
        signal.removeEventListener('abort', close);
        await worker.close();
        this.#set(slot, undefined, starting);
        this.#restarts++;
        if (clock.monotonicMs() - since > stableMs) backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        const { message, hint, context } = toAppError(error);
        const reason = hint === undefined ? message : `${message}: ${hint}`;
        if (slot.status.reason !== reason) log.error('webrtc has no worker', { error, ...context });
        this.#set(slot, undefined, { state: 'failed', reason });
      }
      await clock.sleep(backoff.nextDelayMs(), signal);
    }
  }

  async #start(path: string, index: number): Promise<RunningWorker> {
    const { host, announced, port: first } = this.#options;
    const listenAddresses = await listenAddressesOf(host);
    const port = first === 0 ? await freePort(listenAddresses) : first + index;
    const trouble = first === 0 ? undefined : await portTrouble(listenAddresses, port);
    if (trouble !== undefined) throw trouble;
    return RunningWorker.start({ log: this.#deps.log }, { path, listenAddresses, port, announced });
  }

  #set(slot: Slot, worker: RunningWorker | undefined, status: NotReady): void {
    slot.worker = worker;
    slot.status = status;
    this.#say();
  }

  #say(): void {
    const isReady = this.#slots.some(({ worker }) => worker !== undefined);
    const status: PlaneStatus = isReady ? { state: 'ready' } : (this.#slots[0]?.status ?? off);
    const isSame = JSON.stringify(status) === JSON.stringify(this.#status);
    this.#status = status;
    if (isSame) return;
    for (const callback of this.#onChange) callback(status);
  }
}
