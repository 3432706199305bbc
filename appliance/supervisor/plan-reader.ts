/** Reads `state/plan.json` as `serve` wrote it, opens its secrets, and gives each recording process its part. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Plan } from '../../storage/model/camera.ts';
import { openPlan, type SecretBox } from '../secrets/index.ts';

const text = z.string().max(10_000);

const planSchema = z.object({
  version: z.literal(1),
  sources: z.array(
    z.object({
      streamId: text,
      cameraId: text,
      name: text,
      source: z.object({
        kind: z.literal('rtsp'),
        url: text,
        transport: z.enum(['tcp', 'udp']),
        username: text.optional(),
        password: text.optional(),
        tls: z.enum(['verify', 'any']),
      }),
      recording: z.object({
        isRecording: z.boolean(),
        retentionHours: z.number().nonnegative(),
        // JSON has no undefined: no bound of its own is an absent key.
        bytesMax: z.number().positive().optional(),
      }),
      revision: z.number().int(),
    }),
  ),
});

const emptyPlan: Plan = { version: 1, sources: [] };

/**
 * The plan with its secrets open. Without a file it is empty; what cannot be read or opened is logged and left out, since cameras
 * that can be recorded must be.
 */
export async function readPlan(path: string, deps: { readonly box: SecretBox; readonly log: Log }): Promise<Plan> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') deps.log.error('plan cannot be read: no camera is recorded', { path, error });
    return emptyPlan;
  }
  const parsed = planSchema.safeParse(content);
  if (!parsed.success) {
    deps.log.error('plan is damaged: no camera is recorded until it is written anew', { path, error: parsed.error });
    return emptyPlan;
  }
  const { plan, unopened } = openPlan(toPlan(parsed.data), deps.box);
  for (const { source, error } of unopened) {
    deps.log.error("camera's credentials do not open: it is not recorded", { cameraId: source.cameraId, error });
  }
  return plan;
}

/** Which of several recording processes a stream belongs to: by its id, so that none moves when another is added. */
export function partIndexOf(streamId: string, processes: number): number {
  return createHash('sha256').update(streamId).digest().readUInt32LE(0) % processes;
}

/** The sources of one of several recording processes. */
export function partOfPlan(plan: Plan, part: { readonly index: number; readonly processes: number }): Plan {
  const sources = plan.sources.filter(({ streamId }) => partIndexOf(streamId, part.processes) === part.index);
  return { version: 1, sources };
}

function toPlan(data: z.output<typeof planSchema>): Plan {
  return {
    version: 1,
    sources: data.sources.map((planned) => {
      const { username, password, ...source } = planned.source;
      return {
        ...planned,
        source: {
          ...source,
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password }),
        },
        recording: { ...planned.recording, bytesMax: planned.recording.bytesMax },
      };
    }),
  };
}
