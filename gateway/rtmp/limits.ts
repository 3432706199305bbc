/** Bounds of this room, each with how it was derived. Those that others need stand in `storage/model/limits.ts`. */

import { limits } from '../../storage/model/limits.ts';

export const rtmpLimits = {
  /** A process carries 100 publishers; as many again that come back before their old connection is known to be dead. */
  connectionsMax: 256,
  /** Connections that have not named a valid key yet: each costs 10 KB and ends after `publishTimeoutMs`. */
  strangersMax: 64,
  /** Of them from one address: a site behind one router may bring all its publishers at once, and the rest try again. */
  strangersOfAddressMax: 32,
  /**
   * Connections that begin within a period, of one address and in all: TLS costs 3 ms before anybody has shown a key, and whoever
   * begins one after another would have all of the process's time. Encoders try again.
   */
  arrivals: { periodMs: 1_000, ofGroupMax: 32, max: 128 },
  /** Of a stranger: a handshake of 3 KB and commands of below 4 KB. More would be work for nobody. */
  strangerBytesMax: 32 * 1024,
  /** Messages of a stranger: the most talkative encoder sends a dozen. One that we answer costs 40 us. */
  strangerMessagesMax: 64,
  /** Handshake of 3 KB in two round trips: a satellite link needs 2 s. */
  handshakeTimeoutMs: 5_000,
  /** From the connection to `publish`: five round trips more. */
  publishTimeoutMs: 10_000,
  /**
   * A publisher with a key that cannot be taken at once is held so long before it is refused; it takes over from another one that
   * sends nothing in that time. Encoders send many times a second, and give up after 10 s at the soonest.
   */
  claimWaitMs: 3_000,
  /** What a peer may need to read the answer, or to say its last words, before its connection is gone. */
  farewellMs: 2_000,
  /** Answers of ours that the peer does not read: they are below 4 KB together. */
  unreadBytesMax: 64 * 1024,

  /** RTMP's own least is 1, what it advises 128: below, heads cost more than what they carry. */
  chunkBytesMin: 128,
  /** The largest message there can be: a larger chunk is as good. */
  chunkBytesMax: 0xff_ffff,
  /** Encoders use two to six chunk streams. */
  chunkStreamsMax: 16,
  /** Commands and control messages; the largest `connect` seen has below 1 KB. */
  commandBytesMax: 4 * 1024,
  /** Metadata is not read, and has below 2 KB. */
  metadataBytesMax: 64 * 1024,
  /** AAC's largest frame is 6,144 bits a channel and 8 channels; aggregated Opus and G.711 stay below. */
  audioBytesMax: 64 * 1024,
  videoBytesMax: limits.accessUnitBytesMax,
  /** All incomplete messages of one connection: the largest picture, sound and some commands. */
  messageBuffersBytesMax: limits.accessUnitBytesMax + 1024 * 1024,
  /** First size of a message's buffer: what most pictures need. */
  messageBytesFirst: 16 * 1024,
  /** Objects in objects: `connect` has one. */
  amfDepthMax: 8,
  /** Properties and elements of one message: `connect` has twelve. */
  amfValuesMax: 256,

  /** Video (or sound, where there is no video) may be absent for so long. Slowest useful cameras send a picture every 5 s. */
  silenceMs: 10_000,
  /** From the permission to publish to the first picture that is decodable alone: GOPs of 20 s exist. */
  firstKeyMs: 30_000,
  /** Sound alone is taken for all there is after so long without a picture. */
  soundAloneMs: 3_000,
  /** Pictures or sound frames within `unitsPeriodMs`: 2,000 a second; the fastest encoders make 240 pictures and 100. */
  unitsPerPeriodMax: 10_000,
  unitsPeriodMs: 5_000,
  /** Media time against arrival: beyond this it jumped. Below, TCP stalls and bursts explain it. */
  timeJumpMs: 10_000,
  /** Decode times may step back so far by rounding and by encoders that mend their clock. */
  stepBackMs: 500,
} as const;
