/**
 * One role as a child process that is kept alive: started, asked for a sign of life, restarted with growing delays, stopped by
 * SIGTERM and after a deadline by SIGKILL. It never gives up: a role that keeps ending is said loudly and tried on, slowly.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { Backoff } from '../../storage/base/retry.ts';
import type { RoleFigures, RoleMessage, RoleState, SupervisorMessage } from './messages.ts';

/** How patient we are with a role. */
export type RolePatience = {
  /** First and longest delay before a restart. */
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopMs: number;
  /** Without a sign of life for so long it hangs, and is killed. */
  readonly silenceMs: number;
};

/** A role that ran for so long is well: its next failure is a first one. */
const stableMs = 60_000;
/** So many ends within a minute are a loop: no more an accident, a person should look. */
const loopEnds = 5;
const loopWindowMs = 60_000;
const pingPeriodMs = 5_000;

export type RoleProcessDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly onState: () => void;
  readonly onFigures: (figures: RoleFigures) => void;
  readonly onMessage: (message: RoleMessage) => void;
  readonly onEnded: () => void;
  /** Aborts when all roles are about to be stopped, in their order: whoever ends by itself then is not started anew. */
  readonly stopping: AbortSignal;
};

export type RoleProcessOptions = {
  readonly name: string;
  /** Script and arguments; run by this Node with its flags. */
  readonly entry: string;
  readonly args: readonly string[];
  /** Flags for Node. */
  readonly execArgv: readonly string[];
  readonly patience: RolePatience;
  /** Made anew for each start. */
  readonly startMessage: () => SupervisorMessage;
};

export class RoleProcess {
  readonly #deps: RoleProcessDeps;
  readonly #options: RoleProcessOptions;
  readonly #lifetime = new Lifetime();
  readonly #ends: number[] = [];
  #child: ChildProcess | undefined;
  #state: RoleState;
  #lastWords: string | undefined;
  #heardMs = 0;
  #firstStart: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(deps: RoleProcessDeps, options: RoleProcessOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#state = {
      role: options.name,
      state: 'starting',
      sinceMs: deps.clock.wallMs(),
      restarts: 0,
      pid: undefined,
      reason: undefined,
    };
  }

  get state(): RoleState {
    return this.#state;
  }

  /** Resolves when the role is ready for the first time, or ended before it was. */
  get firstStart(): Promise<void> {
    return this.#firstStart.promise;
  }

  start(): void {
    this.#lifetime.loop((signal) => this.#keepAlive(signal));
  }

  /** Stops the process and waits for its end. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Sends to the process if it runs; whoever starts later gets what matters in its start message. */
  send(message: SupervisorMessage): void {
    if (this.#child?.connected === true) this.#child.send(message, () => {});
  }

  async #keepAlive(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const { firstDelayMs, delayMsMax } = this.#options.patience;
    const backoff = new Backoff({ firstDelayMs, delayMsMax });
    while (!signal.aborted && !this.#deps.stopping.aborted) {
      const beginMs = clock.monotonicMs();
      const reason = await this.#runOnce(signal);
      this.#firstStart.resolve();
      if (signal.aborted || this.#deps.stopping.aborted) break;
      this.#deps.onEnded();
      if (clock.monotonicMs() - beginMs > stableMs) backoff.reset();
      const delayMs = this.#isLooping() ? delayMsMax : backoff.nextDelayMs();
      log.error(this.#isLooping() ? 'role ends again and again' : 'role ended', {
        child: this.#options.name,
        reason,
        delayMs: Math.round(delayMs),
      });
      this.#change({ state: 'waiting', pid: undefined, reason, restarts: this.#state.restarts + 1 });
      await clock.sleep(delayMs, signal).catch(() => {});
    }
    this.#change({ state: 'stopped', pid: undefined, reason: undefined });
  }

  /** From start to end of one process; resolves with why it ended. */
  async #runOnce(signal: AbortSignal): Promise<string> {
    const { clock, log } = this.#deps;
    const { name, entry, args, patience } = this.#options;
    this.#lastWords = undefined;
    const child = fork(entry, args, {
      serialization: 'advanced',
      execArgv: [...process.execArgv, ...this.#options.execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Its own process group: what a terminal or a service manager sends to all, the parent passes on in its order.
      detached: true,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache() },
    });
    this.#child = child;
    this.#heardMs = clock.monotonicMs();
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, exitSignal) =>
        resolve(this.#lastWords ?? (exitSignal === null ? `code ${code}` : exitSignal)),
      );
    });
    child.on('message', (message: RoleMessage) => this.#hear(message));
    this.send(this.#options.startMessage());
    this.#change({ state: 'starting', pid: child.pid, reason: this.#state.reason });

    const stopPings = clock.every(pingPeriodMs, () => {
      const silentMs = clock.monotonicMs() - this.#heardMs;
      if (silentMs > patience.silenceMs) {
        log.error('role hangs and is killed', { child: name, silentMs: Math.round(silentMs) });
        this.#lastWords = 'it gave no sign of life and was killed';
        child.kill('SIGKILL');
      } else this.send({ type: 'ping', id: Math.round(clock.monotonicMs()) });
    });
    let cancelKill: (() => void) | undefined;
    const onAbort = () => {
      child.kill('SIGTERM');
      cancelKill = clock.after(patience.stopMs, () => {
        log.error('role did not stop and is killed', { child: name, afterMs: patience.stopMs });
        child.kill('SIGKILL');
      });
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await ended;
    } finally {
      stopPings();
      cancelKill?.();
      signal.removeEventListener('abort', onAbort);
      this.#child = undefined;
      this.#noteEnd();
    }
  }

  #hear(message: RoleMessage): void {
    this.#heardMs = this.#deps.clock.monotonicMs();
    if (message.type === 'ready') {
      this.#change({ state: 'running', pid: this.#state.pid, reason: undefined });
      this.#firstStart.resolve();
    } else if (message.type === 'failed') {
      this.#lastWords = message.hint === undefined ? message.message : `${message.message} (${message.hint})`;
    } else if (message.type === 'pong') {
      if (message.figures !== undefined) this.#deps.onFigures(message.figures);
    } else this.#deps.onMessage(message);
  }

  #noteEnd(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#ends.push(nowMs);
    while ((this.#ends[0] ?? nowMs) < nowMs - loopWindowMs) this.#ends.shift();
  }

  #isLooping(): boolean {
    return this.#ends.length >= loopEnds;
  }

  #change(change: Pick<RoleState, 'state' | 'pid' | 'reason'> & { readonly restarts?: number }): void {
    this.#state = { ...this.#state, ...change, sinceMs: this.#deps.clock.wallMs() };
    this.#deps.onState();
  }
}

/** The cache's folder as it is given to Node, which adds one for its own version. */
function compileCache(): string | undefined {
  const directory = getCompileCacheDir();
  return directory === undefined ? undefined : dirname(directory);
}
