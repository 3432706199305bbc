/**
 * A real third-party camera for tests: GStreamer's RTSP server in a child process (`gst-camera.py`), on a free port of
 * 127.0.0.1, ready when `startGstCamera` resolves.
 *
 * Counting from outside: every picture carries its number as 32 black or white cells along its top 32 lines (24 bits of
 * number, most significant first, 8 bits of checksum). `readFrameNumbers(file)` has ffmpeg decode any file it can open and
 * reads them back. The number is the camera's age times its frame rate; it goes on while nobody is connected, and
 * `startGstCamera({ epochMs, port })` lets it go on even across a killed camera. So a recording without a gap has
 * consecutive numbers, and a hole of n numbers is n / framesPerSecond seconds that were not recorded.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const run = promisify(execFile);

export type GstCameraOptions = {
  readonly codec?: 'h264' | 'h265' | 'mjpeg';
  readonly audio?: 'none' | 'aac' | 'aac-latm' | 'pcma' | 'pcmu' | 'opus';
  /** Sampling frequency of AAC. */
  readonly audioHz?: number;
  /** The sound is described and then never comes. */
  readonly isAudioStopped?: boolean;
  readonly widthPixels?: number;
  readonly heightPixels?: number;
  readonly framesPerSecond?: number;
  readonly gopFrames?: number;
  readonly kilobitsPerSecond?: number;
  /** B-frames between references: presentation times are then not monotonic. */
  readonly bFrames?: number;
  /**
   * Slices per picture (h264). With `configInterval` -1 GStreamer repeats the parameter sets before every slice of a key frame,
   * which ffmpeg takes for four pictures; give 0 unless that fault is wanted.
   */
  readonly slices?: number;
  /** Parameter sets in band: -1 before each key frame, 0 never (only in the SDP), n every n seconds. */
  readonly configInterval?: number;
  /** H.264 aggregation packets: none, or as many as have no picture between them, or as many as fit. */
  readonly aggregateMode?: 'none' | 'zero-latency' | 'max-stap';
  readonly mtuBytes?: number;
  readonly transports?: readonly ('tcp' | 'udp')[];
  /** rtsps with a self-signed certificate. */
  readonly tls?: boolean;
  /** SHA-256 digests are unknown to GStreamer's server: scripted servers stand in for it. */
  readonly auth?: 'none' | 'basic' | 'digest';
  readonly username?: string;
  readonly password?: string;
  readonly path?: string;
  /** 0 for a free one. */
  readonly port?: number;
  /** Wall time at which the camera was at picture 0; now when absent. */
  readonly epochMs?: number;
};

export type GstCameraStatus = {
  /** Numbers of the first and last picture given to an encoder, null before the first client. */
  readonly firstNumber: number | null;
  readonly lastNumber: number | null;
  readonly sent: number;
  readonly clients: number;
  readonly ageMs: number;
};

const defaults = {
  codec: 'h264',
  audio: 'none',
  audioHz: 48_000,
  isAudioStopped: false,
  widthPixels: 640,
  heightPixels: 360,
  framesPerSecond: 25,
  gopFrames: 25,
  kilobitsPerSecond: 1_000,
  bFrames: 0,
  slices: 1,
  configInterval: -1,
  aggregateMode: 'zero-latency',
  mtuBytes: 1_400,
  transports: ['tcp', 'udp'],
  tls: false,
  auth: 'none',
  username: 'admin',
  password: 'pass:w@rd/?#',
  path: '/stream',
  port: 0,
} as const satisfies GstCameraOptions;

type Answer = { resolve(result: unknown): void; reject(error: Error): void };

/** One running camera. Ended by `close()`; `startGstCamera` sees to that when the test ends. */
export class GstCamera {
  readonly options: Required<GstCameraOptions>;
  readonly #directory: string;
  #child: ChildProcess | undefined;
  #port = 0;
  #lastId = 0;
  readonly #answers = new Map<number, Answer>();
  #stderr = '';

  constructor(options: GstCameraOptions, directory: string) {
    this.options = { ...defaults, epochMs: Date.now(), ...options };
    this.#directory = directory;
  }

  get port(): number {
    return this.#port;
  }

  /** Without credentials, as `RtspSource.url` wants it. */
  get url(): string {
    return `${this.options.tls ? 'rtsps' : 'rtsp'}://127.0.0.1:${this.#port}${this.options.path}`;
  }

  /** With credentials where the camera asks for them, as ffmpeg wants it. */
  get urlWithCredentials(): string {
    if (this.options.auth === 'none') return this.url;
    const user = `${encodeURIComponent(this.options.username)}:${encodeURIComponent(this.options.password)}@`;
    return this.url.replace('://', `://${user}`);
  }

