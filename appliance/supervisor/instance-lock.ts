/**
 * One process a role and data directory: a second recorder would take the first one's open files for those of the dead. The
 * supervisor holds the locks of all its roles, a role that runs alone its own. The kernel keeps them, so a lock is gone with its
 * holder, however that ends:
 *
 *   an abstract socket named after directory and role   taken atomically; seen in the same network name space
 *   run/<role>.lock, a socket in the directory          answers with the holder's process id; also seen from other containers
 */

import { createHash } from 'node:crypto';
import { lstat, mkdir, realpath, unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join, relative } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';

/** A holder that is alive but stopped in a debugger does not answer; it holds all the same. */
const answerMs = 1_000;

export class InstanceLock {
  readonly #clock: Clock;
  readonly #options: {
    readonly dataDirectory: string;
    readonly runDirectory: string;
    readonly roles: readonly string[];
  };
  readonly #lifetime = new Lifetime();

  constructor(
    deps: { readonly clock: Clock },
    options: { readonly dataDirectory: string; readonly runDirectory: string; readonly roles: readonly string[] },
  ) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  /** @throws AppError failed_precondition  another process holds one of the roles, or the directory of the sockets is not ours: none is held */
  async start(): Promise<void> {
    const { dataDirectory, runDirectory, roles } = this.#options;
    await mkdir(dataDirectory, { recursive: true });
    await mkdir(runDirectory, { recursive: true, mode: 0o700 });
    // Below the data directory it is as safe as the recordings are.
    if (relative(dataDirectory, runDirectory).startsWith('..')) await requireOurs(runDirectory);
    const directory = createHash('sha256')
      .update(await realpath(dataDirectory))
      .digest('hex')
      .slice(0, 32);
    try {
      for (const role of roles) await this.#take(`\0weir-${directory}-${role}`, lockPath(runDirectory, role));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #take(name: string, path: string): Promise<void> {
    try {
      await this.#hold(name);
    } catch (error) {
      if (errnoOf(error) === 'EADDRINUSE') throw this.#heldBy(await askHolder(this.#clock, path));
      throw error;
    }
    const holder = await askHolder(this.#clock, path);
    if (holder !== undefined) throw this.#heldBy(holder);
    await unlink(path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    await this.#hold(path);
  }

  async #hold(path: string): Promise<void> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(String(process.pid));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    server.unref();
    this.#lifetime.defer(() => new Promise((resolve) => server.close(() => resolve())));
  }

  #heldBy(pid: string | undefined): Error {
    const who = pid === undefined || pid === '' ? '' : ` (process ${pid})`;
    return appError('failed_precondition', `Weir already runs on ${this.#options.dataDirectory}${who}`, {
      hint: 'stop it first, or give this one another --data-directory',
    });
  }
}

/** The process id of whoever holds a role: '' when it does not say (it is stopped, say), undefined when nobody does. */
export function holderOf(
  { clock }: { readonly clock: Clock },
  { runDirectory, role }: { readonly runDirectory: string; readonly role: string },
): Promise<string | undefined> {
  return askHolder(clock, lockPath(runDirectory, role));
}

function lockPath(runDirectory: string, role: string): string {
  return join(runDirectory, `${role}.lock`);
}

function askHolder(clock: Clock, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let answer = '';
    const cancel = clock.after(answerMs, () => {
      socket.destroy();
      resolve(answer);
    });
    const settle = (result: string | undefined) => {
      cancel();
      resolve(result);
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer = (answer + chunk).slice(0, 20);
    });
    socket.once('end', () => settle(answer));
    socket.once('error', () => settle(undefined));
  });
}

/**
 * Who owns the directory of the sockets can stand between the roles. Below the temporary directory, where it lies when its own path is
 * too long, others may have made it before us.
 */
async function requireOurs(directory: string): Promise<void> {
  const facts = await lstat(directory);
  const isOurs = facts.isDirectory() && (facts.uid === process.getuid?.() || facts.uid === 0);
  if (isOurs && (facts.mode & 0o022) === 0) return;
  throw appError(
    'failed_precondition',
    'the directory of the sockets belongs to somebody else, or others may write into it',
    {
      directory,
      hint: 'Look who made it; remove it, or give the data directory a shorter path.',
    },
  );
}
