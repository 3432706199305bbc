/**
 * One appliance a data directory: a second one would take the first one's open files for those of the dead. The kernel keeps the
 * lock, so it is gone with its holder, however that ends:
 *
 *   an abstract socket named after the directory   taken atomically; seen by processes of the same network name space
 *   run/supervisor.lock, a socket in the directory  answers with the holder's process id; also seen from other containers
 */

import { createHash } from 'node:crypto';
import { mkdir, realpath, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';

/** A holder that is alive but stopped in a debugger does not answer; it holds all the same. */
const answerMs = 1_000;

export class InstanceLock {
  readonly #clock: Clock;
  readonly #options: { readonly dataDirectory: string; readonly runDirectory: string };
  readonly #lifetime = new Lifetime();

  constructor(
    deps: { readonly clock: Clock },
    options: { readonly dataDirectory: string; readonly runDirectory: string },
  ) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  /** @throws AppError failed_precondition  another appliance runs on this data directory */
  async start(): Promise<void> {
    const { dataDirectory, runDirectory } = this.#options;
    await mkdir(runDirectory, { recursive: true, mode: 0o700 });
    const path = join(runDirectory, 'supervisor.lock');
    const name = createHash('sha256')
      .update(await realpath(dataDirectory))
      .digest('hex')
      .slice(0, 32);
    try {
      await this.#hold(`\0weir-${name}`);
    } catch (error) {
      if (errnoOf(error) === 'EADDRINUSE') throw await this.#heldBy(path);
      throw error;
    }
    if (await this.#isAnswered(path)) throw await this.#heldBy(path);
    await unlink(path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    await this.#hold(path);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #hold(path: string): Promise<void> {
    const server: Server = createServer((socket) => {
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

  async #isAnswered(path: string): Promise<boolean> {
    return (await this.#askHolder(path)) !== undefined;
  }

  async #heldBy(path: string): Promise<Error> {
    await this.close();
    const pid = await this.#askHolder(path);
    const who = pid === undefined || pid === '' ? '' : ` (process ${pid})`;
    return appError('failed_precondition', `Weir already runs on ${this.#options.dataDirectory}${who}`, {
      hint: 'stop it first, or give this one another --data-directory',
    });
  }

  /** The holder's process id, '' when somebody listens but does not say, undefined when nobody does. */
  #askHolder(path: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const socket = connect(path);
      let answer = '';
      const cancel = this.#clock.after(answerMs, () => {
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
}
