/** Runs a program of the machine for what it prints, bounded in time and bytes. */

import { spawn } from 'node:child_process';

const outputBytesMax = 512 * 1024;

/** @throws Error  it is not there, ended with a code other than 0, or was ended by the signal */
export function runProgram(path: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'ignore'], signal, killSignal: 'SIGKILL' });
    const chunks: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= outputBytesMax) chunks.push(chunk);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString());
      else reject(new Error(`it ended with code ${code}`));
    });
  });
}
