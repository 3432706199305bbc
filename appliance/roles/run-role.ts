/**
 * The life of a role's process, the same for all: wait for the start message, start, say so, run until told to end, close, exit.
 * Whatever is thrown and caught by nobody ends the process, with a line in the log and last words to the supervisor.
 */

import { randomBytes } from 'node:crypto';
import { systemClock } from '../../storage/base/clock.ts';
import { isAppError, toAppError } from '../../storage/base/errors.ts';
import type { Closable } from '../../storage/base/lifecycle.ts';
import { createLog, type Log } from '../../storage/base/log.ts';
import { LogSender } from './log-sender.ts';
import { ProcessFigures } from './process-figures.ts';
import type { RoleContext } from './role-context.ts';
import { type RoleLink, type StartMessage, SupervisorLink } from './role-link.ts';
import { pathsOf } from './setting-paths.ts';

/** After its close a role has nothing to do; what still keeps the event loop alive is not waited for. */
const closeMs = 12_000;

/** Runs `ingest-0`, `keeper`, `serve`, `onvif`, `demo`, `probe` or `examine` as the child process of a parent that is one of ours. */
export async function runRoleProcess(name: string): Promise<void> {
  if (name === 'probe') {
    (await import('./probe-process.ts')).runProbeProcess();
    return;
  }
  if (name === 'examine') {
    (await import('./examine-process.ts')).runExamineProcess();
    return;
  }
  const figures = new ProcessFigures();
  figures.start();
  const link = new SupervisorLink(process, () => figures.take());
  // The terminal sends Ctrl-C to the whole family; the parent decides in which order we end.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  const ending = Promise.withResolvers<void>();
  process.on('SIGTERM', () => ending.resolve());
  link.lost.then(() => ending.resolve());
  const start = await link.start();
  const sender = new LogSender({ clock: systemClock, send: link.sendLog });
  const log = createLog({ level: start.config.logLevel, identity: { role: name }, tap: sender.write });
  const fail = (error: unknown) => endWith(error, { log, link, sender });
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);

  const context = makeContext({ name, log, link, start });
  try {
    const role = await startRole(context);
    link.say({ type: 'ready' });
    await ending.promise;
    systemClock.after(closeMs, () => process.exit(1));
    await role.close();
    sender.flush();
    process.exit(0);
  } catch (error) {
    fail(error);
  }
}

/** Everything a role needs, from what its process was told. */
export function makeContext(options: {
  readonly name: string;
  readonly log: Log;
  readonly link: RoleLink;
  readonly start: StartMessage;
}): RoleContext {
  const { config } = options.start;
  return { ...options, clock: systemClock, random: randomBytes, config, paths: pathsOf(config) };
}

/** Loads only the code of the one role: recording has no HTTP server and no database in its process. */
export async function startRole(context: RoleContext): Promise<Closable> {
  const kind = context.name.replace(/-\d+$/, '');
  switch (kind) {
    case 'ingest':
      return (await import('./ingest.ts')).startIngest(context);
    case 'keeper':
      return (await import('./keeper.ts')).startKeeper(context);
    case 'serve':
      return (await import('./serve.ts')).startServe(context);
    case 'onvif':
      return (await import('./onvif.ts')).startOnvif(context);
    case 'demo':
      return (await import('./demo.ts')).startDemo(context);
    default:
      throw new Error(`there is no role ${kind}`);
  }
}

function endWith(
  error: unknown,
  deps: { readonly log: Log; readonly link: SupervisorLink; readonly sender: LogSender },
): void {
  const { code, message, hint } = toAppError(error);
  deps.log.error('role fails', { error: isAppError(error) || error instanceof Error ? error : message });
  deps.sender.flush();
  deps.link.say({ type: 'failed', code, message, hint });
  // The line must reach the supervisor and the log; a moment is enough for a pipe.
  systemClock.after(50, () => process.exit(1));
}
