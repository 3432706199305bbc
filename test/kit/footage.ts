/** What tests ask a running appliance about its cameras, and how missing pictures are held against its gap ledger. */

import type { RunningAppliance } from './appliance.ts';
import { judgeFrames, type RunningSimulator } from './camera-simulator/index.ts';
import { segmentFiles } from './judge.ts';
import { until } from './until.ts';

/** Neighbours are shown as one gap, with all their reasons. */
export type ShownGap = { readonly beginMs: number; readonly endMs: number; readonly reasons: readonly string[] };

export type Timeline = {
  readonly spans: readonly { readonly beginMs: number; readonly endMs: number }[];
  readonly gaps: readonly ShownGap[];
};

export type CameraIds = { readonly cameraId: string; readonly streamId: string };

export type ShownState = {
  readonly state: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly hint: string | null;
  readonly isRecording: boolean;
  readonly runsLastHour: number;
  readonly tracks: readonly { readonly number: number; readonly codec: string; readonly text: string }[];
  readonly warnings: readonly string[];
};

/** Two runs may touch with so much between them: the ledger's own tolerance (storage/README.md). */
const jointMs = 1_000;
/** Server time begins a run at the arrival of its first frame: this covers scheduling on a busy machine. */
const arrivalMs = 500;

/** Adds a camera; `settings` go over name and source. */
export async function addCamera(
  appliance: RunningAppliance,
  name: string,
  source: { readonly url: string; readonly transport?: 'tcp' | 'udp'; readonly tls?: 'verify' | 'any' },
  settings: Readonly<Record<string, unknown>> = {},
): Promise<CameraIds> {
  const body = { name, source: { kind: 'rtsp', ...source }, ...settings };
  const camera = (await appliance.call('POST', '/api/cameras', body)) as { id: string; streams: { id: string }[] };
  return { cameraId: camera.id, streamId: camera.streams[0]?.id ?? '' };
}

/** Adds the first `count` cameras of a simulator. */
export function addSimulated(
  appliance: RunningAppliance,
  simulator: RunningSimulator,
  count: number,
): Promise<CameraIds[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) => addCamera(appliance, `Camera ${i}`, { url: simulator.url(i) })),
  );
}

export function timeline(appliance: RunningAppliance, streamId: string, beginMs: number): Promise<Timeline> {
  const path = `/api/streams/${streamId}/timeline?begin=${Math.floor(beginMs)}&end=${Date.now()}`;
  return appliance.call('GET', path) as Promise<Timeline>;
}

/** Waits until a stream has readable footage of a wall time. */
export async function untilRecorded(appliance: RunningAppliance, streamId: string, atMs: number): Promise<void> {
  await until(`footage of ${new Date(atMs).toISOString()} is readable`, async () =>
    (await timeline(appliance, streamId, atMs - 60_000)).spans.some((span) => span.endMs > atMs),
  );
}

/** Waits until the files of a simulated camera hold a picture of a wall time, whoever of the appliance can be asked. */
export async function untilOnDisk(
  dataDirectory: string,
  { simulator, camera, streamId }: { simulator: RunningSimulator; camera: number; streamId: string },
  atMs: number,
): Promise<void> {
  await until(`pictures of ${new Date(atMs).toISOString()} are on the disk`, async () => {
    const { frames } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
    return simulator.frameWallMs(camera, frames.at(-1) ?? 0) > atMs;
  });
}

export async function shownState(appliance: RunningAppliance, cameraId: string): Promise<ShownState | undefined> {
  const camera = (await appliance.call('GET', `/api/cameras/${cameraId}`)) as { state: ShownState | null };
  return camera.state ?? undefined;
}

/** Waits until a camera's state is as described, and answers with it. */
export function untilState(
  appliance: RunningAppliance,
  cameraId: string,
  wanted: { readonly what: string; is(state: ShownState): boolean; readonly timeoutMs?: number },
): Promise<ShownState> {
  let last: ShownState | undefined;
  return until(
    wanted.what,
    async () => {
      last = await shownState(appliance, cameraId);
      return last !== undefined && wanted.is(last) ? last : undefined;
    },
    wanted.timeoutMs,
  ).catch((error: unknown) => {
    throw new Error(`${wanted.what}: last seen ${JSON.stringify(last)}`, { cause: error });
  });
}

