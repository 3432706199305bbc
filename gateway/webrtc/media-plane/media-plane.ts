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
import { type PeerUse, placeOf } from './placing.ts';
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

/** For Prometheus. */
export type PlaneFigures = {
  readonly workers: number;
  readonly wanted: number;
  readonly peers: number;
  readonly restarts: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly processorMs: number;
};

/** A place for a worker, empty while there is none. */
type Slot = { worker: RunningWorker | undefined; status: NotReady };

const starting: NotReady = { state: 'starting', reason: 'the WebRTC worker is being started' };
const off: NotReady = { state: 'off', reason: 'WebRTC is switched off (webrtc.enabled)' };
const missing = { state: 'missing', reason: 'the WebRTC worker (mediasoup) is not installed' } as const;

export class MediaPlane {
  readonly #deps: MediaPlaneDeps;
  readonly #options: MediaPlaneOptions;
  readonly #lifetime = new Lifetime();
  readonly #onChange = new Set<(status: PlaneStatus) => void>();
  readonly #slots: Slot[] = [];
  readonly #totals = { sentBytes: 0, receivedBytes: 0, processorMs: 0 };
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
    this.#lifetime.loop((signal) => this.#count(signal));
    this.#say();
  }

  async close(): Promise<void> {
    await this.#lifetime.close();
    for (const slot of this.#slots) this.#set(slot, undefined, off);
  }

  status(): PlaneStatus {
    return this.#status;
  }

  /** Why a worker that should run does not, where it will not come by itself soon: also while others are there. */
  get trouble(): string | undefined {
    const slot = this.#slots.find(({ worker, status }) => worker === undefined && isTrouble(status));
    return slot?.status.reason;
  }

  /** Workers that run, of those that should; bytes and processor time are those of a few seconds ago. */
  get figures(): PlaneFigures {
    const alive = this.#alive();
    const peers = alive.reduce((sum, worker) => sum + worker.peers, 0);
    const isOn = this.#slots.length > 0;
    return {
      workers: alive.length,
      wanted: isOn ? this.#options.workers : 0,
      peers,
      restarts: this.#restarts,
      ...this.#totals,
    };
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
  place(key: string, use: PeerUse = {}): MediaWorker {
    const [first, ...others] = this.#alive();
    if (first !== undefined) return placeOf([first, ...others], key, use);
    throw appError('unavailable', this.#status.state === 'ready' ? starting.reason : this.#status.reason);
  }

  #alive(): RunningWorker[] {
    return this.#slots.flatMap(({ worker }) => (worker?.isAlive ? [worker] : []));
  }

  /** Adds up what workers tell of themselves, and ends one that tells nothing. Those without peers are not asked. */
  async #count(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(mediaPlaneLimits.countEveryMs, signal);
      const busy = this.#alive().filter(({ peers }) => peers > 0);
      await Promise.all(busy.map((worker) => this.#countOne(worker)));
    }
  }

  async #countOne(worker: RunningWorker): Promise<void> {
    const { clock, log } = this.#deps;
    const stopWaiting = clock.after(mediaPlaneLimits.answerMsMax, () => {
      log.error('webrtc worker does not answer and is ended', { pid: worker.pid });
      worker.kill();
    });
    const more = await worker.used();
    stopWaiting();
    this.#totals.sentBytes += more.sentBytes;
    this.#totals.receivedBytes += more.receivedBytes;
    this.#totals.processorMs += more.processorMs;
  }

  /** One slot, for as long as the plane runs. */
  async #keep(slot: Slot, index: number, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#deps;
    const { firstRetryMs, retryMsMax, stableMs, lookMs, deathsMax } = mediaPlaneLimits;
    const backoff = new Backoff({ firstDelayMs: firstRetryMs, delayMsMax: retryMsMax, random });
    let deaths = 0;
    while (!signal.aborted) {
      try {
        const path = this.#options.workerPath();
        if (path === undefined) {
          this.#set(slot, undefined, this.#options.whyNoWorker?.() ?? missing);
          await clock.sleep(lookMs, signal);
          continue;
        }
        if (slot.status.state !== 'failed') this.#set(slot, undefined, starting);
        const worker = await this.#start(path, index, signal);
        const since = clock.monotonicMs();
        log.info('webrtc worker runs', { pid: worker.pid, port: worker.port });
        this.#set(slot, worker, starting);
        await this.#untilEnd(worker, signal);
        if (signal.aborted) return;
        this.#restarts++;
        const isStable = clock.monotonicMs() - since > stableMs;
        if (isStable) backoff.reset();
        deaths = isStable ? 1 : deaths + 1;
        this.#set(slot, undefined, deaths > deathsMax ? dying(deaths) : starting);
      } catch (error) {
        if (signal.aborted) return;
        const { message, hint } = toAppError(error);
        const reason = hint === undefined ? message : `${message}: ${hint}`;
        if (slot.status.reason !== reason) log.error('webrtc worker not started', { error, hint });
        this.#set(slot, undefined, { state: 'failed', reason });
      }
      await clock.sleep(backoff.nextDelayMs(), signal);
    }
  }

  /** Of the worker, or of the plane; its process is gone then. */
  async #untilEnd(worker: RunningWorker, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        signal.removeEventListener('abort', end);
        resolve();
      };
      signal.addEventListener('abort', end, { once: true });
      worker.onDied(end);
      if (signal.aborted) end();
    });
    await worker.close(this.#deps.clock);
  }

  async #start(path: string, index: number, signal: AbortSignal): Promise<RunningWorker> {
    const { host, announced, port: first } = this.#options;
    const listenAddresses = await listenAddressesOf(host);
    const port = first === 0 ? await freePort(listenAddresses) : first + index;
    const trouble = first === 0 ? undefined : await portTrouble(listenAddresses, port);
    if (trouble !== undefined) throw trouble;
    return RunningWorker.start(this.#deps, { path, listenAddresses, port, announced }, signal);
  }

  #set(slot: Slot, worker: RunningWorker | undefined, status: NotReady): void {
    slot.worker = worker;
    slot.status = status;
    this.#say();
  }

  #say(): void {
    const isReady = this.#slots.some(({ worker }) => worker !== undefined);
    const status: PlaneStatus = isReady ? { state: 'ready' } : (this.#slots[0]?.status ?? off);
    const before = this.#status;
    if (JSON.stringify(status) === JSON.stringify(before)) return;
    this.#status = status;
    if (status.state !== before.state && status.state === 'missing')
      this.#deps.log.warn('webrtc has no worker', { reason: status.reason });
    for (const callback of this.#onChange) callback(status);
  }
}

function isTrouble({ state }: NotReady): boolean {
  return state === 'missing' || state === 'failed';
}

function dying(deaths: number): NotReady {
  return { state: 'failed', reason: `the WebRTC worker died ${deaths} times in a row; it is started again and again` };
}
