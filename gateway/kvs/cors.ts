/**
 * What browsers are told, on every answer of the KVS API: any page may ask, since no cookie counts here and the signature is the
 * permission.
 */

/** With every answer. */
export const corsHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'x-amzn-RequestId, x-amzn-ErrorType, Date',
  'cross-origin-resource-policy': 'cross-origin',
};

/** What the SDKs for browsers, and samples that sign by themselves, send. A wildcard would not cover `authorization`. */
const requestHeaders = [
  'authorization',
  'content-type',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-user-agent',
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'x-amzn-fragment-acknowledgment-required',
  'x-amzn-fragment-timecode-type',
  'x-amzn-producer-start-timestamp',
  'x-amzn-stream-arn',
  'x-amzn-stream-name',
];

/** The answer to a preflight. */
export const preflightHeaders: Readonly<Record<string, string>> = {
  ...corsHeaders,
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-allow-headers': requestHeaders.join(', '),
  'access-control-max-age': '86400',
};
