/**
 * The whole appliance as a process, as a user starts it, on a free port and a directory of the test's own. It is asked over the
 * socket that is there for the machine's own tools, or over TLS by the test's browser.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pathsUnder } from '../../storage/model/paths.ts';
import { commandLineOf, processTree } from './processes.ts';
import { freePort } from './temp.ts';
import { until } from './until.ts';

const entry = fileURLToPath(new URL('../../appliance/main.ts', import.meta.url));

export type RoleName = 'ingest' | 'keeper' | 'serve' | 'onvif';

export type RunningAppliance = {
  readonly dataDirectory: string;
  readonly url: string;
  /** Where it offers streams by RTSP and RTSPS. */
  readonly rtspPort: number;
  readonly pid: number;
  readonly process: ChildProcess;
  /** What it printed so far. */
  output(): string;
  /** Asks the API as the machine's own admin. @throws when the answer is no success; `expectStatus` makes a refusal the answer */
  call(method: string, path: string, body?: unknown, options?: { readonly expectStatus?: number }): Promise<unknown>;
  bytes(path: string): Promise<Buffer>;
  rolePid(role: RoleName): Promise<number>;
  /** kill -9 of one role; resolves when it is gone. */
  kill(role: RoleName): Promise<void>;
  close(): Promise<void>;
};

export async function startAppliance(options: {
  readonly dataDirectory: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly isReadyAwaited?: boolean;
}): Promise<RunningAppliance> {
  const { dataDirectory } = options;
  const port = await freePort();
  const rtspPort = await freePort();
  const webrtc = ['--webrtc-port', '0', '--webrtc-stun-port', '0'];
  const ports = ['--listen-port', String(port), '--rtsp-port', String(rtspPort), ...webrtc];
  const listen = ['--listen-address', '127.0.0.1', ...ports];
  const child = spawn(
    process.execPath,
    [entry, 'serve', '--data-directory', dataDirectory, ...listen, ...(options.args ?? [])],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, UV_THREADPOOL_SIZE: '32', ...options.env } },
  );
  let output = '';
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000_000);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = once(child, 'exit');
  const socketPath = join(pathsUnder(dataDirectory).run, 'serve.sock');

  const ask = (method: string, path: string, body?: unknown): Promise<{ status: number; bytes: Buffer }> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers =
        text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const asked = request({ socketPath, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }));
        response.on('error', reject);
      });
      asked.on('error', reject);
      asked.end(text);
    });

  const appliance: RunningAppliance = {
    dataDirectory,
    url: `https://127.0.0.1:${port}`,
    rtspPort,
    pid: child.pid ?? 0,
    process: child,
    output: () => output,
    async call(method, path, body, { expectStatus } = {}) {
      const { status, bytes } = await ask(method, path, body);
      const text = bytes.toString();
      if (expectStatus === undefined ? status >= 400 : status !== expectStatus) {
        throw new Error(`${method} ${path} answered ${status}: ${text.slice(0, 2_000)}`);
      }
      try {
        return text === '' ? undefined : (JSON.parse(text) as unknown);
      } catch {
        return text;
      }
    },
    async bytes(path) {
      const { status, bytes } = await ask('GET', path);
      if (status >= 400) throw new Error(`GET ${path} answered ${status}: ${bytes.toString().slice(0, 2_000)}`);
      return bytes;
    },
    rolePid: (role) => until(`${role} has a process`, () => rolePidBelow(child.pid ?? 0, role)),
    async kill(role) {
      const pid = await appliance.rolePid(role);
      process.kill(pid, 'SIGKILL');
      await until(`${role} is gone`, () => !isAlive(pid));
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await exited;
    },
  };
  if (options.isReadyAwaited !== false) {
    await Promise.race([
      until('the appliance answers', async () => (await ask('GET', '/readyz')).status === 200),
      exited.then(([code]) => Promise.reject(new Error(`the appliance ended with code ${code}:\n${output}`))),
    ]).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw new Error(`the appliance did not start:\n${output}`, { cause: error });
    });
  }
  return appliance;
}

/** A role is `node main.ts <role>` below the supervisor. */
function rolePidBelow(supervisorPid: number, role: RoleName): number | undefined {
  return processTree(supervisorPid).find((pid) => {
    const args = commandLineOf(pid);
    const at = args.findIndex((arg) => arg.endsWith('main.ts'));
    return pid !== supervisorPid && at >= 0 && args.slice(at + 1).some((arg) => arg === role || arg === `${role}-0`);
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
