/**
 * One event, one line, fields not prose. Levels: `error` a person should look, `warn` it healed itself, `info` a state
 * changed, `debug` for the developer at hand. Child loggers carry identity (role, cameraId, requestId).
 */

import { type Logger, pino } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import { logLineToText } from './log-text.ts';

export type LogFields = Readonly<Record<string, unknown>>;

export type Log = {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  /** Adds to a sum that is printed at most once a second: for things that may repeat a thousand times. */
  counted(event: string, count?: number, fields?: LogFields): void;
  child(identity: LogFields): Log;
};

export type LogOptions = {
  readonly level: 'error' | 'warn' | 'info' | 'debug' | 'silent';
  /** Where lines go; standard output when absent: as JSON, or as text when that is a terminal. */
  readonly destination?: { write(line: string): void };
  readonly identity?: LogFields;
  /** Told each line as JSON besides; must return at once. */
  readonly tap?: (line: string) => void;
  readonly clock?: Clock;
};

/** Field names whose values never reach a log, at any depth that we log. */
const secretPaths = ['password', 'secret', 'token', 'authorization', 'cookie', 'key'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

const terminal = { write: (line: string) => void process.stdout.write(logLineToText(line)) };

/** A logger that writes one JSON line an event; URLs in fields lose their user and password. */
export function createLog(options: LogOptions): Log {
  const settings = {
    level: options.level,
    base: options.identity ?? {},
    redact: { paths: secretPaths, censor: '(secret)' },
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: 'event',
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const plain = options.destination ?? (process.stdout.isTTY ? terminal : undefined);
  const destination = options.tap === undefined ? plain : tapped(plain ?? pino.destination(1), options.tap);
  const logger = destination === undefined ? pino(settings) : pino(settings, destination);
  return wrap(logger, options.clock ?? systemClock);
}

function tapped(destination: { write(line: string): void }, tap: (line: string) => void) {
  return {
    write: (line: string) => {
      destination.write(line);
      tap(line);
    },
  };
}

/** Swallows everything: for tests whose subject is not the log. */
export const silentLog: Log = createLog({ level: 'silent' });

/** How cameras name a user or a password in paths and queries: `?pwd=`, `&loginpas=`, `/user=x_password=y`. */
const credentialParameter =
  /(?<![a-z0-9])((?:login)?(?:user(?:name)?|use|usr|pass(?:w(?:or)?d)?|pas|pwd|psw)|auth|token|secret)=[^&\s"'<>]+/gi;

/**
 * The text without credentials: `user:password@` of any URL in it, `rtsp://camera/user:password/...`, and parameters of such names,
 * whose values end at `&`, a quote or white space: rather too much is hidden than too little. Strangers choose what is logged, so the
 * time must be linear: the search begins at `://`, since looking for a scheme before it would try every letter of a long word.
 */
export function withoutCredentials(text: string): string {
  return text
    .replace(/:\/\/[^\s/@]*(?:\/[^\s/@]*)?@/g, '://(secret)@')
    .replace(/rtsps?:\/\/[^\s?]+/gi, withoutCredentialSegments)
    .replace(credentialParameter, '$1=(secret)');
}

/** For cameras alone: elsewhere `12:30` in a path is a time. */
function withoutCredentialSegments(url: string): string {
  const [scheme, empty, host, ...segments] = url.split('/');
  const shown = segments.map((segment) => (/^[^:=&]+:/.test(segment) ? '(secret)' : segment));
  return [scheme, empty, host, ...shown].join('/');
}

function wrap(logger: Logger, clock: Clock): Log {
  const sums = new Map<string, { count: number; fields: LogFields | undefined }>();
  const print = (level: 'error' | 'warn' | 'info' | 'debug', event: string, fields?: LogFields) => {
    if (logger.isLevelEnabled(level)) logger[level](cleaned(fields), event);
  };
  return {
    error: (event, fields) => print('error', event, fields),
    warn: (event, fields) => print('warn', event, fields),
    info: (event, fields) => print('info', event, fields),
    debug: (event, fields) => print('debug', event, fields),
    counted(event, count = 1, fields) {
      const sum = sums.get(event);
      if (sum !== undefined) {
        sum.count += count;
        sum.fields = fields ?? sum.fields;
        return;
      }
      sums.set(event, { count, fields });
      clock.after(1_000, () => {
        const due = sums.get(event);
        sums.delete(event);
        if (due !== undefined) print('warn', event, { ...due.fields, count: due.count });
      });
    },
    child: (identity) => wrap(logger.child(cleaned(identity)), clock),
  };
}

function cleaned(fields: LogFields | undefined): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (typeof value === 'string') result[name] = withoutCredentials(value);
    else if (value instanceof Error) result[name] = errorFields(value);
    else result[name] = value;
  }
  return result;
}

function errorFields(error: Error): Record<string, unknown> {
  return {
    name: error.name,
    message: withoutCredentials(error.message),
    ...('code' in error ? { code: error.code } : {}),
    ...(error.name === 'AppError' ? {} : { stack: withoutCredentials(error.stack ?? '') }),
    ...(error.cause instanceof Error ? { cause: errorFields(error.cause) } : {}),
  };
}
