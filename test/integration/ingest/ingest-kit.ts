/** An `Ingest` in the test's process, and what it stored as seen from outside. */

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import { Ingest, type IngestDeps, type IngestOptions } from '../../../gateway/ingest/index.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { readSegment, readSegmentHead, scanSegment } from '../../../storage/journal/index.ts';
import { LaneClient } from '../../../storage/lane/index.ts';
import type { Plan, PlannedSource, RtspSource, Source, SourceState } from '../../../storage/model/camera.ts';
import type { Fragment } from '../../../storage/model/fragment.ts';
import type { LedgerLine } from '../../../storage/model/ledger.ts';
import { type Paths, pathsUnder } from '../../../storage/model/paths.ts';
import type { SegmentHead } from '../../../storage/model/segment.ts';
import type { GstCamera } from '../../kit/gst-camera.ts';
import { readFrameNumbers } from '../../kit/gst-camera.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const run = promisify(execFile);

export const streamId = 'front-door';

export function plannedOf(source: Source, facts: Partial<PlannedSource> = {}): PlannedSource {
  return {
    streamId,
    cameraId: 'camera-1',
    role: 'main',
    name: 'Front door',
    source,
    recording: recordingPolicy(),
    revision: 1,
    ...facts,
  };
}

export function sourceOf(camera: GstCamera, facts: Partial<RtspSource> = {}): RtspSource {
  return { kind: 'rtsp', url: camera.url, transport: 'tcp', tls: 'any', ...facts };
}

export const planOf: (...sources: PlannedSource[]) => Plan = planOfSources;

export type RunningIngest = {
  readonly ingest: Ingest;
  readonly paths: Paths;
  readonly client: LaneClient;
  /** Newest state of each stream. */
  readonly states: Map<string, SourceState>;
  readonly log: string[];
};

export async function startIngest(
  options: Partial<IngestOptions> & Partial<IngestDeps> & { readonly data?: string; readonly clock?: Clock } = {},
): Promise<RunningIngest> {
  const paths = options.paths ?? pathsUnder(options.data ?? (await temporaryDirectory()));
  const clock = options.clock ?? systemClock;
  const lines: string[] = [];
  const log = options.log ?? createLog({ level: 'info', destination: { write: (line) => lines.push(line) } });
  const ingest = new Ingest(
    {
      ...{ clock, log, registry: new Registry(), random: Math.random },
      ...(options.openSource === undefined ? {} : { openSource: options.openSource }),
    },
    { paths, name: 'ingest-0', syncPeriodMs: 500, rtmp: options.rtmp, putMedia: options.putMedia },
  );
  await ingest.start();
  onTestFinished(() => ingest.close());
  const client = new LaneClient({ clock: systemClock, log }, { path: join(paths.run, 'ingest-0.sock'), name: 'test' });
  const states = new Map<string, SourceState>();
  client.watch({
    onSnapshot: (snapshot) => {
      for (const state of snapshot.states) states.set(state.streamId, state);
    },
    onState: (state) => states.set(state.streamId, state),
  });
  client.start();
  onTestFinished(() => client.close());
  return { ingest, paths, client, states, log: lines };
}

export type StoredFile = { readonly path: string; readonly head: SegmentHead; readonly fragments: readonly Fragment[] };

/** Every segment file of a stream in the order of its numbers; open ones up to their last commit. */
export async function storedFiles(paths: Paths, ofStream = streamId): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const path of await segmentPaths(paths, ofStream)) {
    const isFinished = path.startsWith(paths.journalFinished);
    const fragments = isFinished ? (await readSegment(path)).fragments : (await scanSegment(path)).fragments;
    files.push({ path, head: await readSegmentHead(path), fragments });
  }
  return files.sort((a, b) => a.head.firstCounter - b.head.firstCounter);
}

async function segmentPaths(paths: Paths, ofStream: string): Promise<string[]> {
  const found: string[] = [];
  for (const root of [paths.journalOpen, paths.journalFinished]) {
    for (const name of await readdir(root, { recursive: true }).catch(() => [])) {
      if (name.endsWith('.mkv') && name.split('/').includes(ofStream)) found.push(join(root, name));
    }
  }
  return found;
}

/** Numbers of the pictures in the files, in order. */
export async function numbersIn(files: readonly StoredFile[]): Promise<number[]> {
  const numbers: number[] = [];
  for (const file of files) numbers.push(...(await readFrameNumbers(file.path)));
  return numbers;
}

/** Frames that ffprobe finds in a file, by track number; fails on anything that it complains of. */
export async function probedFrames(path: string): Promise<number[]> {
  const what = ['-count_packets', '-show_entries', 'stream=nb_read_packets', '-of', 'csv=p=0'];
  const { stdout, stderr } = await run('ffprobe', ['-v', 'error', ...what, path]);
  if (stderr !== '') throw new Error(`ffprobe says: ${stderr}`);
  return stdout.trim().split('\n').map(Number);
}

export async function ledgerLines(paths: Paths): Promise<LedgerLine[]> {
  const directory = join(paths.state, 'ingest-0', 'ledger');
  const lines: LedgerLine[] = [];
  for (const name of (await readdir(directory)).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))) {
    const text = await readFile(join(directory, name), 'utf8');
    for (const line of text.split('\n')) if (line !== '') lines.push(JSON.parse(line));
  }
  return lines;
}
