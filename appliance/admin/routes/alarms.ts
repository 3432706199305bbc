/** Alarms: what is wrong, what was, and who knows of it. Everybody sees those of the cameras that they may see. */

import { Gauge } from 'prom-client';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { AlarmRow, AlarmSubject } from '../../../storage/catalog/index.ts';
import {
  alarmAnswer,
  alarmCounts,
  alarmDefaults,
  alarmSettings,
  readAlarmSettings,
  severities,
  writeAlarmSettings,
} from '../../alarms/index.ts';
import { asking, askingEach } from '../access.ts';
import type { Resource } from '../authoriser.ts';
import { type Caller, callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import { cameraResource } from '../resources.ts';
import { idParam } from '../shapes.ts';

const subjectShape = z.object({
  kind: z.enum(['camera', 'role', 'disk', 'store', 'certificate', 'clock', 'site']),
  id: z.string(),
  code: z.string(),
  name: z.string(),
  text: z.string(),
  hint: z.string().nullable(),
  sinceMs: z.number(),
  count: z.number().describe('how often its condition began'),
  clearedMs: z.number().nullable().describe('null: it is not well yet'),
});

export const alarmShape = z.object({
  id: z.string(),
  code: z.string(),
  severity: z.enum(severities).describe('the worst it was'),
  state: z.enum(['standing', 'past']),
  title: z.string(),
  help: z.string().describe('path of its page in the runbook'),
  subjectCount: z.number(),
  subjects: z.array(subjectShape).describe('several that failed together are one alarm; those that the caller may see'),
  sinceMs: z.number(),
  raisedMs: z.number(),
  lastSeenMs: z.number(),
  clearedMs: z.number().nullable(),
  count: z.number(),
  acknowledged: z.object({ atMs: z.number(), by: z.string(), note: z.string().nullable() }).nullable(),
});

const settingsShape = alarmSettings.extend({
  defaults: alarmSettings.describe('what holds where nobody said otherwise'),
  managedBy: z
    .string()
    .nullable()
    .describe('the site file that manages them; null: they were set by hand, or by nobody'),
});

/** Alarms that are looked through for one answer, when the caller may see few of them. */
const lookedThroughMax = 5_000;

export function addAlarmRoutes(app: App, context: Context): void {
  const { alarms: watch, catalog, feed } = context;
  const table = catalog.tables.alarms;
  const settingsAnswer = () => ({
    ...readAlarmSettings(catalog),
    defaults: alarmDefaults,
    managedBy: catalog.tables.managed.siteOf('setting', 'alarms') ?? null,
  });
  addAlarmMetrics(context);

  app.get(
    '/api/alarms',
    {
      config: askingEach('alarms:read'),
      schema: {
        summary: 'Alarms, newest first',
        querystring: z.strictObject({
          state: z.enum(['standing', 'past', 'all']).default('standing'),
          code: z.string().max(64).optional(),
          camera: idParam.optional().describe('alarms of this camera, alone or among others'),
          before: idParam.optional().describe('the `next` of the previous answer'),
          limit: z.coerce.number().int().min(1).max(adminLimits.pageRowsMax).default(adminLimits.pageRowsDefault),
        }),
        response: { 200: z.object({ alarms: z.array(alarmShape), next: z.string().nullable() }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { state, code, camera, before, limit } = request.query;
      const subject = camera === undefined ? undefined : { kind: 'camera' as const, id: camera };
      const seen: z.infer<typeof alarmShape>[] = [];
      let beforeId = before;
      for (let looked = 0; looked < lookedThroughMax; ) {
        const page = table.list({ limit, state, beforeId, code, subject });
        for (const alarm of page) {
          beforeId = alarm.id;
          const answer = seenBy(caller, alarm);
          if (answer !== undefined) seen.push(answer);
          if (seen.length === limit) return { alarms: seen, next: alarm.id };
        }
        if (page.length < limit) return { alarms: seen, next: null };
        looked += page.length;
      }
      return { alarms: seen, next: beforeId ?? null };
    },
  );

  app.get(
    '/api/alarms/:alarmId',
    {
      config: askingEach('alarms:read'),
      schema: { summary: 'One alarm', params: z.strictObject({ alarmId: idParam }), response: { 200: alarmShape } },
    },
    async (request) => {
      const alarm = table.find(request.params.alarmId);
      const answer = alarm === undefined ? undefined : seenBy(callerOf(request), alarm);
      if (answer === undefined) throw appError('not_found', 'no such alarm', {});
      return answer;
    },
  );

  app.post(
    '/api/alarms/:alarmId/acknowledge',
    {
      config: askingEach('alarms:acknowledge'),
      schema: {
        summary: 'Say that one knows of it. It stands on, and opens again when it becomes worse',
        params: z.strictObject({ alarmId: idParam }),
        body: z.strictObject({ note: z.string().trim().min(1).max(500).nullable().default(null) }),
        response: { 200: alarmShape },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { alarmId } = request.params;
      const found = table.find(alarmId);
      if (found === undefined || seenBy(caller, found) === undefined) {
        throw appError('not_found', 'no such alarm', {});
      }
      for (const subject of found.subjects) caller.require('alarms:acknowledge', resourceOf(subject));
      const alarm = watch.acknowledge(alarmId, { actor: caller.actor, note: request.body.note });
      return answerOf(alarm, alarm.subjects);
    },
  );

  app.get(
    '/api/alarm-settings',
    {
      config: asking('system:read', 'system'),
      schema: { summary: 'What counts as an alarm, and where webhooks may go', response: { 200: settingsShape } },
    },
    async () => settingsAnswer(),
  );

  app.patch(
    '/api/alarm-settings',
    {
      config: asking('alarms:configure', 'system'),
      schema: {
        summary: 'Change them',
        body: alarmSettings.partial(),
        response: { 200: settingsShape },
      },
    },
    async (request) => {
      const before = readAlarmSettings(catalog);
      const { gapMinutesPerDay = before.gapMinutesPerDay, webhookAddresses = before.webhookAddresses } = request.body;
      const settings = { gapMinutesPerDay, webhookAddresses };
      catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        writeAlarmSettings(catalog, settings, nowMs);
        note({ action: 'alarms:configure', resource: 'system', detail: settings });
      });
      feed.changed('alarms');
      return settingsAnswer();
    },
  );
}

/** With the subjects that the caller may see; undefined when there are none. */
function seenBy(caller: Caller, alarm: AlarmRow): z.infer<typeof alarmShape> | undefined {
  const subjects = alarm.subjects.filter((subject) => caller.may('alarms:read', resourceOf(subject)));
  if (subjects.length === 0) return undefined;
  return answerOf(alarm, subjects.length === alarm.subjects.length ? alarm.subjects : subjects);
}

function answerOf(alarm: AlarmRow, subjects: readonly AlarmSubject[]): z.infer<typeof alarmShape> {
  const answer = alarmAnswer(alarm, { subjects });
  return { ...answer, subjects: [...answer.subjects] };
}

/** Cameras by their own name; everything else is the appliance. */
function resourceOf({ kind, id }: AlarmSubject): Resource {
  return kind === 'camera' ? cameraResource(id) : 'system';
}

function addAlarmMetrics({ alarms, catalog, registry }: Context): void {
  new Gauge({
    name: 'weir_alarms',
    help: 'Alarms that stand',
    labelNames: ['code', 'severity'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { code, severity, count } of alarmCounts(alarms.standing)) this.set({ code, severity }, count);
    },
  });
  new Gauge({
    name: 'weir_alarms_unacknowledged',
    help: 'Alarms that stand and that nobody said to know of',
    registers: [registry],
    collect() {
      this.set(catalog.tables.alarms.standing().filter(({ acknowledgedMs }) => acknowledgedMs === null).length);
    },
  });
}
