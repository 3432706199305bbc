/** The one place where errors become HTTP: a status for each code, one envelope for all, and never a stack trace. */

import type { FastifyReply } from 'fastify';
import { AppError, appError, type ErrorCode } from '../../storage/base/errors.ts';
import { helpPath } from '../runbook/index.ts';

const statuses: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  failed_precondition: 412,
  resource_exhausted: 429,
  // What nginx says of a client that left; nobody reads it but the access log.
  cancelled: 499,
  internal: 500,
  data_loss: 500,
  unimplemented: 501,
  unavailable: 503,
  deadline_exceeded: 504,
};

/** What every refused request is answered with. */
export type ErrorEnvelope = {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly hint?: string;
    /** Which field of the request is meant. */
    readonly field?: string;
    /** Page of the code in the runbook. */
    readonly help: string;
    readonly requestId: string;
  };
};

/** What a person may know of an error: of one that is our own mistake, only where to look. */
export function envelopeOf(error: AppError, requestId: string): ErrorEnvelope {
  const { field } = error.context;
  const isOurs = error.code === 'internal';
  return {
    error: {
      code: error.code,
      message: isOurs ? 'something went wrong inside' : error.message,
      ...(error.hint === undefined && !isOurs ? {} : { hint: error.hint ?? 'the log says more under this request id' }),
      ...(typeof field === 'string' ? { field } : {}),
      help: helpPath(error.code),
      requestId,
    },
  };
}

export function statusOf(error: AppError): number {
  const { httpStatus } = error.context;
  return typeof httpStatus === 'number' ? httpStatus : statuses[error.code];
}

/** Answers with an error. */
export function sendError(reply: FastifyReply, error: AppError): FastifyReply {
  const { retryAfterMs } = error.context;
  if (typeof retryAfterMs === 'number') reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1000)));
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="weir"');
  return reply
    .code(statusOf(error))
    .removeHeader('content-length')
    .removeHeader('content-disposition')
    .type('application/json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(envelopeOf(error, reply.request.id));
}

/** Whatever a route or Fastify threw, as ours. What we do not know is our own mistake. */
export function requestError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!(error instanceof Error)) return appError('internal', String(error));
  const code = 'code' in error ? String(error.code) : '';
  const known = fastifyErrors[code] ?? refusalOf(error, code);
  if (known === undefined) return appError('internal', error.message, { cause: error });
  const [appCode, httpStatus, message, hint] = known;
  return appError(appCode, message, { httpStatus, cause: error, ...(hint === undefined ? {} : { hint }) });
}

type Refusal = readonly [code: ErrorCode, httpStatus: number, message: string, hint?: string];

/** What a client did, and not we: an error of ours would be in the log for a person to look at. */
function refusalOf(error: Error, code: string): Refusal | undefined {
  if (code === 'ECONNRESET' && error.message === 'aborted') return ['cancelled', 499, 'the client left'];
  const isRefusal =
    'statusCode' in error && typeof error.statusCode === 'number' && Math.floor(error.statusCode / 100) === 4;
  return isRefusal ? ['invalid_argument', 400, 'the request is not understood'] : undefined;
}

/** Fastify's own refusals of requests, by its codes. */
const fastifyErrors: Readonly<Record<string, Refusal>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['invalid_argument', 413, 'the body is too large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'invalid_argument',
    415,
    'the body has a content type that is not taken',
    'send application/json',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_argument', 400, 'the body is empty'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_argument', 400, 'the body is not JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_argument', 400, 'the body has another length than it says'],
  FST_ERR_BAD_URL: ['invalid_argument', 400, 'the path is not percent-encoded correctly'],
  FST_STATIC_FORBIDDEN_PATH: ['not_found', 404, 'there is nothing at this path'],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid_argument', 414, 'a part of the path is too long'],
};
