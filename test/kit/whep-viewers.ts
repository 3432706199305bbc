/**
 * WebRTC viewers by WHEP that are not ours and decode nothing, many in one process. They count the pictures that arrive and the
 * longest time between two. `gstreamer` is a whole WebRTC client (webrtcbin); twenty of them fill a processor. `counting` connects
 * as any peer and reads nothing but RTP headers: hundreds of them do.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until.ts';

const libraries = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

/** True where the distribution's packages for it are installed. */
export const areWhepViewersHere = ['girepository-1.0/GstWebRTC-1.0.typelib', 'gstreamer-1.0/libgstnice.so'].every(
  (path) => existsSync(join(libraries, path)),
);

/** Since it was asked before. */
export type WhepViewerCounts = {
  readonly pictures: number;
  readonly soundPackets: number;
  /** RTP packets of video that did not come. */
  readonly lost: number;
  /** Longest time between two pictures, milliseconds. */
  readonly longestMs: number;
  /** From its start to its first picture, milliseconds; null before it. */
  readonly firstMs: number | null;
};

export class WhepViewers {
  readonly #child: ReturnType<typeof spawnViewers>;
  readonly #faults: string[] = [];
  readonly #withPicture = new Set<number>();
  #counts: readonly WhepViewerCounts[] | undefined;
  #ended = false;

  /** @param token  of the API, with the permission to view */
  constructor(options: {
    readonly kind?: 'gstreamer' | 'counting';
    readonly urls: readonly string[];
    readonly token: string;
    readonly staggerMs?: number;
  }) {
    const { kind = 'gstreamer', ...rest } = options;
    this.#child = spawnViewers(kind, JSON.stringify(rest));
    this.#child.once('close', () => {
      this.#ended = true;
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line));
  }

  /** What went wrong, one line a viewer. */
  get faults(): readonly string[] {
    return this.#faults;
  }

  /** How many have had a picture. */
  get watching(): number {
    return this.#withPicture.size;
  }

  async counts(): Promise<readonly WhepViewerCounts[]> {
    this.#counts = undefined;
    this.#child.stdin.write('\n');
    return until('viewers tell what they counted', () => {
      if (this.#ended) throw new Error('the viewers are gone');
      return this.#counts;
    });
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await until('the viewers are gone', () => this.#ended);
  }

  #hear(line: string): void {
    const told = JSON.parse(line) as {
      readonly event: string;
      readonly viewer: number;
      readonly message?: string;
      readonly viewers?: readonly WhepViewerCounts[];
    };
    if (told.event === 'counts') this.#counts = told.viewers;
    else if (told.event === 'picture') this.#withPicture.add(told.viewer);
    else this.#faults.push(`viewer ${told.viewer} ${told.event}: ${told.message}`);
  }
}

function spawnViewers(kind: 'gstreamer' | 'counting', options: string) {
  // Python's bytecode of what they share would land in the checkout.
  return spawn('/usr/bin/python3', ['-B', join(import.meta.dirname, `${kind}-viewers.py`), options], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}
