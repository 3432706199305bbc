/** Bounds of what a client of the KVS API may send, each with how it was derived. */

const KiB = 1024;

export const kvsLimits = {
  /** Path and query: a presigned URL with the longest session token, every character of it percent-encoded. */
  targetBytesMax: 16 * KiB,
  /** Headers of one request: SDKs send a dozen, browsers two dozen. */
  headersMax: 128,
  /** All header values together: what the HTTP server in front takes for a head. */
  headerBytesMax: 32 * KiB,
  /** `Authorization`: a credential, 64 names and a signature have 3 KB. */
  authorizationBytesMax: 8 * KiB,
  signedHeadersMax: 64,
  /** Parameters of a query: a presigned one has nine. */
  queryParametersMax: 64,
  /** AWS documents 16 to 128 characters. */
  accessKeyIdCharactersMax: 128,
  /** Session tokens of AWS have below 2 KB, and no documented bound. */
  sessionTokenCharactersMax: 8 * KiB,
  /** AWS: signatures are good for so long before and after their time. */
  clockSkewMsMax: 15 * 60_000,
  /** AWS: a presigned URL is good for a week at most. */
  presignExpiresSMax: 604_800,
} as const;
