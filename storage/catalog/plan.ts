/**
 * The plan: what `ingest` has to do, as a file, so that recording needs neither the catalog nor `serve`.
 * User names and passwords stand in it sealed; the supervisor opens them.
 */

import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import type { Plan, PlannedSource } from '../model/camera.ts';
import type { Camera } from './cameras.ts';

/** What the cameras amount to: the streams of enabled cameras, in the order of their ids. */
export function planOf(cameras: readonly Camera[]): Plan {
  const sources = cameras.flatMap((camera) =>
    camera.isEnabled ? camera.streams.map((stream) => plannedSource(camera, stream.id)) : [],
  );
  return { version: 1, sources: sources.sort((a, b) => (a.streamId < b.streamId ? -1 : 1)) };
}

function plannedSource(camera: Camera, streamId: string): PlannedSource {
  return {
    streamId,
    cameraId: camera.id,
    name: camera.name,
    source: { ...camera.source, ...camera.credentials },
    recording: camera.recording,
    revision: camera.revision,
  };
}

/** `state/plan.json`: replaced atomically, readable by its owner only, written one after another. */
export class PlanFile {
  readonly #path: string;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Writes the plan unless the file has it already. Returns whether it wrote. */
  write(plan: Plan): Promise<boolean> {
    const writing = this.#writing.then(() => this.#replace(`${JSON.stringify(plan, undefined, 2)}\n`));
    this.#writing = writing.catch(() => {});
    return writing;
  }

  async #replace(content: string): Promise<boolean> {
    if ((await this.#read()) === content) return false;
    await mkdir(dirname(this.#path), { recursive: true });
    await writeFileAtomic(this.#path, content, { mode: 0o600 });
    return true;
  }

  async #read(): Promise<string | undefined> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}
