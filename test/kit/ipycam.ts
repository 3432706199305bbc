/** Starts the third-party ONVIF camera of `ipycam.py`; its package is fetched once, pinned by hash, and needs no other. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runCommand } from './run-command.ts';
import { freePort, temporaryDirectory } from './temp.ts';
import { until } from './until.ts';

const version = '1.3.0';
const sha256 = '3f12b70ed4e9717508fc387874a0c9fddf94a2a193dc88c2340efb867ff5d745';
const folder = join(import.meta.dirname, '..', '..', '.runtime', `ipycam-${version}`);

/** The package's folder, or undefined when the Python registry or pip is not to be had here. */
export async function ipycamFolder(): Promise<string | undefined> {
  if (existsSync(folder)) return folder;
  const beside = `${folder}.${process.pid}`;
  await mkdir(beside, { recursive: true });
  const requirement = `ipycam==${version} --hash=sha256:${sha256}\n`;
  const script = `
import subprocess, sys, tempfile, zipfile, glob
with tempfile.TemporaryDirectory() as t:
    open(t + '/r.txt', 'w').write(sys.stdin.read())
    subprocess.run([sys.executable, '-m', 'pip', 'download', '-q', '--no-deps', '--require-hashes', '-r', t + '/r.txt', '-d', t], check=True)
    zipfile.ZipFile(glob.glob(t + '/*.whl')[0]).extractall(sys.argv[1])`;
  for (const python of ['python3', '/usr/bin/python3']) {
    const { code } = await runCommand(python, ['-c', script, beside], { input: requirement }).catch(() => ({
      code: 1,
    }));
    if (code !== 0) continue;
    await rename(beside, folder).catch(() => rm(beside, { recursive: true }));
    return folder;
  }
  await rm(beside, { recursive: true });
  return undefined;
}

/** A camera that wants this login for everything. */
export async function startIpycam(options: {
  readonly folder: string;
  readonly username: string;
  readonly password: string;
}): Promise<{ readonly url: string }> {
  const port = await freePort();
  const { username, password } = options;
  const child = spawn(
    'python3',
    [
      join(import.meta.dirname, 'ipycam.py'),
      options.folder,
      String(port),
      username,
      password,
      await temporaryDirectory(),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  onTestFinished(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await ended;
  });
  await until('the camera is ready', () => said.includes('ready'));
  return { url: `http://127.0.0.1:${port}/onvif/device_service` };
}
