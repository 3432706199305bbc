/** Judges an appliance's footage from outside: the files it stored, ffprobe, and its own `check`. */

import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../appliance/main.ts', import.meta.url));

/** All segment files of a stream below a data directory, each footage once: hard links of one file count as one. */
export async function segmentFiles(dataDirectory: string, streamId: string): Promise<string[]> {
  const found = new Map<string, string>();
  for (const folder of ['objects', 'journal', 'spare']) {
    const names = await readdir(join(dataDirectory, folder), { recursive: true }).catch(() => []);
    for (const name of names) {
      if (!name.endsWith('.mkv') || !name.split('/').includes(streamId)) continue;
      const file = name.slice(name.lastIndexOf('/') + 1);
      if (!found.has(file)) found.set(file, join(dataDirectory, folder, name));
    }
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

export type ProbedStream = {
  readonly codec_name: string;
  readonly codec_type: string;
  readonly nb_read_frames: string;
};

/** What ffprobe finds in a file or URL, every frame counted. @throws when it reports any error */
export async function probeFrames(path: string): Promise<readonly ProbedStream[]> {
  const what = ['-count_frames', '-show_entries', 'stream=codec_name,codec_type,nb_read_frames', '-of', 'json'];
  const { stdout, stderr } = await run('ffprobe', ['-v', 'error', ...what, path], { maxBuffer: 1 << 24 });
  if (stderr.trim() !== '') throw new Error(`ffprobe on ${path}: ${stderr}`);
  return (JSON.parse(stdout) as { streams: ProbedStream[] }).streams;
}

/** `weir check` over a data directory, appliance running or not: its findings. */
export async function checkFindings(dataDirectory: string): Promise<readonly unknown[]> {
  const args = [entry, 'check', '--data-directory', dataDirectory, '--level', 'hash', '--json'];
  const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 26 }).catch((error: { stdout?: string }) => {
    if (error.stdout === undefined || error.stdout === '') throw error;
    return { stdout: error.stdout };
  });
  return (JSON.parse(stdout) as { findings: unknown[] }).findings;
}
