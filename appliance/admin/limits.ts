/** Every bound of the public port, with how it was derived. */

const KiB = 1024;
const seconds = 1_000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

export const adminLimits = {
  /** Request line and headers: what Node's parser takes by default; our longest is a playback token of 1 KB. */
  headBytesMax: 16 * KiB,
  /** From the connection to the whole first head, TLS included: ten round trips of a bad mobile network. */
  headTimeoutMs: 10 * seconds,
  /** From a request's first byte to its last: bodies are at most `bodyBytesMax`. */
  requestTimeoutMs: 30 * seconds,
  /** A connection on which nothing moves, not even an answer: a paused player keeps no clip open for ever. */
  idleTimeoutMs: 2 * minutes,
  /** A client that takes nothing of the media that it asked for: what it holds of ours is others' then. */
  kvsStallMs: 1 * minutes,
  /** A removed stream of which nothing was recorded keeps its name for so long: its files may still be in the journal. */
  removedStreamMs: 7 * 24 * 60 * minutes,
  /** Of one key or device at a time: fifty cameras with four readers each, and never all connections that there are. */
  kvsRequestsOfKeyMax: 250,
  /** Between two requests of one connection; above the 60 s of common proxies, so that they close first. */
  keepAliveTimeoutMs: 75 * seconds,
  /** A device asks once an hour: its connection makes room for others. */
  credentialsKeepAliveMs: 5 * seconds,
  /** What a producer still sends after its last answer is read for so long, and so much of it: then its connection ends. */
  kvsLingerMs: 10 * seconds,
  kvsLingerBytesMax: 32 * 1_024 * KiB,
  /** While the appliance ends. */
  kvsClosingLingerMs: 500,
  /** The largest body is a policy: 100 statements of 256 characters. */
  bodyBytesMax: 64 * KiB,
  /** An offer of Chromium is 9 KB. */
  sdpBytesMax: 64 * KiB,
  /** Site files and lists of cameras: a thousand cameras of 3 KB, with all that can be said of each. */
  siteBytesMax: 4_096 * KiB,
  /** File descriptors are 1,024 by default on a bare host; roles share none, and footage needs its part. */
  connectionsMax: 800,
  /** Of one address: 30 browsers behind one router, and never all of them. */
  connectionsPerAddressMax: 256,
  /** Connections that have not said what they want; one address may have an eighth of them. */
  undecidedMax: 256,
  undecidedPerAddressMax: 32,
  /**
   * TLS that begins within a period, of one address and in all: each costs 4 ms before anybody has said who they are, and whoever
   * begins one after another would have all of the process's time. Of one address a quarter of it: 64 a second are a hundred
   * producers that come back together, or the players of an office behind a proxy that keeps no connection.
   */
  handshakes: { periodMs: 2 * seconds, ofGroupMax: 128, max: 256 },
  /** At close, answers on their way get this long. */
  closeTimeoutMs: 3 * seconds,

  /** Sessions: a guard's shift, and a week however much it is used. */
  sessionIdleMsMax: 12 * hours,
  sessionMsMax: 7 * 24 * hours,
  /** Playback URLs for other players: a day of watching without a new one. */
  playbackMsMax: 24 * hours,
  playbackMsDefault: 1 * hours,

  /** NIST SP 800-63B asks for 8 or more, and for at least 64 to be possible. */
  passwordCharactersMin: 10,
  passwordCharactersMax: 256,
  /** argon2 takes 64 MiB and a core for about 100 ms: two at once leave cores to the cameras, the rest waits its turn. */
  passwordChecksMax: 2,
  passwordQueueMax: 32,

  /** Delays after wrong passwords begin with this and double. */
  attemptDelayMsFirst: 1 * seconds,
  /** Of one account: short at most, or an attacker with many addresses could lock its owner out. */
  accountAttempts: { free: 5, delayMsMax: 30 * seconds },
  /** Of one address, behind which an office may sit. A right password does not reset it: a guesser may have one account. */
  addressAttempts: { free: 20, delayMsMax: 15 * minutes },
  /** Accounts and addresses remembered: 100 bytes each. */
  attemptKeysMax: 10_000,
  attemptForgetMs: 1 * hours,
  /** Refused logins in the audit list per hour, the rest is in the log: guessing must not push the list's history out. */
  refusedNotesPerHourMax: 100,

  /** WebSockets: viewers of one site; what one that does not read may make us keep; what it may send. */
  eventSocketsMax: 200,
  /** Of one account: a person has a few tabs and screens, and leaves room for others. */
  eventSocketsOfOneMax: 20,
  eventSocketBytesMax: 1_024 * KiB,
  eventMessageBytesMax: 4 * KiB,
  eventPingMs: 30 * seconds,
  /** Newest instants of all streams go out together this often: a live edge on a page needs no more. */
  eventCoalesceMs: 500,

  /** What another role may take to answer. */
  roleRequestMs: 5 * seconds,
  metricsRequestMs: 2 * seconds,
  /** Prometheus text of one role: 100 cameras with 30 series each are 300 KB. */
  metricsBytesMax: 8_192 * KiB,

  /** A camera that sends a key frame every 10 s, connecting in 5. */
  probeTimeoutMs: 20 * seconds,
  /** Each holds a camera's session and maybe a decoder. */
  probesMax: 4,
  /** Cameras of a list that are tested before they are added: 8 of them, 2 at a time, take 80 s; below `idleTimeoutMs`. */
  bulkTestsMax: 8,
  bulkTestsAtOnceMax: 2,

  /** All that is asked of one device over ONVIF (25 s), the start of the role included. */
  onvifRequestMs: 32 * seconds,
  /** A thousand silent addresses, 32 at a time, 2 s each; below `idleTimeoutMs`. */
  onvifSearchMs: 90 * seconds,
  /** Questions about devices under way at a time, and as many waiting: each holds one connection to one device. */
  onvifQuestionsMax: 8,

  /** A camera is listened to for support; with what else is collected below `idleTimeoutMs`. */
  traceSecondsMax: 60,

  /** Rows in one answer. */
  pageRowsMax: 1_000,
  pageRowsDefault: 200,
  /** Timelines of a year; beyond it the page asks by days. */
  timelineMsMax: 366 * 24 * hours,
  daysMax: 400,
  /** KVS allows clips of 200 fragments; a site's export is a shift. */
  clipMsMax: 24 * hours,
} as const;
