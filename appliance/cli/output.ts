/** What commands print: tables for people, JSON for scripts, never both; progress and errors on standard error. */

import { inspect } from 'node:util';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import { withoutCredentials } from '../../storage/base/log.ts';
import { exitCodes } from './exit-codes.ts';

export type Terminal = {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown; readonly isTTY?: boolean };
};

export class Output {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  isJson = false;
  /** Of a command that was done and yet has something to say by its code. */
  exitCode = 0;

  constructor(deps: { readonly terminal: Terminal; readonly clock: Clock }) {
    this.#terminal = deps.terminal;
    this.#clock = deps.clock;
  }

  /** The command's result: `value` as JSON, or what `lines` makes of it for people. */
  result(value: unknown, lines: () => readonly string[]): void {
    if (this.isJson) this.#terminal.out.write(`${json(value, 2)}\n`);
    else for (const line of lines()) this.line(line);
  }

  /** A line of the result that comes before the rest of it. */
  line(text: string): void {
    this.#terminal.out.write(`${harmless(text)}\n`);
  }

  /** Something beside the result. */
  note(text: string): void {
    this.#terminal.err.write(`${harmless(text)}\n`);
  }

  /** Prints why a command failed. Returns its exit code. */
  failure(thrown: unknown): number {
    const error = toAppError(thrown);
    if (this.isJson) {
      const { code, message, hint, context } = error;
      const key = typeof context.key === 'string' ? { key: context.key } : {};
      this.#terminal.err.write(
        `${json({ error: { code, message, ...(hint === undefined ? {} : { hint }), ...key } })}\n`,
      );
    } else {
      this.note(`weir: ${withoutCredentials(error.message)}`);
      if (error.hint !== undefined) this.note(`      ${error.hint}`);
      if (error.code === 'internal') this.note(withoutCredentials(inspect(error.cause ?? error)));
    }
    return exitCodes[error.code];
  }

  /** Waits; ends early, by an error, when the person asks the command to end. */
  pause(durationMs: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(durationMs, signal);
  }

  /**
   * Runs long work with a sign of life on standard error: the newest text it gave, rewritten on a terminal, otherwise a line
   * every ten seconds; for scripts the newest facts as a line of JSON every second, where the work gives some.
   */
  async progress<T>(
    what: string,
    work: (tell: (text: string, facts?: Readonly<Record<string, unknown>>) => void) => Promise<T>,
  ): Promise<T> {
    const { err } = this.#terminal;
    const beganMs = this.#clock.monotonicMs();
    let told = '';
    let facts: Readonly<Record<string, unknown>> | undefined;
    const isTerminal = err.isTTY === true;
    const line = () =>
      `${what}: ${told === '' ? '' : `${told}, `}${Math.round((this.#clock.monotonicMs() - beganMs) / 1000)} s`;
    const stopLines = this.#clock.every(isTerminal ? 500 : 10_000, () => {
      if (!this.isJson || facts === undefined)
        err.write(isTerminal ? `\r${harmless(line())}\u001b[K` : `${harmless(line())}\n`);
    });
    const stopFacts = this.#clock.every(1_000, () => {
      if (this.isJson && facts !== undefined) err.write(`${json({ progress: facts })}\n`);
    });
    try {
      return await work((text, newest) => {
        told = text;
        facts = newest;
      });
    } finally {
      stopLines();
      stopFacts();
      if (isTerminal) err.write('\r\u001b[K');
    }
  }
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head.map((name) => name.toUpperCase()), ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => [...(row[column] ?? '')].length)));
  return all.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - [...cell].length),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** Devices choose their names and the texts of their errors: those must not steer the terminal of whoever reads them. */
function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, ' ');
}

/** JSON has escapes of its own for the first 32 control characters; the rest of them terminals understand, too. */
function json(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