  async start(): Promise<void> {
    const tlsPem = this.options.tls ? await selfSignedPem(this.#directory) : '';
    const options = {
      ...this.options,
      tlsPem,
      aggregateMode: this.options.aggregateMode,
      port: this.#port === 0 ? this.options.port : this.#port,
    };
    const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'gst-camera.py'), JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4_000);
    });
    // A killed child's pipe may break under a command on its way; the command's own promise tells.
    child.stdin?.on('error', () => {});
    this.#port = await new Promise<number>((resolve, reject) => {
      child.once('exit', (code) => {
        const error = new Error(`camera ended with ${code}: ${this.#stderr}`);
        reject(error);
        for (const answer of this.#answers.values()) answer.reject(error);
        this.#answers.clear();
      });
      if (child.stdout === null) return;
      createInterface({ input: child.stdout }).on('line', (line) => {
        const message = JSON.parse(line);
        if (message.ready === true) {
          resolve(message.port);
          return;
        }
        const answer = this.#answers.get(message.id);
        this.#answers.delete(message.id);
        if (message.error === undefined) answer?.resolve(message.result);
        else answer?.reject(new Error(message.error));
      });
    });
  }

  status(): Promise<GstCameraStatus> {
    return this.#command('status') as Promise<GstCameraStatus>;
  }

  /** Connected but silent: pictures and sound stop, numbers go on. New clients get one picture. */
  async pause(): Promise<void> {
    await this.#command('pause');
  }

  async resume(): Promise<void> {
    await this.#command('resume');
  }

  /** Closes every client's connection; the camera stays up. */
  async dropClients(): Promise<void> {
    await this.#command('drop');
  }

  async stopAudio(): Promise<void> {
    await this.#command('stop-audio');
  }

  async startAudio(): Promise<void> {
    await this.#command('start-audio');
  }

  /** In band: the connection stays, new parameter sets announce the size. */
  async changeSize(widthPixels: number, heightPixels: number): Promise<void> {
    await this.#command('size', { widthPixels, heightPixels });
  }

  /** As after a save on the camera's own page: clients are dropped and find another description. */
  async change(
    options: Pick<GstCameraOptions, 'codec' | 'audio' | 'widthPixels' | 'heightPixels' | 'bFrames'>,
  ): Promise<void> {
    await this.#command('change', { options });
  }

  /** Power cut: the process is killed, its sockets are closed by the kernel. `start()` brings it back on the same port. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
  }

  /** The process keeps its sockets and does nothing: what a hung camera or a cut cable looks like. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  unfreeze(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Killed and started again on the same port, numbers go on. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #command(command: string, facts: Record<string, unknown> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#child === undefined) {
        reject(new Error('the camera is not running'));
        return;
      }
      this.#answers.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, command, ...facts })}\n`);
    });
  }
}

/** A camera that is ready and goes away with the test. Outside of a test use `createGstCamera`. */
export async function startGstCamera(options: GstCameraOptions = {}): Promise<GstCamera> {
  const camera = await createGstCamera(options);
  onTestFinished(() => camera.close());
  return camera;
}

/** A camera that is ready; the caller closes it (hooks of a whole file, benchmarks, scripts). */
export async function createGstCamera(options: GstCameraOptions = {}): Promise<GstCamera> {
  const camera = new GstCamera(options, await mkdtemp(join(tmpdir(), 'weir-camera-')));
  try {
    await camera.start();
  } catch (error) {
    await camera.close();
    throw error;
  }
  return camera;
}

/**
 * The numbers burnt into the pictures of the first video track, in presentation order, of any file that ffmpeg opens (.mkv,
 * .mp4, .m3u8, raw .h264 or .h265). A picture whose cells can't be read (damaged, grey) is -1.
 */
export async function readFrameNumbers(file: string, options: { readonly format?: string } = {}): Promise<number[]> {
  const format = options.format === undefined ? [] : ['-f', options.format];
  // One line of 32 averaged grey cells per picture; passthrough so that ffmpeg neither repeats nor leaves out pictures.
  const filter = `crop=floor(iw/${cells})*${cells}:16:0:8,scale=${cells}:1:flags=area,format=gray`;
  const { stdout } = await run(
    'ffmpeg',
    // biome-ignore format: one option and its value a pair
    ['-v', 'error', ...format, '-i', file, '-map', '0:v:0', '-vf', filter, '-fps_mode', 'passthrough', '-f', 'rawvideo', '-'],
    { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 },
  );
  const numbers: number[] = [];
  for (let at = 0; at + cells <= stdout.length; at += cells) numbers.push(numberOf(stdout.subarray(at, at + cells)));
  return numbers;
}

const cells = 32;

function numberOf(grey: Uint8Array): number {
  let number = 0;
  let checksum = 0;
  for (let i = 0; i < 24; i++) number = number * 2 + ((grey[i] ?? 0) > 127 ? 1 : 0);
  for (let i = 24; i < cells; i++) checksum = checksum * 2 + ((grey[i] ?? 0) > 127 ? 1 : 0);
  return checksum === ((number ^ (number >> 8) ^ (number >> 16) ^ 0x5a) & 0xff) ? number : -1;
}

/** A key with a certificate that nobody trusts, in one file; returns its path. */
export async function selfSignedPem(directory: string): Promise<string> {
  const [key, certificate, both] = ['key.pem', 'certificate.pem', 'both.pem'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  // biome-ignore format: one option and its value a pair
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=camera.test']);
  await writeFile(both, Buffer.concat([await readFile(certificate), await readFile(key)]));
  return both;
}
