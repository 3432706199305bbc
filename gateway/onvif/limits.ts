/** Bounds of this room, each with how it was derived. */

const KiB = 1024;
const seconds = 1_000;
const minutes = 60 * seconds;

export const onvifLimits = {
  /** Profiles of a recorder with 64 channels have about 700 KB; an answer above this is none. */
  answerBytesMax: 2_048 * KiB,
  /** A pull of 100 messages has about 150 KB; it comes again and again, so a hostile one must cost little to read. */
  pullBytesMax: 512 * KiB,
  /** What Node takes by default; a digest challenge of Hikvision has 0.3 KB. */
  headBytesMax: 16 * KiB,
  /** Elements of one answer: a profile has about 150, a recorder with 64 channels 200 of them. */
  elementsMax: 60_000,
  /** Deepest answers of the standard (analytics rules in a profile's extension) nest 20 elements. */
  depthMax: 64,
  /** From the connection to the last byte. Cameras that compute a digest on a slow core need up to 3 s. */
  requestMs: 8 * seconds,
  /** Tries of a login in one request: nothing known, stale nonce, other algorithm. */
  loginTriesMax: 3,
  /** Everything that one question about a device takes: clock, services, profiles, one address for each of them. */
  questionMs: 25 * seconds,
  /** What a camera said of itself is told for so long before it is asked again: all who look at it together are one question. */
  factsMs: 5 * seconds,
  /** Profiles that are looked at: a recorder of 64 channels with two each. */
  profilesMax: 128,
  /** Addresses of streams are asked for so many profiles at a time: cheap cameras take few connections. */
  profilesAtOnce: 2,
  /** Presets that are shown: the standard's largest are 256, some domes 300. */
  presetsMax: 512,
  /** Text of a device that is kept and shown: names, tokens, topics. The standard's tokens have 64. */
  textMax: 256,

  /** Devices told of one search: a class B network full of cameras is not looked for at once. */
  devicesMax: 1_000,
  /** Addresses of one search without multicast: four class C networks. */
  addressesMax: 1_024,
  /** Ports tried at each address. */
  portsMax: 8,
  /** Questions under way in one search by addresses. */
  addressesAtOnce: 32,
  /** A device in the same building answers within 100 ms; behind a bad link within a second. */
  addressMs: 2 * seconds,
  /** WS-Discovery: devices wait up to 500 ms before they answer, and a lost probe is sent again. */
  searchMsDefault: 3 * seconds,
  searchMsMax: 15 * seconds,
  /** Datagrams read in one search: each device answers two kinds of probe, sent twice, on each interface. */
  datagramsMax: 20_000,
  /** One search at a time for each asker would be enough; two leave room for a second person. */
  searchesMax: 2,

  /** A move ends when its viewer was silent for so long; viewers repeat it every 500 ms, and one of them may be lost. */
  moveHoldMs: 1_500,
  /** What the camera is told as the end of a move, should we die: above the hold, so that it seldom stops by itself. */
  moveCameraMs: 4 * seconds,
  /** A move that goes on is told again before the camera ends it. */
  moveAgainMs: 2 * seconds,
  /** A stop that fails is tried again: a camera that turns on and on is worse than a few requests. */
  stopTriesMax: 4,

  /** Messages of one pull. */
  messagesMax: 100,
  /** The package asks for a pull of 60 s; what takes longer than this is a dead connection. */
  pullMs: 75 * seconds,
  /** Some cameras answer a pull at once, whatever they were asked: then they are asked once a second. */
  pullGapMs: 1 * seconds,
  /** The package asks for 120 s; subscriptions are renewed after half of it. */
  renewMs: 60 * seconds,
  /** Delays after an event stream broke; a wrong password is tried seldom, since cameras lock accounts. */
  retryDelayMsFirst: 2 * seconds,
  retryDelayMsMax: 2 * minutes,
  loginDelayMsMin: 2 * minutes,
  loginDelayMsMax: 30 * minutes,
  /** A device without events is asked again after so long: it may get a new firmware, or was still starting. */
  unsupportedMs: 30 * minutes,
  /** What an event stream has done for so long is well: its next failure is retried soon. */
  stableMs: 60 * seconds,
  /** The camera's clock is read again so often: a quartz drifts by 4 s a day at worst. */
  clockMs: 60 * minutes,

  /** An event that has begun and is not heard of again ends after this; cameras that repeat a lasting motion do it every minute or so. */
  eventOpenMsMax: 5 * minutes,
  /** What has no end by nature (a line crossed, a button) lasts so long. */
  eventPulseMs: 5 * seconds,
  /** A camera's time for an event is believed within this of its arrival: it may have been buffered while we reconnected. */
  eventBackMsMax: 60 * seconds,
  /** Events open at a time for one device: a recorder with 64 channels and four kinds each. */
  openEventsMax: 256,
  /** Events of one device that begin within a minute: above it the device is faulty, and the rest is counted and dropped. */
  eventsPerMinuteMax: 120,

  /** Ranges that wait for their store: an hour of 40 cameras with a motion every 15 s. About 300 bytes each. */
  outboxRangesMax: 10_000,
  /** The outbox's file is written at most so often, and while something goes on at least `outboxAliveMs`. */
  outboxSaveMs: 1 * seconds,
  outboxAliveMs: 10 * seconds,
  outboxRetryMsFirst: 500,
  outboxRetryMsMax: 30 * seconds,
} as const;
