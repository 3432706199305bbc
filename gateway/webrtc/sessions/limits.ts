/** Bounds of this room, each with how it was derived. */

export const sessionLimits = {
  /** Viewers: what two workers carry. */
  viewersMax: 500,
  /** Of one account or token: four walls of 16 tiles. */
  viewersOfOneMax: 64,
  /** Publishers: as many cameras as one process records. */
  publishersMax: 100,
  publishersOfOneMax: 100,
  /** From the answer to DTLS: TURN over TCP in a bad mobile network takes ten. */
  connectMs: 30_000,
  /** mediasoup says that a peer is lost after 30 s without its consent; it may come back by a restart, or another TCP connection. */
  lostMs: 10_000,
  /** Permissions are asked about again while a session lasts, and bytes are counted. */
  reaskMs: 10_000,
  /** 144 bits that nobody guesses. */
  idBytes: 18,
  entityTagBytes: 9,
  /** PATCH of one session at a time, and those that wait: browsers gather candidates in a burst. */
  patchesWaitingMax: 32,
} as const;
