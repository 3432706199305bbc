/** Child processes of the launcher: quiet ones whose output is shown only when they fail, and the one it hands over to. */

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import process from 'node:process';

const outputCharactersMax = 4_000;

/** Runs a command quietly; rejects with the end of its output, and with what the person can do. */
export function runQuietly(command, args, options = {}) {
  const { hint, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...spawnOptions, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-outputCharactersMax);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (error) => reject(new Error(`${command}: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else {
        const how = signal === null ? `code ${code}` : signal;
        const lines = [output.trimEnd(), `${command} ended with ${how}`, hint];
        reject(new Error(lines.filter((line) => line !== undefined && line !== '').join('\n')));
      }
    });
  });
}

/** Hands terminal and signals over to Node 24 and resolves with its exit code, 128 + n when a signal ended it. */
export function exec(context, args) {
  return start(context, args).ended;
}

/** As `exec`, with the child at hand for a caller that restarts it. */
export function start(context, args) {
  const child = spawn(context.node, args, { cwd: cwdOf(args, context.root), env: context.env, stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const forward = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  const ended = new Promise((resolve) => {
    child.once('error', (error) => {
      process.stderr.write(`weir: cannot start ${context.node}: ${error.message}\n`);
      resolve(1);
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  }).finally(() => {
    for (const signal of signals) process.off(signal, forward);
  });
  return { child, ended };
}

/** An absolute script runs where the person stands (file names on a command line are theirs), others in the checkout. */
function cwdOf(args, root) {
  return args[0]?.startsWith('/') ? process.cwd() : root;
}
