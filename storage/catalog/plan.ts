/**
 * The plan: what `ingest` has to do, as a file, so that recording needs neither the catalog nor `serve`.
 * User names and passwords stand in it sealed; the supervisor opens them.
 */

import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import type { Plan, PlannedDevice, PlannedSource } from '../model/camera.ts';
import type { Camera, CatalogStream } from './cameras.ts';
import type { StorageTier, StreamSettings } from './stream-settings.ts';

/**
 * What the cameras amount to: the streams and ONVIF devices of enabled cameras, in the order of their ids.
 *
 * @param settings  of streams of which somebody said something
 */
export function planOf(
  cameras: readonly Camera[],
  settings: ReadonlyMap<string, Pick<StreamSettings, 'storageTier'>> = new Map(),
): Plan {
  const enabled = cameras.filter((camera) => camera.isEnabled);
  const sources = enabled.flatMap((camera) =>
    camera.streams.flatMap((stream) => plannedSource(camera, stream, settings.get(stream.id)?.storageTier) ?? []),
  );
  const devices = enabled.flatMap((camera) => plannedDevice(camera) ?? []);
  return {
    version: 2,
    sources: sources.sort((a, b) => (a.streamId < b.streamId ? -1 : 1)),
    devices: devices.sort((a, b) => (a.cameraId < b.cameraId ? -1 : 1)),
  };
}

function plannedSource(
  camera: Camera,
  { id, role }: CatalogStream,
  storageTier: StorageTier | undefined,
): PlannedSource | undefined {
  const own = camera.sources[role];
  if (own === undefined) return undefined;
  const { source, recording } = own;
  return {
    streamId: id,
    cameraId: camera.id,
    role,
    name: camera.name,
    source: source.kind === 'rtsp' ? { ...source, ...(own.credentials ?? camera.credentials) } : source,
    recording: {
      ...recording,
      eventRetentionHours: recording.eventRetentionHours ?? recording.retentionHours,
      bytesMax: camera.bytesMax,
    },
    ...(storageTier === 'WARM' ? { storageTier } : {}),
    revision: camera.revision,
  };
}

function plannedDevice(camera: Camera): PlannedDevice | undefined {
  const { onvif, id, name, revision } = camera;
  const main = camera.streams.find((stream) => stream.role === 'main');
  if (onvif === undefined || main === undefined) return undefined;
  const { url, tls, credentials } = onvif;
  return { cameraId: id, streamId: main.id, name, url, tls, ...(credentials ?? camera.credentials), revision };
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
