/**
 * Which process owns something, so that another can tell later whether it is certainly gone. A process id alone is reused
 * within minutes; with its start time, the boot and the name space of process ids it is unique on one machine.
 */

import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { errnoOf } from '../base/errors.ts';

export type ProcessIdentity = ProcessPlace & {
  readonly pid: number;
  /** Clock ticks after boot, from /proc/<pid>/stat. */
  readonly startTicks: string;
};

/** Where a process runs: one life of a container, or one boot of a machine. All processes of a place end with it. */
export type ProcessPlace = {
  readonly bootId: string;
  /** Process id name space (`pid:[4026531836]`): a container's process 7 is not the host's. */
  readonly nameSpace: string;
  readonly hostName: string;
  /** When its first process began: numbers of name spaces are used again. Empty where that cannot be seen. */
  readonly initTicks: string;
};

export async function ownIdentity(): Promise<ProcessIdentity> {
  const stat = await processStat(process.pid);
  return {
    pid: process.pid,
    startTicks: stat?.startTicks ?? '',
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    nameSpace: await readlink('/proc/self/ns/pid'),
    hostName: hostname(),
    initTicks: (await processStat(1))?.startTicks ?? '',
  };
}

/** `unknown`: its processes cannot be seen from here (another container, another machine). */
export async function processState(identity: ProcessIdentity): Promise<'alive' | 'gone' | 'unknown'> {
  const own = await ownIdentity();
  if (identity.hostName !== own.hostName) return 'unknown';
  if (identity.bootId !== own.bootId) return 'gone';
  if (identity.nameSpace !== own.nameSpace) return 'unknown';
  const stat = await processStat(identity.pid);
  if (stat === undefined || stat.startTicks !== identity.startTicks) return 'gone';
  // A zombie has given back its files and only waits for its parent.
  return stat.state === 'Z' || stat.state === 'X' ? 'gone' : 'alive';
}

export function isSameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return (
    a.pid === b.pid &&
    a.startTicks === b.startTicks &&
    a.bootId === b.bootId &&
    a.nameSpace === b.nameSpace &&
    a.hostName === b.hostName
  );
}

export function placeOf({ bootId, nameSpace, hostName, initTicks }: ProcessPlace): ProcessPlace {
  return { bootId, nameSpace, hostName, initTicks };
}

export function isSamePlace(a: ProcessPlace, b: ProcessPlace): boolean {
  return (
    a.bootId === b.bootId && a.nameSpace === b.nameSpace && a.hostName === b.hostName && a.initTicks === b.initTicks
  );
}

/** Reads an identity from a file's JSON; undefined when it is none. */
export function parseIdentity(value: unknown): ProcessIdentity | undefined {
  const place = parsePlace(value);
  if (place === undefined) return undefined;
  const { pid, startTicks } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  if (typeof pid !== 'number' || typeof startTicks !== 'string') return undefined;
  return { pid, startTicks, ...place };
}

/** As `parseIdentity`, of a place. */
export function parsePlace(value: unknown): ProcessPlace | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { bootId, nameSpace, hostName, initTicks } = value as Partial<Record<keyof ProcessPlace, unknown>>;
  if (typeof bootId !== 'string' || typeof nameSpace !== 'string' || typeof hostName !== 'string') return undefined;
  return { bootId, nameSpace, hostName, initTicks: typeof initTicks === 'string' ? initTicks : '' };
}

async function processStat(pid: number): Promise<{ state: string; startTicks: string } | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The command name is in parentheses and may itself contain any character: fields are counted behind the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined;
    throw error;
  }
}
