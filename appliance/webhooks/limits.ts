/** Every bound of what we send out, with how it was derived. */

const seconds = 1_000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

export const webhookLimits = {
  /** One attempt, from the name's look-up to the last byte of the answer. */
  timeoutMs: 10 * seconds,
  /** Of an answer nothing but its status counts; so much of the rest is read to be polite. */
  answerBytesMax: 64 * 1024,
  /** Delays between attempts double from the first to the last. */
  firstDelayMs: 2 * seconds,
  delayMsMax: 10 * minutes,
  /** A weekend: what could not be told by then is given up, since the page tells it too. */
  ageMsMax: 72 * hours,
  /** Nothing is given up before so many attempts: a clock that is set must not. */
  attemptsMin: 20,
  urlCharactersMax: 1_024,
  errorCharactersMax: 300,
} as const;
