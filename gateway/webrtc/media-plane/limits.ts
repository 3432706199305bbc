/** Bounds of this room, each with how it was derived. */

const KiB = 1024;
const MiB = 1024 * KiB;

export const mediaPlaneLimits = {
  /** Peers of one worker: 250 at 2 Mb/s are 500 Mb/s, more than one core encrypts. */
  peersPerWorkerMax: 250,
  /** Places beside them that viewers never get: of as many publishers as one process records. */
  recordedPerWorkerMax: 100,
  /** Routers of one worker, each for viewers whose offers have other payload types: browsers of one kind and release have the same. */
  routersMax: 32,
  /** A stream stays with the worker that has it already until that one has so many peers more than the emptiest: a second feed of it costs less. */
  peersAheadMax: 16,
  /** Between attempts to start a worker that failed or died. */
  firstRetryMs: 500,
  retryMsMax: 30_000,
  /** Alive for so long, a worker's next death is a first one again. */
  stableMs: 60_000,
  /** So often it is asked whether a worker that is missing has come: one `stat`. */
  lookMs: 2_000,
  /** One that says nothing for so long while its process runs stands still; its channel is answered in milliseconds. */
  answerMsMax: 20_000,
  /** One that has not begun to listen by then never will: it takes 100 ms, on a machine that swaps some seconds. */
  startMsMax: 30_000,
  /** From the wish to end to its end by force: a worker closes what it has within milliseconds. */
  closeMsMax: 2_000,
  /** Dead or failed so often in a row, people are told that it does not heal itself. */
  deathsMax: 4,
  complaintCharactersMax: 500,
  /** Attempts to find a port that is free for UDP and TCP, where any will do. */
  freePortAttemptsMax: 10,
  /** Addresses of one answer: each is two candidates, and browsers check all pairs. */
  addressesMax: 16,
  /** What a publisher may send: four times a 4K camera. */
  incomingBitsPerSecondMax: 40_000_000,
  /** Where congestion control begins for viewers: a 1080p camera at once, on a LAN. */
  firstOutgoingBitsPerSecond: 4_000_000,
  /** A key frame of 4K, whole, while the other side is busy elsewhere. The kernel may give less. */
  plainBufferBytes: 1 * MiB,
  /** All peers send through these two sockets. */
  serverBufferBytes: 4 * MiB,
  /** Workers with peers are asked for their figures so often: one message a peer. */
  countEveryMs: 5_000,
} as const;
