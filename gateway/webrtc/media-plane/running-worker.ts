/**
 * One worker process with its port and its router, from its start to its death. Whoever made something on it is told by `onDied`;
 * mediasoup has closed it by then.
 */

import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { networkInterfaces } from 'node:os';
import type { types } from 'mediasoup';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError, errnoOf, toAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { candidateAddresses } from './candidates.ts';
import { mediaPlaneLimits } from './limits.ts';
import { peersMaxFor } from './placing.ts';
import { routerCodecs } from './router-codecs.ts';
import { SpeakingWorkers } from './speaking-worker.ts';
import type { MediaWorker, PayloadTypes, PeerOptions } from './types.ts';
import { UseMeter, type WorkerUse } from './use-meter.ts';

export type WorkerPlace = {
  readonly path: string;
  readonly listenAddresses: readonly string[];
  readonly port: number;
  readonly announced: readonly string[];
};

export class RunningWorker implements MediaWorker {
  readonly router: types.Router;
  readonly #worker: types.Worker;
  readonly #server: types.WebRtcServer;
  readonly #place: WorkerPlace;
  readonly #peers = new Map<types.WebRtcTransport, string | undefined>();
  readonly #ended = new AbortController();
  readonly #speaking: SpeakingWorkers;
  readonly #meter: UseMeter;
  #peersInTheMaking = 0;

