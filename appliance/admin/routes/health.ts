/** How a camera did in the last hours: bitrate, frames, losses and its clock. Gaps are the timeline's. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { healthLimits } from '../../health/index.ts';
import { asking } from '../access.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { cameraResource, pathPart } from '../resources.ts';
import { idParam, sourceRoleShape } from '../shapes.ts';

const hoursMax = (healthLimits.slotMs * healthLimits.slots) / 3_600_000;
const figures = z.array(z.number().nullable());

const streamHealth = z.object({
  streamId: z.string(),
  role: sourceRoleShape,
  beginMs: z.number().describe('server time of the first value; the others follow, one a period'),
  bitsPerSecond: figures,
  framesPerSecond: figures.describe('access units of all tracks'),
  packetsLost: figures,
  clockOffsetMs: figures.describe("the source's clock minus ours"),
  clockDriftPpm: figures,
});

export function addHealthRoute(app: App, { catalog, clock, health }: Context): void {
  app.get(
    '/api/cameras/:cameraId/health',
    {
      config: asking('cameras:read', (request) => cameraResource(pathPart(request, 'cameraId'))),
      schema: {
        summary: 'How a camera did in the last hours, since the start of the appliance at most',
        params: z.strictObject({ cameraId: idParam }),
        querystring: z.strictObject({ hours: z.coerce.number().min(0.1).max(hoursMax).default(hoursMax) }),
        response: {
          200: z.object({
            periodMs: z.number(),
            streams: z.array(streamHealth).describe("the main source's first; null in a list: not known"),
          }),
        },
      },
    },
    async (request) => {
      const camera = catalog.tables.cameras.find(request.params.cameraId);
      if (camera === undefined) throw appError('not_found', 'no such camera', { cameraId: request.params.cameraId });
      const nowMs = clock.wallMs();
      const beginMs = nowMs - request.query.hours * 3_600_000;
      return {
        periodMs: healthLimits.slotMs,
        streams: camera.streams.flatMap(({ id, role }) => {
          const ring = health.of(id);
          return ring === undefined ? [] : { streamId: id, role, ...ring.between(beginMs, nowMs) };
        }),
      };
    },
  );
}
