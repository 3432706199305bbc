/** Looks at one TCP port: tries to open it, and when it is taken finds out by whom. */

import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { errnoOf } from '../../storage/base/errors.ts';
import type { PortFacts } from './judge-network.ts';

export type PortQuestion = Pick<PortFacts, 'purpose' | 'key' | 'port' | 'isExpected'> & { readonly address: string };

/** @param ours  process ids of the running appliance */
export async function lookAtPort(question: PortQuestion, ours: ReadonlySet<number>): Promise<PortFacts> {
  const { address, ...facts } = question;
  const errno = await tryToOpen(address, question.port);
  if (errno === undefined) return { ...facts, holder: 'free' };
  if (errno !== 'EADDRINUSE') return { ...facts, holder: 'refused', who: `${errno} on ${address}` };
  const holder = await holderOf(question.port);
  if (holder === undefined) {
    // Processes of others show nothing of themselves; with ours running it is most likely ours.
    return question.isExpected ? { ...facts, holder: 'ours' } : { ...facts, holder: 'other' };
  }
  // Workers of WebRTC are children of ours.
  if (ours.has(holder.pid) || ours.has(await parentOf(holder.pid))) return { ...facts, holder: 'ours' };
  return { ...facts, holder: 'other', who: `process ${holder.pid} (${holder.program})` };
}

async function parentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? 0);
}

/** Inodes of sockets that listen on a port, from `/proc/net/tcp` or `tcp6`. */
export function listeningInodes(table: string, port: number): string[] {
  const listens = '0A';
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const isIt = fields[3] === listens && Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port;
    return isIt ? [fields[9] ?? ''] : [];
  });
}

function tryToOpen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(errnoOf(error) ?? 'EIO'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function holderOf(port: number): Promise<{ readonly pid: number; readonly program: string } | undefined> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  const links = new Set(tables.flatMap((table) => listeningInodes(table, port)).map((inode) => `socket:[${inode}]`));
  if (links.size === 0) return undefined;
  const names = await readdir('/proc').catch(() => []);
  for (const pid of names.filter((name) => /^\d+$/.test(name))) {
    const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const file of files) {
      const link = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
      if (!links.has(link)) continue;
      // The name of the file: a command line may have secrets, and what a process calls its threads says little.
      const program = basename(await readlink(`/proc/${pid}/exe`).catch(() => 'unknown'));
      return { pid: Number(pid), program };
    }
  }
  return undefined;
}