  private constructor(worker: types.Worker, server: types.WebRtcServer, router: types.Router, place: WorkerPlace) {
    this.#worker = worker;
    this.#server = server;
    this.router = router;
    this.#place = place;
    this.#meter = new UseMeter(worker);
    this.#speaking = new SpeakingWorkers({
      createRouter: (mediaCodecs) => this.#making(worker.createRouter({ mediaCodecs })),
      createPeerOn: (router, options) => this.#createPeerOn(router, options),
      createPlainOn: (router) => this.#createPlainOn(router),
      worker: this,
    });
    worker.observer.once('close', () => this.#ended.abort());
  }

  /**
   * Spawns the program and has it listen; one that does not within a time, or by the signal, is killed.
   * @throws AppError unavailable  it does not run, or does not get its port
   */
  static async start(
    { clock, log }: { readonly clock: Clock; readonly log: Log },
    place: WorkerPlace,
    signal: AbortSignal,
  ): Promise<RunningWorker> {
    const { createWorker, setLogEventListeners } = await import('mediasoup');
    // What a peer does may bring many lines of these.
    const tell = (_namespace: string, text: string) =>
      log.counted('webrtc worker complains', 1, { text: text.slice(0, mediaPlaneLimits.complaintCharactersMax) });
    setLogEventListeners({ onwarn: tell, onerror: tell });
    let worker: types.Worker | undefined;
    const { started, processes } = spawning(() => createWorker({ workerBin: place.path, logLevel: 'error' }));
    let isGivenUp = false;
    const giveUp = () => {
      isGivenUp = true;
      for (const process of processes) process.kill('SIGKILL');
    };
    const stopWaiting = clock.after(mediaPlaneLimits.startMsMax, giveUp);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    try {
      worker = await started;
      worker.once('died', (error) => log.error('webrtc worker died', { pid: worker?.pid, message: error.message }));
      const server = await worker.createWebRtcServer({ listenInfos: listenInfos(place) });
      const router = await worker.createRouter({ mediaCodecs: routerCodecs });
      if (worker.closed) throw appError('unavailable', 'the worker ended at once');
      return new RunningWorker(worker, server, router, place);
    } catch (error) {
      worker?.close();
      const cause = toAppError(error);
      const why = isGivenUp ? `it did not listen within ${mediaPlaneLimits.startMsMax / 1_000} s` : cause.message;
      throw appError('unavailable', `the WebRTC worker does not start: ${why}`, { cause, path: place.path });
    } finally {
      stopWaiting();
      signal.removeEventListener('abort', giveUp);
    }
  }

  get isAlive(): boolean {
    return !this.#worker.closed;
  }

  get pid(): number {
    return this.#worker.pid;
  }

  get port(): number {
    return this.#place.port;
  }

  /** Those that are being made count. */
  get peers(): number {
    return this.#peers.size + this.#peersInTheMaking;
  }

  hasPeerOf(key: string): boolean {
    for (const other of this.#peers.values()) if (other === key) return true;
    return false;
  }

  createPeer(options?: PeerOptions): Promise<types.WebRtcTransport> {
    return this.#createPeerOn(this.router, options);
  }

  createPlain(): Promise<types.PlainTransport> {
    return this.#createPlainOn(this.router);
  }

  speaking(payloadTypes: PayloadTypes): Promise<MediaWorker> {
    return this.#speaking.get(payloadTypes);
  }

  async #createPeerOn(router: types.Router, { key, ...use }: PeerOptions = {}): Promise<types.WebRtcTransport> {
    const peersMax = peersMaxFor(use);
    if (this.peers >= peersMax)
      throw appError('resource_exhausted', `the WebRTC worker has ${peersMax} peers, which is as many as it may`);
    this.#peersInTheMaking++;
    try {
      const peer = await this.#making(
        router.createWebRtcTransport({
          webRtcServer: this.#server,
          ...{ enableUdp: true, enableTcp: true, preferUdp: true },
          initialAvailableOutgoingBitrate: mediaPlaneLimits.firstOutgoingBitsPerSecond,
        }),
      );
      this.#peers.set(peer, key);
      peer.observer.once('close', () => this.#peers.delete(peer));
      await this.#making(peer.setMaxIncomingBitrate(mediaPlaneLimits.incomingBitsPerSecondMax)).catch((error) => {
        peer.close();
        throw error;
      });
      return peer;
    } finally {
      this.#peersInTheMaking--;
    }
  }

  #createPlainOn(router: types.Router): Promise<types.PlainTransport> {
    const { plainBufferBytes } = mediaPlaneLimits;
    return this.#making(
      router.createPlainTransport({
        listenInfo: {
          ...{ protocol: 'udp', ip: '127.0.0.1' },
          ...{ sendBufferSize: plainBufferBytes, recvBufferSize: plainBufferBytes },
        },
        // Not `comedia`: whoever is on this machine could be the first to send, and get the media of a publisher, or be a camera.
        ...{ comedia: false, rtcpMux: true },
      }),
    );
  }

  candidateAddresses(...reachedAt: readonly (string | undefined)[]): string[] {
    const { listenAddresses, announced } = this.#place;
    return candidateAddresses({ listenAddresses, announced, reachedAt, interfaces: networkInterfaces() });
  }

  onDied(callback: () => void): () => void {
    const { signal } = this.#ended;
    if (signal.aborted) callback();
    else signal.addEventListener('abort', callback, { once: true });
    return () => signal.removeEventListener('abort', callback);
  }

  /** What was sent, received and computed since the last call. */
  used(): Promise<WorkerUse> {
    return this.#meter.read([...this.#peers.keys()]);
  }

  /** For one that does not answer. */
  kill(): void {
    try {
      if (!this.#worker.subprocessClosed) process.kill(this.pid, 'SIGKILL');
    } catch (error) {
      // It ended by itself a moment ago.
      if (errnoOf(error) !== 'ESRCH') throw error;
    }
  }

  /** Resolves when the process has ended; one that does not end by itself is killed. */
  async close(clock: Clock): Promise<void> {
    if (this.#worker.subprocessClosed) return;
    const gone = new Promise<void>((resolve) => this.#worker.once('subprocessclose', () => resolve()));
    this.#worker.close();
    const stopWaiting = clock.after(mediaPlaneLimits.closeMsMax, () => this.kill());
    await gone;
    stopWaiting();
  }

  async #making<T>(making: Promise<T>): Promise<T> {
    try {
      return await making;
    } catch (cause) {
      if (this.isAlive) throw toAppError(cause);
      throw appError('unavailable', 'the WebRTC worker died', { cause });
    }
  }
}

/** mediasoup tells nobody of a process that never says that it runs. */
function spawning<T>(start: () => T): { readonly started: T; readonly processes: readonly ChildProcess[] } {
  const processes: ChildProcess[] = [];
  const note = (message: unknown) => void processes.push((message as { readonly process: ChildProcess }).process);
  subscribe('child_process', note);
  try {
    return { started: start(), processes };
  } finally {
    unsubscribe('child_process', note);
  }
}

function listenInfos({ listenAddresses, port }: WorkerPlace): types.TransportListenInfo[] {
  const { serverBufferBytes } = mediaPlaneLimits;
  return listenAddresses.flatMap((ip) => {
    const flags = ip.includes(':') ? { flags: { ipv6Only: true } } : {};
    const buffers = { sendBufferSize: serverBufferBytes, recvBufferSize: serverBufferBytes };
    return [
      { protocol: 'udp', ip, port, ...flags, ...buffers },
      { protocol: 'tcp', ip, port, ...flags, ...buffers },
    ] as types.TransportListenInfo[];
  });
}
