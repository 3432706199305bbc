/** What came of each stream in the last days, by what it is kept for: what the forecast of the storage page is made of. */

import { z } from 'zod';
import { type Hold, isHoldActive, type Span } from '../../../storage/index/index.ts';
import { askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { streamResource } from '../resources.ts';
import { holdResource } from './holds.ts';

/** A week, since schedules are of weeks. */
const daysCounted = 7;

const countsShape = z
  .object({
    continuous: z.number().describe('recorded continuously, and no event marks them'),
    continuousMarked: z.number(),
    unmarked: z.number().describe('recorded for events, and none marks them'),
    marked: z.number(),
  })
  .describe('segments');

const latelyShape = z.object({
  id: z.string(),
  days: z
    .array(z.object({ beginMs: z.number(), endMs: z.number(), firstMs: z.number().nullable(), counts: countsShape }))
    .describe('of 24 hours, oldest first; the newest ends now'),
  completeSinceMs: z
    .number()
    .nullable()
    .describe('counted since then, as older footage was removed, not only what no event marks; null: none was'),
  heldSegments: z.number().describe('of any age, kept by holds; by those that the caller may read, as isHeldOnAndOn'),
  isHeldOnAndOn: z.boolean().describe('a hold keeps all that is still to come'),
});

export function addStreamsLatelyRoute(app: App, context: Context): void {
  const { catalog, clock, index } = context;
  app.get(
    '/api/streams/lately',
    {
      config: askingEach('streams:read'),
      schema: {
        summary: 'What came of each stream in the last seven days, by what it is kept for',
        response: { 200: z.object({ streams: z.array(latelyShape) }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const nowMs = clock.wallMs();
      // That footage is held is for those alone who may know of holds: it may be evidence against whoever asks.
      const holds = index
        .holdsOf(undefined)
        .filter((hold) => isHoldActive(hold, nowMs) && caller.may('holds:read', holdResource(context, hold.streamId)));
      const ids = catalog.tables.cameras
        .streams()
        .map(({ id }) => id)
        .filter((id) => caller.may('streams:read', streamResource(catalog, id)));
      const streams: z.infer<typeof latelyShape>[] = [];
      for (const id of ids) {
        // A week of a stream takes 4 ms; live pictures of others go through this process too.
        await clock.sleep(0);
        const own = holds.filter(({ streamId }) => streamId === undefined || streamId === id);
        const held = united(own);
        const lately = index.snapshot((queries) => queries.lately.lately(id, { nowMs, days: daysCounted, held }));
        streams.push({
          id,
          days: lately.days.map(({ beginMs, endMs, firstMs = null, counts }) => ({ beginMs, endMs, firstMs, counts })),
          completeSinceMs: lately.completeSinceMs ?? null,
          heldSegments: lately.heldSegments,
          isHeldOnAndOn: own.some(({ endMs }) => endMs === undefined),
        });
      }
      return { streams };
    },
  );
}

/** Spans that holds keep, each instant once. */
function united(holds: readonly Hold[]): Span[] {
  const spans: { beginMs: number; endMs: number }[] = [];
  for (const { beginMs, endMs = Number.MAX_SAFE_INTEGER } of holds.toSorted((a, b) => a.beginMs - b.beginMs)) {
    const last = spans.at(-1);
    if (last === undefined || beginMs > last.endMs) spans.push({ beginMs, endMs });
    else last.endMs = Math.max(last.endMs, endMs);
  }
  return spans;
}
