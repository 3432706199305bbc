/** What the launcher says: one line a step with its number and time, and nothing at all when nothing had to be done. */

import { exit, stderr, stdout } from 'node:process';

/** Lines of the launcher go to standard error: standard output belongs to what it starts. */
export function say(text) {
  stderr.write(`weir: ${text}\n`);
}

/** Says what went wrong and ends with code 1. */
export function fail(text) {
  say(text);
  exit(1);
}

/**
 * Runs the steps that are needed, in order. A step is `{ title, isNeeded(), run() }`; `run` may return a sentence that replaces
 * "done", and throws an Error whose message is for the person at the terminal.
 */
export async function runSteps(steps) {
  const needed = steps.filter((step) => step.isNeeded());
  for (const [index, step] of needed.entries()) {
    const label = `[${index + 1}/${needed.length}] ${step.title}`;
    const begin = performance.now();
    say(`${label} ...`);
    const stopTicking = tick(() => `${label}: ${seconds(begin)} so far`);
    try {
      const result = await step.run();
      stopTicking();
      say(`${label}: ${result ?? 'done'} (${seconds(begin)})`);
    } catch (error) {
      stopTicking();
      fail(`${label}: failed after ${seconds(begin)}\n${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function seconds(begin) {
  return `${((performance.now() - begin) / 1000).toFixed(1)} s`;
}

/** A sign of life: on a terminal one line that is rewritten each second, in a log a line every 15 s. */
function tick(text) {
  const isTerminal = stderr.isTTY && stdout.isTTY;
  const timer = setInterval(
    () => {
      if (isTerminal) stderr.write(`\rweir: ${text()}\u001b[K\r`);
      else say(text());
    },
    isTerminal ? 1_000 : 15_000,
  );
  return () => {
    clearInterval(timer);
    if (isTerminal) stderr.write('\u001b[K');
  };
}
