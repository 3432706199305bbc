/** Runs one command line from words to exit code. */

import { text } from 'node:stream/consumers';
import { systemClock } from '../../storage/base/clock.ts';
import { Output, type Terminal } from './output.ts';
import { makeProgram, usageError } from './program.ts';

/** @param words  the command line without the program's name. Returns the exit code; prints everything itself. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const terminal: Terminal = { out: process.stdout, err: process.stderr };
  const output = new Output({ terminal, clock: systemClock });
  output.isJson = words.includes('--json');
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => ending.abort(new DOMException(`stopped by ${signal}`, 'AbortError')));
  }
  const program = makeProgram(
    {
      output,
      surroundings: { environment: process.env, workingDirectory: process.cwd() },
      readInput: () => text(process.stdin),
      signal: ending.signal,
    },
    terminal,
  );
  try {
    await program.parseAsync([...words], { from: 'user' });
    return output.exitCode;
  } catch (error) {
    const failure = usageError(error);
    return failure === undefined ? 0 : output.failure(failure);
  }
}
