/**
 * Errors as AWS names them: the one table between our codes and the exception names and statuses of the wire.
 * Statuses are those of the service's model where it has the name, and what REST-JSON services of AWS answer in practice where
 * it does not (signatures, tokens, denials). Clients decide by the name; the status alone is a hint for proxies and retries.
 */

import { type AppError, appError, type ErrorCode, type ErrorContext } from '../../storage/base/errors.ts';

type Row = { readonly code: ErrorCode; readonly httpStatus: number };

const rows = {
  // Signatures, tokens, permissions: before any operation looks at a request.
  MissingAuthenticationTokenException: { code: 'unauthenticated', httpStatus: 403 },
  IncompleteSignatureException: { code: 'invalid_argument', httpStatus: 400 },
  InvalidSignatureException: { code: 'unauthenticated', httpStatus: 403 },
  UnrecognizedClientException: { code: 'unauthenticated', httpStatus: 403 },
  ExpiredTokenException: { code: 'unauthenticated', httpStatus: 403 },
  AccessDeniedException: { code: 'permission_denied', httpStatus: 403 },
  NotAuthorizedException: { code: 'permission_denied', httpStatus: 401 },
  // Common to operations.
  InvalidArgumentException: { code: 'invalid_argument', httpStatus: 400 },
  SerializationException: { code: 'invalid_argument', httpStatus: 400 },
  UnknownOperationException: { code: 'unimplemented', httpStatus: 404 },
  ResourceNotFoundException: { code: 'not_found', httpStatus: 404 },
  ResourceInUseException: { code: 'already_exists', httpStatus: 400 },
  VersionMismatchException: { code: 'failed_precondition', httpStatus: 400 },
  NoDataRetentionException: { code: 'failed_precondition', httpStatus: 400 },
  UnsupportedStreamMediaTypeException: { code: 'failed_precondition', httpStatus: 400 },
  MissingCodecPrivateDataException: { code: 'failed_precondition', httpStatus: 400 },
  InvalidCodecPrivateDataException: { code: 'failed_precondition', httpStatus: 400 },
  InvalidMediaFrameException: { code: 'failed_precondition', httpStatus: 400 },
  AccountStreamLimitExceededException: { code: 'resource_exhausted', httpStatus: 400 },
  ConnectionLimitExceededException: { code: 'resource_exhausted', httpStatus: 400 },
  ClientLimitExceededException: { code: 'resource_exhausted', httpStatus: 400 },
  AccountChannelLimitExceededException: { code: 'resource_exhausted', httpStatus: 400 },
  StreamEdgeConfigurationNotFoundException: { code: 'not_found', httpStatus: 404 },
  TagsPerResourceExceededLimitException: { code: 'resource_exhausted', httpStatus: 400 },
  ThrottlingException: { code: 'resource_exhausted', httpStatus: 400 },
  ServiceUnavailableException: { code: 'unavailable', httpStatus: 503 },
  InternalFailureException: { code: 'internal', httpStatus: 500 },
} as const satisfies Readonly<Record<string, Row>>;

/** An exception name of the wire. */
export type AwsErrorName = keyof typeof rows;

/** What an error of ours that names no exception is told as. */
const nameOfCode: Readonly<Record<ErrorCode, AwsErrorName>> = {
  invalid_argument: 'InvalidArgumentException',
  not_found: 'ResourceNotFoundException',
  already_exists: 'ResourceInUseException',
  failed_precondition: 'ResourceInUseException',
  resource_exhausted: 'ClientLimitExceededException',
  unauthenticated: 'InvalidSignatureException',
  permission_denied: 'AccessDeniedException',
  unavailable: 'ServiceUnavailableException',
  deadline_exceeded: 'ServiceUnavailableException',
  cancelled: 'ServiceUnavailableException',
  unimplemented: 'UnknownOperationException',
  data_loss: 'InternalFailureException',
  internal: 'InternalFailureException',
};

/** What a client is answered with. */
export type AwsError = { readonly name: AwsErrorName; readonly httpStatus: number; readonly message: string };

/** Makes an `AppError` that is told by this exception name. The message goes to the client as it is. */
export function awsError(name: AwsErrorName, message: string, context: ErrorContext = {}): AppError {
  return appError(rows[name].code, message, { ...context, awsName: name });
}

/** How an error is told on the wire; of our own mistakes nothing but that there was one. */
export function awsErrorOf(error: AppError): AwsError {
  const { awsName } = error.context;
  const name = isAwsErrorName(awsName) ? awsName : nameOfCode[error.code];
  const isOurs = error.code === 'internal' || error.code === 'data_loss';
  return {
    name,
    httpStatus: rows[name].httpStatus,
    message: isOurs ? 'something went wrong inside' : error.message,
  };
}

function isAwsErrorName(value: unknown): value is AwsErrorName {
  return typeof value === 'string' && Object.hasOwn(rows, value);
}
