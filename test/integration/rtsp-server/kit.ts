/** An RTSP server over a real `Ingest` and what it stored, with a gate that knows a few readers. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { FragmentSource } from '../../../gateway/playback/index.ts';
import { digestSecret, type RtspGate, RtspServer, type RtspTls } from '../../../gateway/rtsp-server/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { createLog } from '../../../storage/base/log.ts';
import type { LaneClient } from '../../../storage/lane/index.ts';
import type { Paths } from '../../../storage/model/paths.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

export const run = promisify(execFile);

export const password = 'open-sesame';

/** `reader` sees every stream, `other` none; both have the same password. Readers go by name, rights by `<reader> <stream>`. */
export function testGate(options: { readonly isBasicOffered?: boolean } = {}) {
  const asked: { reader: string; name: string }[] = [];
  const gone = new Set<string>();
  const sent: { reader: string; streamId: string; bytes: number }[] = [];
  const gate: RtspGate = {
    realm: 'weir',
    isBasicOffered: ({ isEncrypted }) => isEncrypted || options.isBasicOffered === true,
    identify: async (credentials) => {
      const { username } = credentials;
      const isKnown = username === 'reader' || username === 'other';
      const isRight =
        credentials.kind === 'basic'
          ? credentials.password === password
          : credentials.isProvenBy(digestSecret(credentials.algorithm, { username, realm: 'weir', password }));
      if (!isKnown || !isRight) throw appError('unauthenticated', 'wrong');
      return {
        name: username,
        onSent: (streamId, bytes) => sent.push({ reader: username, streamId, bytes }),
        view: (name) => {
          asked.push({ reader: username, name });
          if (gone.has(username)) throw appError('unauthenticated', 'gone');
          const isTaken = gone.has(`${username} ${name}`);
          if (username === 'other' || isTaken) throw appError('permission_denied', 'not yours');
          if (name === 'nowhere') throw appError('not_found', 'no such stream');
          return { streamId: name, name };
        },
      };
    },
  };
  return { gate, asked, gone, sent };
}

export async function startRtspServer(options: {
  readonly client: Pick<LaneClient, 'subscribe'>;
  readonly source: FragmentSource;
  readonly gate?: RtspGate;
  readonly tls?: RtspTls;
}) {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } });
  const server = new RtspServer(
    {
      ...{ clock: systemClock, log, random: randomBytes, gate: options.gate ?? testGate().gate },
      laneOf: () => options.client,
      source: options.source,
      tls: options.tls,
      groupOf: (address) => address,
    },
    { host: '127.0.0.1', port: 0, udpPort: undefined },
  );
  await server.start();
  onTestFinished(() => server.close());
  const host = `127.0.0.1:${server.port}`;
  return {
    server,
    host,
    lines,
    url: (path: string, credentials = `reader:${password}@`) => `rtsp://${credentials}${host}/${path}`,
  };
}

/** What an ingest stored, without any index. */
export async function readerOf(paths: Paths, client: LaneClient): Promise<StreamReader> {
  const log = createLog({ level: 'silent' });
  const reader = new StreamReader({ clock: systemClock, log, paths, watcher: client });
  await reader.start();
  onTestFinished(() => reader.close());
  return reader;
}

/** ffmpeg as a recorder: copies so many seconds of a URL into a Matroska file. */
export async function recordWithFfmpeg(
  url: string,
  options: { readonly transport?: 'tcp' | 'udp'; readonly seconds?: number; readonly args?: readonly string[] } = {},
): Promise<{ readonly path: string; readonly stderr: string }> {
  const path = join(await temporaryDirectory(), 'out.mkv');
  const { transport = 'tcp', seconds, args = [] } = options;
  const length = seconds === undefined ? [] : ['-t', String(seconds)];
  const input = ['-rtsp_transport', transport, ...args, '-i', url];
  const { stderr } = await run('ffmpeg', ['-v', 'warning', '-y', ...input, ...length, '-c', 'copy', path], {
    timeout: 50_000,
  });
  return { path, stderr };
}

/** For streams that are only recorded: nothing is ever live. */
export const noLane: Pick<LaneClient, 'subscribe'> = {
  subscribe: async function* () {},
};

/** Presentation times of a file's packets by kind, seconds, in order. */
export async function framesOf(path: string): Promise<{ readonly video: number[]; readonly audio: number[] }> {
  const times = async (kind: 'v' | 'a') => {
    const what = ['-select_streams', kind, '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
    const { stdout } = await run('ffprobe', ['-v', 'error', ...what, path]);
    return stdout
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(Number.parseFloat)
      .sort((a, b) => a - b);
  };
  return { video: await times('v'), audio: await times('a') };
}

/** True when each number follows the one before it. */
export function areConsecutive(numbers: readonly number[]): boolean {
  return numbers.every((number, at) => at === 0 || number === (numbers[at - 1] ?? 0) + 1);
}
