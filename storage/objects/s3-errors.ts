/** What an S3 server or the way to it refuses, in our words. Codes decide, never message texts; signed URLs never get in here. */

import { type AppError, appError, isAppError } from '../base/errors.ts';
import { readAnswer, type S3Answer } from './s3-connection.ts';

/** An error answer has below 1 KB: code, message, resource, request id. */
const faultBytesMax = 64 * 1024;

const hints = {
  keys: 'Look at objects.s3.accessKey, its secret key and what the key may do in the bucket (get, put, delete, list).',
  clock: 'The clocks of this machine and of the object store differ: set both by NTP.',
  bucket: 'Is objects.s3.bucket right? Weir makes it at its first start where the key may.',
  region: "Set objects.s3.region to the bucket's region.",
  full: 'Give the server more room, or lower the retention of cameras. Recordings wait on this machine meanwhile.',
  fault: 'The server failed: look at its log and at the room of its disks. Recordings wait on this machine meanwhile.',
  reach: 'Look at objects.s3.endpoint, at the network and at the server. Recordings wait on this machine meanwhile.',
  certificate: 'The server is not who it says, or objects.s3.authorityFile is not the authority of its certificate.',
} as const;

/** The refusal that an answer carries. Reads it to its end. */
export async function refusalOf(answer: S3Answer, facts: Readonly<Record<string, unknown>>): Promise<AppError> {
  const text = (await readAnswer(answer, faultBytesMax)).toString('utf8');
  const header = answer.message.headers['x-minio-error-code'];
  const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1] ?? (typeof header === 'string' ? header : '');
  return refusal(code, answer.status, facts);
}

/** Whatever our own requests or the `minio` client threw. */
export function toS3Error(error: unknown, facts: Readonly<Record<string, unknown>>): AppError {
  if (isAppError(error)) {
    const { hint = error.code === 'unavailable' ? hints.reach : undefined } = error;
    return appError(error.code, error.message, {
      ...error.context,
      ...facts,
      ...(hint === undefined ? {} : { hint }),
      ...(error.cause === undefined ? {} : { cause: error.cause }),
    });
  }
  const code = codeOf(error);
  if (error instanceof Error && error.name === 'S3Error') return refusal(code, 0, facts);
  if (isCertificateFault(code)) {
    return appError('unavailable', "the object store's certificate is not trusted", {
      ...facts,
      reason: code,
      hint: hints.certificate,
    });
  }
  // The client's other errors tell of a status that asks for patience; they carry no code.
  return appError('unavailable', 'the object store cannot be reached', {
    ...facts,
    ...(code === '' ? {} : { errno: code }),
    hint: hints.reach,
  });
}

function refusal(code: string, status: number, context: Readonly<Record<string, unknown>>): AppError {
  const facts = { ...context, s3Code: code === '' ? `HTTP ${status}` : code };
  switch (code) {
    case 'NoSuchKey':
      return appError('not_found', 'no such object', facts);
    case 'NoSuchBucket':
      return appError('unavailable', 'the bucket is not there', { ...facts, hint: hints.bucket });
    case 'AccessDenied':
    case 'AllAccessDisabled':
    case 'AccountProblem':
    case 'InvalidAccessKeyId':
    case 'InvalidToken':
    case 'ExpiredToken':
    case 'SignatureDoesNotMatch':
      return appError('permission_denied', 'the object store refuses these keys', { ...facts, hint: hints.keys });
    case 'RequestTimeTooSkewed':
    case 'RequestNotReadyYet':
      return appError('permission_denied', 'the object store refuses our time', { ...facts, hint: hints.clock });
    case 'AuthorizationHeaderMalformed':
    case 'AuthorizationQueryParametersError':
    case 'PermanentRedirect':
    case 'IllegalLocationConstraintException':
    case 'MovedPermanently':
      return appError('failed_precondition', 'the bucket is in another region', { ...facts, hint: hints.region });
    case 'QuotaExceeded':
    case 'InsufficientStorage':
    case 'StorageFull':
    case 'XMinioStorageFull':
    case 'XMinioAdminBucketQuotaExceeded':
      return appError('resource_exhausted', 'the object store is full', { ...facts, hint: hints.full });
    // MinIO with a single disk that is full says no more than this.
    case 'InternalError':
      return appError('unavailable', 'the object store failed', { ...facts, hint: hints.fault });
    default:
      return refusalByStatus(status, facts);
  }
}

function refusalByStatus(status: number, facts: Readonly<Record<string, unknown>>): AppError {
  switch (status) {
    case 401:
    case 403:
      return appError('permission_denied', 'the object store refuses these keys', { ...facts, hint: hints.keys });
    case 404:
      return appError('not_found', 'no such object', facts);
    case 507:
      return appError('resource_exhausted', 'the object store is full', { ...facts, hint: hints.full });
    default:
      return appError('unavailable', 'the object store refused', { ...facts, hint: hints.reach });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Node names them after OpenSSL's verify results. */
function isCertificateFault(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS_/.test(code);
}
