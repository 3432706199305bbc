/** What one worker sent, received and computed. Counters of mediasoup go with their transports, so differences are added up. */

import type { types } from 'mediasoup';

export type WorkerUse = { readonly sentBytes: number; readonly receivedBytes: number; readonly processorMs: number };

export class UseMeter {
  readonly #worker: types.Worker;
  readonly #known = new WeakMap<types.WebRtcTransport, { sentBytes: number; receivedBytes: number }>();
  #processorMs = 0;

  constructor(worker: types.Worker) {
    this.#worker = worker;
  }

  /** Since the last call. What a peer did after that and before it left is not in it; one that leaves meanwhile has nothing. */
  async read(peers: readonly types.WebRtcTransport[]): Promise<WorkerUse> {
    const [processorMs, ...traffic] = await Promise.all([
      this.#computed(),
      ...peers.map((peer) => this.#traffic(peer)),
    ]);
    const sum = (of: 'sentBytes' | 'receivedBytes') => traffic.reduce((total, one) => total + one[of], 0);
    return { processorMs, sentBytes: sum('sentBytes'), receivedBytes: sum('receivedBytes') };
  }

  async #computed(): Promise<number> {
    const usage = await this.#worker.getResourceUsage().catch(() => undefined);
    if (usage === undefined) return 0;
    const before = this.#processorMs;
    this.#processorMs = usage.ru_utime + usage.ru_stime;
    return Math.max(0, this.#processorMs - before);
  }

  async #traffic(peer: types.WebRtcTransport): Promise<{ sentBytes: number; receivedBytes: number }> {
    const [stats] = await peer.getStats().catch(() => []);
    const before = this.#known.get(peer) ?? { sentBytes: 0, receivedBytes: 0 };
    const now = {
      sentBytes: stats?.bytesSent ?? before.sentBytes,
      receivedBytes: stats?.bytesReceived ?? before.receivedBytes,
    };
    this.#known.set(peer, now);
    return { sentBytes: now.sentBytes - before.sentBytes, receivedBytes: now.receivedBytes - before.receivedBytes };
  }
}
