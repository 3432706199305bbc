/**
 * Runs `sync -f <directory>` beside this process. A small shell lives as long as the recorder and starts the syncs: to fork
 * the recorder itself, with its hundreds of megabytes, stops all cameras for 20 ms each time.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { appError } from '../base/errors.ts';

/** Reads directories, one a line; answers whatever sync says and then a line with its exit code. */
const script = 'while IFS= read -r directory; do sync -f "$directory" 2>&1; echo "= $?"; done';

/** Exit code of a shell for a program that it cannot find. */
const notFound = 127;
const saidCharactersMax = 500;

type Shell = ChildProcessByStdio<Writable, Readable, null>;
type Waiting = { readonly resolve: () => void; readonly reject: (error: unknown) => void; said: string };

export class SyncChild {
  #shell: Shell | undefined;
  #waiting: Waiting | undefined;
  #text = '';

  /**
   * One at a time. The shell is started by the first call, and again after it died.
   *
   * @throws AppError unimplemented  there is no shell or no such program here: nothing is said about the disk
   * @throws AppError data_loss      the sync failed, or was killed: what was written may be lost
   */
  sync(directory: string): Promise<void> {
    if (directory.includes('\n')) return Promise.reject(appError('unimplemented', 'directory name has a line break'));
    return new Promise((resolve, reject) => {
      if (this.#waiting !== undefined) {
        reject(appError('failed_precondition', 'a sync of this file system is under way'));
        return;
      }
      this.#waiting = { resolve, reject, said: '' };
      this.#shell ??= this.#start();
      this.#shell.stdin.write(`${directory}\n`);
    });
  }

  /** Lets the shell end; a sync under way is not waited for. */
  close(): void {
    this.#shell?.stdin.end();
    this.#shell = undefined;
  }

  #start(): Shell {
    const shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#text = '';
    shell.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    // A broken pipe is told by `close`.
    shell.stdin.on('error', () => {});
    const ended = (error: unknown) => {
      if (this.#shell === shell) this.#shell = undefined;
      this.#settle((waiting) => waiting.reject(error));
    };
    shell.once('error', (cause) => ended(appError('unimplemented', 'shell for syncing cannot be started', { cause })));
    shell.once('close', (code, signal) => ended(appError('data_loss', 'sync was broken off', { code, signal })));
    return shell;
  }

  #read(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = (lines.pop() ?? '').slice(0, saidCharactersMax);
    for (const line of lines) {
      const code = /^= (\d+)$/.exec(line)?.[1];
      if (code !== undefined) this.#settle((waiting) => answer(waiting, Number(code)));
      else if (this.#waiting !== undefined) {
        this.#waiting.said = `${this.#waiting.said} ${line}`.trim().slice(0, saidCharactersMax);
      }
    }
  }

  #settle(how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) how(waiting);
  }
}

function answer(waiting: Waiting, code: number): void {
  if (code === 0) waiting.resolve();
  else if (code === notFound) waiting.reject(appError('unimplemented', 'there is no sync program'));
  else waiting.reject(appError('data_loss', `sync of the file system failed: ${waiting.said}`, { code }));
}
