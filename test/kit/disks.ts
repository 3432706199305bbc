/** Small disks for tests: mounted where the machine allows it, gone when the test ends. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Whether file systems can be mounted here: root, and a container that allows it. */
export const canMount = attempt();

/** A file system in memory. `byteLength` is all it has. */
export async function mountMemory(path: string, byteLength: number): Promise<void> {
  await mkdir(path, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', `size=${byteLength}`, 'weir-test', path);
  onTestFinished(() => unmount(path));
}

/** Gives a file system in memory another size, as a person does with a volume that became too small. */
export function resizeMemory(path: string, byteLength: number): void {
  run('mount', '-o', `remount,size=${byteLength}`, path);
}

/** An ext4 file system in an image file: unlike one in memory it can be frozen. */
export async function mountImage(path: string, options: { image: string; byteLength: number }): Promise<void> {
  await mkdir(path, { recursive: true });
  const file = await open(options.image, 'w');
  await file.truncate(options.byteLength);
  await file.close();
  run('mkfs.ext4', '-q', '-F', '-m', '0', options.image);
  run('mount', '-o', 'loop', options.image, path);
  onTestFinished(() => unmount(path));
}

/** Paths below refuse every change until the returned function is called; files that are open already are not concerned. */
export function makeReadOnly(path: string): () => void {
  run('mount', '--bind', path, path);
  run('mount', '-o', 'remount,ro,bind', path);
  return () => run('umount', path);
}

/** Whoever writes or syncs hangs until the returned function is called. */
export function freeze(path: string): () => void {
  run('fsfreeze', '-f', path);
  let isFrozen = true;
  const thaw = () => {
    if (isFrozen) run('fsfreeze', '-u', path);
    isFrozen = false;
  };
  onTestFinished(thaw);
  return thaw;
}

function unmount(path: string): void {
  for (;;) {
    try {
      run('umount', '-l', path);
    } catch {
      return;
    }
  }
}

function attempt(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'weir-mount-'));
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=65536', 'weir-test', directory);
    run('umount', directory);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'pipe', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
}
