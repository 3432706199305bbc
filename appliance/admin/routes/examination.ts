/** Looking at the appliance as a whole: the doctor, the file for support, the check of all recordings. */

import { z } from 'zod';
import { errorCodes } from '../../../storage/base/errors.ts';
import { helpPath } from '../../runbook/index.ts';
import { asking } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { CheckStatus } from '../check-runner.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import { requestSignal } from '../request-signal.ts';
import { displayName } from '../shapes.ts';
import { Turns } from '../turns.ts';

const findingShape = z.object({
  area: z.string().describe('machine, disk, port, camera, ...'),
  subject: z.string().describe('what it is about: a path, a port, the name of a camera'),
  verdict: z.enum(['ok', 'warning', 'fault', 'unchecked']),
  text: z.string(),
  next: z.string().nullable().describe('what to do next; of warnings and faults'),
  code: z.string().nullable(),
  help: z.string().nullable().describe('path of its page in the runbook'),
});

const doctorShape = z.object({
  verdict: z.enum(['ok', 'warning', 'fault']).describe('the worst'),
  atMs: z.number(),
  durationMs: z.number(),
  findings: z.array(findingShape),
});

const levelShape = z.enum(['presence', 'size', 'hash']);

const checkShape = z.object({
  state: z.enum(['none', 'running', 'done', 'failed', 'cancelled']).describe('none: not since the last start'),
  level: levelShape.nullable(),
  startedMs: z.number().nullable(),
  endedMs: z.number().nullable(),
  progress: z.object({ done: z.number(), total: z.number().describe('about'), findings: z.number() }).nullable(),
  result: z
    .object({
      segments: z.number(),
      objects: z.number(),
      files: z.number(),
      skipped: z.array(z.string()).describe('what could not be looked at'),
      findingCount: z.number(),
      findings: z
        .array(
          z.object({
            invariant: z.number(),
            severity: z.enum(['alarm', 'warning']),
            what: z.string(),
            where: z.string(),
            hint: z.string(),
          }),
        )
        .describe('the first thousand'),
    })
    .nullable(),
  fault: z.object({ code: z.enum(errorCodes), message: z.string() }).nullable(),
});

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');

const supportQuery = z.strictObject({
  camera: displayName.optional().describe('name or id: adds what is said with it, without login and payload'),
  traceSeconds: z.coerce.number().min(1).max(adminLimits.traceSecondsMax).default(10),
  maskHosts: flag.describe('replaces names and addresses of hosts by words'),
});

export function addExaminationRoutes(app: App, { catalog, checks, clock, examiner }: Context): void {
  // Each starts a process that looks at everything.
  const turns = new Turns({ atOnceMax: 1, waitingMax: 2, what: 'examinations' });

  app.get(
    '/api/system/doctor',
    {
      config: asking('system:diagnose', 'system'),
      schema: {
        summary: 'What is wrong, why, and what to do next; takes up to 20 s',
        response: { 200: doctorShape },
      },
    },
    async (_request, reply) => {
      const signal = requestSignal(reply);
      const { verdict, atMs, durationMs, findings } = await turns.take(() => examiner.doctor(signal));
      const shown = findings.map(({ next, code, ...finding }) => ({
        ...finding,
        ...{ next: next ?? null, code: code ?? null, help: code === undefined ? null : helpPath(code) },
      }));
      return { verdict, atMs, durationMs, findings: shown };
    },
  );

  app.get(
    '/api/system/support',
    {
      config: asking('system:support', 'system'),
      schema: {
        summary: 'One file for whoever is to help, without secrets or pictures (tar.gz)',
        querystring: supportQuery,
      },
    },
    async (request, reply) => {
      const { camera, traceSeconds, maskHosts } = request.query;
      const signal = requestSignal(reply);
      const traceMs = camera === undefined ? 0 : traceSeconds * 1_000;
      const bytes = await turns.take(() => examiner.support({ camera, traceMs, areHostsMasked: maskHosts }, signal));
      catalog.change(callerOf(request).actor, ({ note }) => note({ action: 'system:support', resource: 'system' }));
      const time = new Date(clock.wallMs()).toISOString().slice(0, 19).replace(/[:T]/g, '-');
      reply.header('content-disposition', `attachment; filename="weir-support-${time}.tar.gz"`);
      reply.header('cache-control', 'no-store');
      return reply.type('application/gzip').send(Buffer.from(bytes));
    },
  );

  app.post(
    '/api/system/check',
    {
      config: asking('system:check', 'system'),
      schema: {
        summary: 'Begin to compare index, files and object store; reads only',
        body: z.strictObject({
          level: levelShape
            .default('size')
            .describe('presence: rows and files meet; size: lengths and tables too; hash: every byte is read'),
        }),
        response: { 202: checkShape },
      },
    },
    async (request, reply) => {
      const { level } = request.body;
      const status = checks.start(level);
      catalog.change(callerOf(request).actor, ({ note }) =>
        note({ action: 'system:check', resource: 'system', detail: { level } }),
      );
      return reply.code(202).send(checkAnswer(status));
    },
  );

  app.get(
    '/api/system/check',
    {
      config: asking('system:check', 'system'),
      schema: { summary: 'How far the check is, or what the last one found', response: { 200: checkShape } },
    },
    async () => checkAnswer(checks.status),
  );

  app.delete(
    '/api/system/check',
    {
      config: asking('system:check', 'system'),
      schema: { summary: 'End the check that runs', response: { 204: z.null() } },
    },
    async (_request, reply) => {
      checks.cancel();
      return reply.code(204).send(null);
    },
  );
}

function checkAnswer(status: CheckStatus | undefined): z.infer<typeof checkShape> {
  const none = { level: null, startedMs: null, endedMs: null, progress: null, result: null, fault: null };
  if (status === undefined) return { state: 'none', ...none };
  const { result, ...facts } = status;
  return {
    ...{ state: facts.state, level: facts.level, startedMs: facts.startedMs },
    ...{ endedMs: facts.endedMs ?? null, progress: facts.progress ?? null, fault: facts.fault ?? null },
    result:
      result === undefined
        ? null
        : {
            ...{ segments: result.segments, objects: result.objects, files: result.files },
            skipped: [...result.skipped],
            findingCount: result.findings.length,
            findings: result.findings.slice(0, adminLimits.pageRowsMax),
          },
  };
}
