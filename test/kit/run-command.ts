/** Runs a program to its end and tells what it printed. */

import { spawn } from 'node:child_process';

export type CommandResult = { readonly code: number | null; readonly out: string; readonly err: string };

/** Resolves whatever its exit code is. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env } });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
    // A program that ended before it read its input is judged by what it printed.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}