/**
 * Missing pictures that no gap row speaks of. Holes as short as a joint of two runs may be need none.
 *
 * @param options.wallMs  when a picture was due
 */
function unexplained(
  missing: readonly number[],
  gaps: Timeline['gaps'],
  options: { readonly wallMs: (frame: number) => number },
): number[] {
  const holes: number[][] = [];
  for (const frame of missing) {
    const last = holes.at(-1);
    if (last !== undefined && last.at(-1) === frame - 1) last.push(frame);
    else holes.push([frame]);
  }
  return holes.flatMap((hole) => {
    const beforeMs = options.wallMs((hole[0] ?? 0) - 1);
    if (options.wallMs((hole.at(-1) ?? 0) + 1) - beforeMs <= jointMs) return [];
    return hole.filter((frame) => {
      const atMs = options.wallMs(frame);
      return !gaps.some((gap) => gap.beginMs - arrivalMs <= atMs && atMs <= gap.endMs + arrivalMs);
    });
  });
}

/** Pictures that are there although a gap row says that they are missing. */
function denied(
  frames: readonly number[],
  gaps: Timeline['gaps'],
  options: { readonly wallMs: (frame: number) => number },
): number[] {
  return frames.filter((frame) => {
    const atMs = options.wallMs(frame);
    return gaps.some((gap) => gap.beginMs + arrivalMs < atMs && atMs < gap.endMs - arrivalMs);
  });
}

/** What is wrong between a stream's files and its ledger; all empty when nothing is. */
export type Judgement = {
  readonly doubled: readonly number[];
  /** Missing without a gap row. */
  readonly unexplained: readonly number[];
  /** There, and yet in a gap row. */
  readonly denied: readonly number[];
};

export const nothingWrong: Judgement = { doubled: [], unexplained: [], denied: [] };

/** Pictures found in a stream's files. */
export type Pictures = {
  readonly frames: readonly number[];
  readonly missing: readonly number[];
  readonly doubled: readonly number[];
};

/** Holds pictures against gap rows. @param options.wallMs  when a picture was due */
export function judged(
  { frames, missing, doubled }: Pictures,
  gaps: Timeline['gaps'],
  options: { readonly wallMs: (frame: number) => number },
): Judgement {
  return { doubled, unexplained: unexplained(missing, gaps, options), denied: denied(frames, gaps, options) };
}

/**
 * Holds the pictures between the first and the last one in the files of a simulated camera against its ledger, and waits until
 * they agree: the keeper looks at files and lines every few seconds. What is still wrong after a while is answered.
 *
 * @returns  with the reasons of all gaps since the first picture
 */
export async function judgeStream(
  appliance: RunningAppliance,
  footage: {
    readonly dataDirectory: string;
    readonly streamId: string;
    readonly beginMs: number;
    readonly wallMs: (frame: number) => number;
  },
): Promise<{ readonly judgement: Judgement; readonly reasons: ReadonlySet<string> }> {
  const { dataDirectory, streamId, beginMs, wallMs } = footage;
  const pictures = await judgeFrames(await segmentFiles(dataDirectory, streamId));
  // While a camera is connected to for the first time nothing is between pictures.
  const firstMs = wallMs(pictures.frames[0] ?? 0) + arrivalMs;
  let gaps: Timeline['gaps'] = [];
  let judgement = nothingWrong;
  const look = async () => {
    gaps = (await timeline(appliance, streamId, beginMs)).gaps.filter((gap) => gap.endMs > firstMs);
    judgement = judged(pictures, gaps, { wallMs });
    return judgement.unexplained.length + judgement.denied.length === 0;
  };
  await until('files and ledger agree', look, 20_000).catch(() => {});
  return { judgement, reasons: new Set(gaps.flatMap((gap) => gap.reasons)) };
}
