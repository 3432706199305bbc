/** The methods that we answer, and what each asks for before anything else happens: a test walks this table. */

export type MethodAccess =
  /** Nothing of the site is told. */
  | 'public'
  /** Credentials, and the authoriser about the stream. */
  | 'asks'
  /** A session of this connection, which nobody has who was not asked before; the authoriser is asked again while it plays. */
  | 'session';

export const rtspMethods = {
  OPTIONS: 'public',
  DESCRIBE: 'asks',
  SETUP: 'asks',
  PLAY: 'asks',
  PAUSE: 'session',
  TEARDOWN: 'session',
  GET_PARAMETER: 'session',
  SET_PARAMETER: 'session',
} as const satisfies Readonly<Record<string, MethodAccess>>;

export type RtspMethod = keyof typeof rtspMethods;

export function isRtspMethod(text: string): text is RtspMethod {
  return Object.hasOwn(rtspMethods, text);
}
