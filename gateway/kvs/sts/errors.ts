/** Errors as the query protocol of AWS names them: without `Exception` at the end, and in XML. */

import { type AppError, appError, type ErrorCode } from '../../../storage/base/errors.ts';
import { type AwsErrorName, awsErrorOf } from '../errors.ts';
import { xmlText } from './xml.ts';

const rows = {
  AccessDenied: { code: 'permission_denied', httpStatus: 403 },
  ValidationError: { code: 'invalid_argument', httpStatus: 400 },
  MalformedPolicyDocument: { code: 'invalid_argument', httpStatus: 400 },
  PackedPolicyTooLarge: { code: 'invalid_argument', httpStatus: 400 },
  MalformedQueryString: { code: 'invalid_argument', httpStatus: 400 },
  MissingAction: { code: 'invalid_argument', httpStatus: 400 },
  InvalidAction: { code: 'unimplemented', httpStatus: 400 },
} as const satisfies Readonly<Record<string, { readonly code: ErrorCode; readonly httpStatus: number }>>;

/** Names of this service alone; what concerns signatures and the server is named in `signatureNames`. */
export type StsErrorName = keyof typeof rows;

/** What clients of the query protocol know the errors of every door by. */
const signatureNames: Readonly<Partial<Record<AwsErrorName, string>>> = {
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  IncompleteSignatureException: 'IncompleteSignature',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  UnrecognizedClientException: 'InvalidClientTokenId',
  ExpiredTokenException: 'ExpiredToken',
  AccessDeniedException: 'AccessDenied',
  InvalidArgumentException: 'ValidationError',
  ClientLimitExceededException: 'Throttling',
  ThrottlingException: 'Throttling',
  ServiceUnavailableException: 'ServiceUnavailable',
  InternalFailureException: 'InternalFailure',
};

/** The message goes to the client as it is. */
export function stsError(name: StsErrorName, message: string): AppError {
  return appError(rows[name].code, message, { stsName: name });
}

/** Status and XML body of an error; of our own mistakes nothing but that there was one. */
export function stsErrorAnswer(error: AppError, requestId: string) {
  const { stsName } = error.context;
  const aws = awsErrorOf(error);
  const { name, httpStatus } = isStsName(stsName)
    ? { name: stsName, httpStatus: rows[stsName].httpStatus }
    : { name: signatureNames[aws.name] ?? 'InternalFailure', httpStatus: aws.httpStatus };
  const type = httpStatus < 500 ? 'Sender' : 'Receiver';
  const body =
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>${type}</Type><Code>${name}</Code>` +
    `<Message>${xmlText(aws.message)}</Message></Error><RequestId>${xmlText(requestId)}</RequestId></ErrorResponse>`;
  return { name, httpStatus, body };
}

function isStsName(value: unknown): value is StsErrorName {
  return typeof value === 'string' && Object.hasOwn(rows, value);
}
