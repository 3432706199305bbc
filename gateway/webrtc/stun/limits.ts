/** Bounds of this room, each with how it was derived. */

export const stunLimits = {
  /** RFC 8489 6.1: what a datagram of unknown path may have over IPv4 (576), less its heads. Binding requests have 20 to 100. */
  requestBytesMax: 548,
  /** In a second: each browser asks once per interface and connection, again half a second later; hundreds behind one router are few. */
  answersPerSourceMax: 50,
  /** In a second, in all: 44 KB/s at most go out, whoever asks under whatever address. */
  answersMax: 1_000,
} as const;
