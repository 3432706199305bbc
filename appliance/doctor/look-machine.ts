/** Looks at the machine: Node, memory, native modules, ffmpeg, and who sets the clock. */

import { access, readdir, readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { errnoOf } from '../../storage/base/errors.ts';
import type { ClockFacts } from './judge-clock.ts';
import type { FfmpegFacts, MachineFacts } from './judge-machine.ts';
import { runProgram } from './run-program.ts';

export async function lookAtMachine(cameras: number): Promise<MachineFacts> {
  return {
    node: process.versions.node,
    cpus: availableParallelism(),
    memoryBytes: process.constrainedMemory() > 0 ? Math.min(totalmem(), process.constrainedMemory()) : totalmem(),
    memoryFreeBytes: process.availableMemory(),
    filesMax: await openFilesMax(),
    cameras,
  };
}

/** Why the module with the databases does not load; undefined when it does. */
export async function lookAtDatabaseModule(): Promise<string | undefined> {
  try {
    const { default: Sqlite } = await import('better-sqlite3');
    new Sqlite(':memory:').close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  }
}

export async function lookAtFfmpeg(path: string, signal: AbortSignal): Promise<FfmpegFacts> {
  const ask = (flag: string) => runProgram(path, ['-hide_banner', flag], signal);
  const none = {
    path,
    version: '',
    decoders: new Set<string>(),
    encoders: new Set<string>(),
    hardware: [],
    devices: [],
  };
  try {
    const version = /^ffmpeg version (\S+)/.exec(await runProgram(path, ['-version'], signal))?.[1] ?? 'unknown';
    const [decoders, encoders, hardware] = await Promise.all([ask('-decoders'), ask('-encoders'), ask('-hwaccels')]);
    return {
      path,
      error: undefined,
      version,
      decoders: codecNames(decoders),
      encoders: codecNames(encoders),
      hardware: hardware
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
        .filter((line) => line !== ''),
      devices: await videoDevices(),
    };
  } catch (error) {
    const text = errnoOf(error) === 'ENOENT' ? 'there is no such program' : error instanceof Error ? error.message : '';
    return { ...none, error: text };
  }
}

/** Asks whoever may know: systemd's note, its tool, chrony. Nobody need be there. */
export async function lookAtTimeServer(signal: AbortSignal): Promise<Pick<ClockFacts, 'teller' | 'isSynchronised'>> {
  const isNoted = await access('/run/systemd/timesync/synchronized').then(
    () => true,
    () => false,
  );
  if (isNoted) return { teller: 'systemd-timesyncd', isSynchronised: true };
  const chrony = await runProgram('chronyc', ['-n', 'tracking'], signal).catch(() => undefined);
  const leap = /^Leap status\s*:\s*(.+)$/m.exec(chrony ?? '')?.[1];
  if (leap !== undefined) return { teller: 'chrony', isSynchronised: leap.trim() === 'Normal' };
  const args = ['show', '-p', 'NTPSynchronized', '--value'];
  const told = (await runProgram('timedatectl', args, signal).catch(() => '')).trim();
  if (told === 'yes' || told === 'no') return { teller: 'timedatectl', isSynchronised: told === 'yes' };
  return { teller: undefined, isSynchronised: undefined };
}

/** Lines like ` V....D h264    H.264 / AVC`: flags, then a name. */
function codecNames(text: string): Set<string> {
  return new Set([...text.matchAll(/^ [VAS][A-Z.]{5} (\S+)/gm)].map((match) => match[1] ?? ''));
}

async function videoDevices(): Promise<string[]> {
  const [render, nvidia] = await Promise.all(['/dev/dri', '/dev'].map((path) => readdir(path).catch(() => [])));
  return [
    ...(render ?? []).filter((name) => name.startsWith('renderD')).map((name) => `/dev/dri/${name}`),
    ...(nvidia ?? []).filter((name) => /^nvidia\d+$/.test(name)).map((name) => `/dev/${name}`),
  ];
}

async function openFilesMax(): Promise<number | undefined> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const soft = /^Max open files\s+(\S+)/m.exec(text)?.[1];
  return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
}
