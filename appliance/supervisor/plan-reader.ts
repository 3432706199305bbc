/** Reads `state/plan.json` as `serve` wrote it, opens its secrets, and gives each recording process its part. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Plan, RecordingPolicy } from '../../storage/model/camera.ts';
import { recordingPolicyShape } from '../../storage/model/recording-shape.ts';
import { openPlan, type SecretBox } from '../secrets/index.ts';

const text = z.string().max(10_000);

const rtspShape = z.object({
  kind: z.literal('rtsp'),
  url: text,
  transport: z.enum(['tcp', 'udp']),
  username: z.exactOptional(text),
  password: z.exactOptional(text),
  tls: z.enum(['verify', 'any']),
});

const planShape = z.object({
  version: z.literal(2),
  sources: z.array(
    z.object({
      streamId: text,
      cameraId: text,
      role: z.enum(['main', 'sub']),
      name: text,
      source: z.discriminatedUnion('kind', [
        rtspShape,
        z.object({ kind: z.literal('rtmp'), keySha256: text }),
        z.object({ kind: z.literal('whip'), keySha256: text }),
        z.object({ kind: z.literal('kvs') }),
      ]),
      recording: recordingPolicyShape,
      storageTier: z.exactOptional(z.literal('WARM')),
      revision: z.number().int(),
    }),
  ),
  devices: z.array(
    z.object({
      cameraId: text,
      streamId: text,
      name: text,
      url: text,
      username: z.exactOptional(text),
      password: z.exactOptional(text),
      tls: z.enum(['verify', 'any']),
      revision: z.number().int(),
    }),
  ),
});

/** What a release wrote that knew one source a camera: recording begins by it until `serve` has written the file anew. */
const firstPlanShape = z.object({
  version: z.literal(1),
  sources: z.array(
    z.object({
      streamId: text,
      cameraId: text,
      name: text,
      source: rtspShape,
      recording: z.object({
        isRecording: z.boolean(),
        retentionHours: z.number().nonnegative(),
        bytesMax: z.number().nonnegative().optional(),
      }),
      revision: z.number().int(),
    }),
  ),
});

const anyPlanShape = z.discriminatedUnion('version', [planShape, firstPlanShape]);

/** As the catalog's migration has them. */
const firstRetentionHours = 168;
const firstPreRollMinutes = 10;

const emptyPlan: Plan = { version: 2, sources: [], devices: [] };

/**
 * The plan with its secrets open. Without a file it is empty; what cannot be read or opened is logged and left out, since cameras
 * that can be recorded must be.
 */
export async function readPlan(
  path: string,
  deps: { readonly box: SecretBox; readonly log: Log; readonly refreshKeys?: (() => Promise<void>) | undefined },
): Promise<Plan> {
  // The plan may be sealed by a key that came after our start; with what cannot be read the known ones go on.
  await deps.refreshKeys?.().catch((error: unknown) => deps.log.error('site key cannot be read again', { error }));
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') deps.log.error('plan cannot be read: no camera is recorded', { path, error });
    return emptyPlan;
  }
  const parsed = anyPlanShape.safeParse(content);
  if (!parsed.success) {
    deps.log.error('plan is damaged: no camera is recorded until it is written anew', { path, error: parsed.error });
    return emptyPlan;
  }
  const { plan, unopened } = openPlan(toPlan(parsed.data), deps.box);
  for (const { cameraId, what, error } of unopened) {
    deps.log.error(`camera's credentials do not open: ${what}`, { cameraId, error });
  }
  return plan;
}

/** Which of several recording processes a stream belongs to: by its id, so that none moves when another is added. */
export function partIndexOf(streamId: string, processes: number): number {
  return createHash('sha256').update(streamId).digest().readUInt32LE(0) % processes;
}

/**
 * The recording process of each stream of a plan. Both sources of a camera share one, that of its main stream, where their times
 * are compared; publishers by RTMP find the first one, which alone listens.
 */
export function partIndexes(plan: Plan, processes: number): ReadonlyMap<string, number> {
  const ofCameras = new Map<string, number>();
  for (const { cameraId, streamId, role, source } of plan.sources) {
    if (source.kind === 'rtmp') ofCameras.set(cameraId, 0);
    else if (role === 'main' && !ofCameras.has(cameraId)) ofCameras.set(cameraId, partIndexOf(streamId, processes));
  }
  return new Map(
    plan.sources.map(({ streamId, cameraId }) => [
      streamId,
      ofCameras.get(cameraId) ?? partIndexOf(streamId, processes),
    ]),
  );
}

/** The sources of one of several recording processes. */
export function partOfPlan(plan: Plan, part: { readonly index: number; readonly processes: number }): Plan {
  const indexes = partIndexes(plan, part.processes);
  const sources = plan.sources.filter(({ streamId }) => indexes.get(streamId) === part.index);
  return { version: 2, sources, devices: [] };
}

function toPlan(data: z.output<typeof anyPlanShape>): Plan {
  if (data.version === 2) return data;
  const sources = data.sources.map((planned) => {
    const { isRecording, retentionHours, bytesMax } = planned.recording;
    const hours = retentionHours > 0 ? retentionHours : firstRetentionHours;
    const recording: RecordingPolicy = {
      mode: isRecording && retentionHours > 0 ? 'continuous' : 'live',
      retentionHours: hours,
      eventRetentionHours: hours,
      preRollMinutes: firstPreRollMinutes,
      bytesMax,
    };
    return { ...planned, role: 'main' as const, recording };
  });
  return { version: 2, sources, devices: [] };
}
