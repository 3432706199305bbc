/**
 * What is counted of media that producers send, under the names of AWS's metrics (`PutMedia.IncomingBytes` and so on), by stream. Sums
 * since the process began; latencies are sums with their counts.
 */

export type PutMediaFigures = {
  readonly requests: number;
  readonly incomingBytes: number;
  readonly incomingFragments: number;
  readonly incomingFrames: number;
  readonly activeConnections: number;
  /** Connections that ended otherwise than well: refused, broken, by an error. */
  readonly connectionErrors: number;
  readonly errorAcks: number;
  /** Fragments that were stored, and those that were begun and were not: `Success` is the mean over both. */
  readonly storedFragments: number;
  readonly failedFragments: number;
  /** From the first byte of a fragment to its last. */
  readonly fragmentIngestionLatency: LatencyFigures;
  /** From its last byte until it was stored. */
  readonly fragmentPersistLatency: LatencyFigures;
  readonly bufferingAckLatency: LatencyFigures;
  readonly receivedAckLatency: LatencyFigures;
  readonly persistedAckLatency: LatencyFigures;
};

export type LatencyFigures = { readonly count: number; readonly sumMs: number };

class Latency {
  #count = 0;
  #sumMs = 0;

  add(durationMs: number): void {
    this.#count++;
    this.#sumMs += durationMs;
  }

  get figures(): LatencyFigures {
    return { count: this.#count, sumMs: this.#sumMs };
  }
}

/** Of one stream: plain fields, added to on the way. */
export class PutMediaCounters {
  requests = 0;
  incomingBytes = 0;
  incomingFragments = 0;
  incomingFrames = 0;
  activeConnections = 0;
  connectionErrors = 0;
  errorAcks = 0;
  storedFragments = 0;
  failedFragments = 0;
  readonly fragmentIngestionLatency = new Latency();
  readonly fragmentPersistLatency = new Latency();
  readonly bufferingAckLatency = new Latency();
  readonly receivedAckLatency = new Latency();
  readonly persistedAckLatency = new Latency();

  snapshot(): PutMediaFigures {
    const { requests, incomingBytes, incomingFragments, incomingFrames, activeConnections } = this;
    const { connectionErrors, errorAcks, storedFragments, failedFragments } = this;
    return {
      ...{ requests, incomingBytes, incomingFragments, incomingFrames, activeConnections },
      ...{ connectionErrors, errorAcks, storedFragments, failedFragments },
      fragmentIngestionLatency: this.fragmentIngestionLatency.figures,
      fragmentPersistLatency: this.fragmentPersistLatency.figures,
      bufferingAckLatency: this.bufferingAckLatency.figures,
      receivedAckLatency: this.receivedAckLatency.figures,
      persistedAckLatency: this.persistedAckLatency.figures,
    };
  }
}
