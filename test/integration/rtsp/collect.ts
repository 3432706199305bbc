/** A sink that remembers what a session delivered, for tests. */

import { appendFileSync, writeFileSync } from 'node:fs';
import { RtspSession, type SourceEnd, type SourceSink } from '../../../gateway/rtsp/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { lengthPrefixedToAnnexB, parameterSetsOf } from '../../../storage/media/index.ts';
import type { RtspSource } from '../../../storage/model/camera.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { GstCamera } from '../../kit/gst-camera.ts';

export type Unit = {
  readonly trackNumber: number;
  readonly us: number;
  readonly producerMs: number | undefined;
  readonly isKey: boolean;
  readonly isAfterLoss: boolean;
  readonly byteLength: number;
};

export class CollectingSink implements SourceSink {
  readonly sessions: { readonly tracks: readonly Track[]; readonly reason: string }[] = [];
  readonly units: Unit[] = [];
  readonly losses: number[] = [];
  readonly warnings: string[] = [];
  readonly clocks: { readonly offsetMs: number; readonly driftPpm: number | undefined }[] = [];
  readonly #file: string | undefined;

  /** @param file  where the video goes as Annex B, parameter sets first */
  constructor(file?: string) {
    this.#file = file;
    if (file !== undefined) writeFileSync(file, '');
  }

  session(tracks: readonly Track[], reason: string): void {
    this.sessions.push({ tracks, reason });
    const video = tracks.find(({ kind }) => kind === 'video');
    if (this.#file === undefined || video === undefined) return;
    for (const set of parameterSetsOf(video)) appendFileSync(this.#file, Buffer.concat([Buffer.of(0, 0, 0, 1), set]));
  }

  unit(unit: Parameters<SourceSink['unit']>[0]): void {
    this.units.push({
      trackNumber: unit.trackNumber,
      us: unit.presentationTimeUs,
      producerMs: unit.producerTimestampMs,
      isKey: unit.isKey,
      isAfterLoss: unit.isAfterLoss,
      byteLength: unit.bytes.length,
    });
    if (this.#file !== undefined && unit.trackNumber === 1)
      appendFileSync(this.#file, lengthPrefixedToAnnexB(unit.bytes));
  }

  loss(loss: { readonly packets: number }): void {
    this.losses.push(loss.packets);
  }

  clock(clock: { readonly offsetMs: number; readonly driftPpm: number | undefined }): void {
    this.clocks.push(clock);
  }

  warning(text: string): void {
    this.warnings.push(text);
  }

  of(trackNumber: number): readonly Unit[] {
    return this.units.filter((unit) => unit.trackNumber === trackNumber);
  }
}

export const deps = { clock: systemClock, log: silentLog, random: Math.random };

export function sourceOf(camera: GstCamera, change: Partial<RtspSource> = {}): RtspSource {
  const { auth, username, password } = camera.options;
  const login = auth === 'none' ? {} : { username, password };
  return { kind: 'rtsp', url: camera.url, transport: 'tcp', tls: 'any', ...login, ...change };
}

/** Runs a session until the sink has what the test wants, or it ends by itself. */
export async function playUntil(
  source: RtspSource,
  sink: CollectingSink,
  isEnough: (sink: CollectingSink) => boolean,
  options: { readonly silenceMs?: number } = {},
): Promise<SourceEnd> {
  const stop = new AbortController();
  const session = new RtspSession(deps, { source, ...options });
  const timer = setInterval(() => {
    if (isEnough(sink)) stop.abort();
  }, 10);
  try {
    return await session.run(sink, stop.signal);
  } finally {
    clearInterval(timer);
  }
}
