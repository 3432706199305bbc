/** Bounds of signalling, each with how it was derived. */

const KiB = 1024;
const seconds = 1_000;
const minutes = 60 * seconds;

export const signalingLimits = {
  /** AWS: a payload has 10 KB. Counted as what base64 stands for, the milder reading. */
  payloadBytesMax: 10 * KiB,
  /** Of a message as it comes: a payload in base64, and a native client's list of TURN servers beside it, several times over. */
  messageBytesMax: 64 * KiB,
  /** Pieces that a message may come in: native clients cut it into some of 1 to 4 KB. */
  messageFragmentsMax: 64,

  /** Connections of all channels: the public port has 800, and other clients need their part. */
  connectionsMax: 500,
  /** Of one key or device, so that it never has all. */
  connectionsOfKeyMax: 250,
  /** AWS: of one channel, times the site's factor; without quotas as many as one key may open. */
  viewersOfChannel: 10,

  /** What waits for peers that are not there. Of one sender for one recipient: an offer with its candidates, some times over. */
  waitingOfSenderMax: 128,
  /** Of one channel: the first words of two hundred viewers, each an offer of 8 KB and a dozen candidates. */
  waitingOfChannelMax: 4_096,
  waitingBytesOfChannelMax: 4 * 1_024 * KiB,
  waitingBytesMax: 32 * 1_024 * KiB,
  /** Alexa's offers that wait at once: each is an open request. */
  offersMax: 100,

  /** Every connection is looked at so often: its permission, its age, whether it is alive. */
  lookMs: 10 * seconds,
  /** A peer that said nothing for so long is pinged; native ones ping every 10 s themselves. */
  pingMs: 20 * seconds,
  /** And is given up when it still says nothing: a mobile network changes cells within. */
  silentMsMax: 45 * seconds,
  /** AWS: no message of either side. */
  idleMsMax: 10 * minutes,
  /** AWS: an hour, and a minute before it a word. */
  ageMsMax: 60 * minutes,
  goAwayMs: 59 * minutes,
  /** Messages between two looks, whatever quotas say: all that AWS allows of each kind, with the usual factor of 20. */
  messagesPerLookMax: 6_000,
  /** What a peer that does not read may make us keep. */
  unsentBytesMax: 1_024 * KiB,
  /**
   * Changes of keys, policies or channels are gathered for so long; then some connections at a time are looked at, with a pause in
   * between. A look costs 1 to 2 ms of the catalog, so a site that changes without end costs a tenth of a core, and 500 peers 6 s.
   */
  refreshMs: 500,
  looksAtOnce: 8,
  looksPauseMs: 100,
  /** Peers get this long to answer our last frame. */
  closeMs: 1 * seconds,
} as const;
