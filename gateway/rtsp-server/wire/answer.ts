/** Answers as text, and which status says what. Pure. */

import { type AppError, appError, type ErrorCode } from '../../../storage/base/errors.ts';

export type Answer = {
  readonly status: number;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
};

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  451: 'Parameter Not Understood',
  453: 'Not Enough Bandwidth',
  454: 'Session Not Found',
  455: 'Method Not Valid in This State',
  457: 'Invalid Range',
  459: 'Aggregate Operation Not Allowed',
  461: 'Unsupported Transport',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'RTSP Version Not Supported',
  551: 'Option not supported',
};

const statusOfCode: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  not_found: 404,
  already_exists: 455,
  failed_precondition: 455,
  resource_exhausted: 453,
  unauthenticated: 401,
  permission_denied: 403,
  unavailable: 503,
  deadline_exceeded: 503,
  cancelled: 503,
  data_loss: 500,
  unimplemented: 501,
  internal: 500,
};

/** An error that has a status of RTSP's own. */
export function refusal(status: number, code: ErrorCode, message: string): AppError {
  return appError(code, message, { rtspStatus: status });
}

export function statusOf(error: AppError): number {
  const { rtspStatus } = error.context;
  return typeof rtspStatus === 'number' ? rtspStatus : statusOfCode[error.code];
}

/** CSeq comes first: players are known that look for it by position. */
export function formatAnswerText(cseq: string | undefined, answer: Answer): string {
  const { status, headers = [], body } = answer;
  const lines = [
    `RTSP/1.0 ${status} ${reasons[status] ?? 'Error'}`,
    ...(cseq === undefined ? [] : [`CSeq: ${cleaned(cseq)}`]),
    'Server: weir',
    ...headers.map(([name, value]) => `${name}: ${cleaned(value)}`),
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** A value that a stranger had a hand in must not become two lines. */
function cleaned(value: string): string {
  return value.replace(/[\r\n]+/g, ' ');
}
