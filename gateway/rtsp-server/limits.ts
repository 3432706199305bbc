/** Bounds of this room, each with how it was derived. */

const KiB = 1024;
const MiB = 1024 * KiB;

export const rtspServerLimits = {
  /** File descriptors of `serve` are 1,024 on a bare host, of which the page may take 800. */
  connectionsMax: 200,
  /** Of one address: another recorder that pulls a hundred streams is one address. */
  connectionsPerAddressMax: 128,
  /** Connections that have not shown who they are; one address may have a quarter of them. */
  strangersMax: 64,
  strangersPerAddressMax: 16,
  /**
   * Connections that begin within a period, of one address and in all: TLS costs 4 ms before anybody has said who they are, and
   * whoever begins one after another would have all of the process's time. Recorders that pull a hundred streams try again.
   */
  arrivals: { periodMs: 1_000, ofGroupMax: 64, max: 128 },
  /** A stranger's connection ends after so long: what a person needs to type a password into a player. */
  strangerMs: 60_000,
  /** From the connection to its first request, TLS included: ten round trips of a bad mobile network. */
  firstRequestMs: 10_000,
  /** Nothing at all from a reader, neither request nor receiver report, nor room in its socket: it is gone. */
  sessionTimeoutMs: 60_000,
  /** Requests that wait for the one before them: players send one at a time. */
  requestsWaitingMax: 16,
  /** Requests within `requestsPeriodMs`: a person who drags a slider makes 20 a second. */
  requestsPerPeriodMax: 300,
  requestsPeriodMs: 10_000,
  /** What a reader may leave unread of answers while it plays nothing. */
  answersBytesMax: 256 * KiB,
  /** Permissions are asked about again while a reader plays: a token that was removed shows nothing after that. */
  reaskMs: 10_000,

  /** Feeds of live streams. */
  feeds: {
    /** With UDP and IPv6 heads a packet passes tunnels of 1,460 bytes. */
    packets: { packetBytesMax: 1_400, hasDelimiters: true },
    feedsMax: 128,
    /** DESCRIBE, SETUP and PLAY of a player come one after another. */
    lingerMs: 5_000,
    sourceAwayMs: 15_000,
    /** 16 s at 4 Mb/s. */
    keptBytesMax: 8 * MiB,
    keptUnitsMax: 4_000,
    /** Serve stalls for 10 s at 12 Mb/s. */
    laneBytesMax: 16 * MiB,
  },
  /** A DESCRIBE waits so long for a camera to say what it sends. */
  describeWaitMs: 4_000,

  /** Waiting for one live reader: beyond it everything up to the next key frame is dropped. As much as it may begin with. */
  readerBytesMax: 8 * MiB,
  /** Waiting for all readers together, where those of one camera count its bytes each: then the slowest ones go. */
  readersBytesMax: 256 * MiB,
  /** A reader that takes nothing for so long while something waits for it is closed. */
  stuckMs: 20_000,
  /** UDP leaves in bursts, so that a key frame does not overrun a receiver's buffer of 200 KiB: 65 Mb/s, more when more waits. */
  udpBurstBytes: 32 * KiB,
  udpBurstMs: 4,
  udpDrainBursts: 32,
  reportPeriodMs: 5_000,

  /** Waiting for one reader of recorded media, which is pulled: nothing is dropped, reading waits. */
  recordedQueueBytesMax: 1 * MiB,
  /** Fragments of one question to the reader of the store. */
  recordedPageFragments: 64,
  /** Fragments in memory for all readers of recorded media; each holds one, and reads one ahead while there is room. */
  recordedBytesMax: 256 * MiB,
  recordedSessionsMax: 64,
  /** Nothing recorded for longer is skipped: a player shows a still picture for so long instead. */
  gapMsMax: 1_000,
  /** Scale: all pictures up to here, key frames alone beyond. A decoder of 1080p25 does four times that everywhere. */
  scaleAllMax: 4,
  scaleMin: 0.25,
  scaleMax: 32,
  speedMin: 0.25,
  speedMax: 16,
  /** At the newest fragment a reader waits so long for the next one: twice the longest fragment. */
  edgeWaitMs: 45_000,

  /** Authorization of the longest kind is below 1 KiB. */
  authorizationCharactersMax: 4_096,
  targetCharactersMax: 2_048,
  transportsMax: 8,
} as const;
