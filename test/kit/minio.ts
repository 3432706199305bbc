/**
 * A real MinIO server: the `minio` of this machine, or one built from its Go module (`appliance/setup/minio.mjs`). Test files ask
 * for it while they are loaded (`const minio = await findMinio()`), where no test's time runs while it is built.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'minio';
import { onTestFinished } from 'vitest';
import type { S3Options } from '../../storage/objects/index.ts';
import { freePort, temporaryDirectory } from './temp.ts';
import { until } from './until.ts';

/** The program, or why there is none: to be shown in the name of what is skipped. */
export type MinioProgram =
  | { readonly path: string; readonly missing: undefined }
  | { readonly path: undefined; readonly missing: string };

const exitCodeNone = 3;

/** @throws Error  it could be built here and was not: that is a failure and no skip */
export async function findMinio(): Promise<MinioProgram> {
  const script = join(import.meta.dirname, '../../appliance/setup/minio.mjs');
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    process.stderr.write(text);
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code === 0) return { path: out.trim(), missing: undefined };
  if (code === exitCodeNone) return { path: undefined, missing: err.trim().replace(/^weir: /, '') };
  throw new Error(err);
}

/** The name of a `describe` that needs MinIO: says why it is skipped. */
export function withMinio(name: string, { missing }: MinioProgram): string {
  return missing === undefined ? name : `${name} (skipped: ${missing})`;
}

const accessKey = 'weir-test';
const secretKey = 'weir-test-secret';
const bucket = 'weir';
const region = 'us-east-1';

export type MinioOptions = {
  readonly directory: string;
  readonly port: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Holds `public.crt` and `private.key`: the server then speaks TLS only. */
  readonly certificates?: string;
};

export class Minio {
  readonly #path: string;
  readonly #options: MinioOptions;
  #child: ChildProcess | undefined;

  constructor(program: MinioProgram, options: MinioOptions) {
    if (program.path === undefined) throw new Error(program.missing);
    this.#path = program.path;
    this.#options = options;
  }

  get port(): number {
    return this.#options.port;
  }

  /** Answers when this resolves. May be called again after `stop`, with the same port and objects. */
  async start(): Promise<void> {
    const { directory, port, environment, certificates } = this.#options;
    await mkdir(directory, { recursive: true });
    const args = ['server', '--quiet', '--address', `127.0.0.1:${port}`];
    const tls = certificates === undefined ? [] : ['--certs-dir', certificates];
    const child = spawn(this.#path, [...args, ...tls, directory], {
      env: {
        ...process.env,
        HOME: directory,
        MINIO_ROOT_USER: accessKey,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_BROWSER: 'off',
        // Takes any disk, also the small ones that tests fill.
        MINIO_CI_CD: '1',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-4_000);
      });
    }
    await until(`minio answers on port ${port}`, async () => {
      if (child.exitCode !== null) throw new Error(`minio ended with ${child.exitCode}: ${output}`);
      const answer = await fetch(`http://127.0.0.1:${port}/minio/health/cluster`);
      // Over TLS it answers plain HTTP with a refusal.
      return answer.ok || certificates !== undefined;
    });
  }

  /** At once, as by a power cut. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Stands still: the kernel still takes connections and bytes, nobody answers. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** How a store reaches it, through `port` if a proxy is between. */
  storeOptions(changes: Partial<S3Options> & { readonly port?: number } = {}): S3Options {
    const { port = this.port, ...others } = changes;
    const endpoint = `http://127.0.0.1:${port}`;
    const readSecretKey = async () => secretKey;
    return { endpoint, bucket, region, prefix: '', accessKey, readSecretKey, addressing: 'path', ...others };
  }

  /** The maker's client, past our store. */
  client(): Client {
    return new Client({ endPoint: '127.0.0.1', port: this.port, useSSL: false, accessKey, secretKey, region });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGCONT');
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }
}

/** A server with an empty directory, gone when the test ends. */
export async function startMinio(program: MinioProgram, options: Partial<MinioOptions> = {}): Promise<Minio> {
  const directory = options.directory ?? join(await temporaryDirectory(), 'minio');
  const minio = new Minio(program, { ...options, directory, port: options.port ?? (await freePort()) });
  onTestFinished(() => minio.kill());
  await minio.start();
  return minio;
}
