/** The appliance itself: roles, disks, store, clock, health. */

import { z } from 'zod';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import { isAlarmCode } from '../../alarms/index.ts';
import { helpPath } from '../../runbook/index.ts';
import { asking, publicly } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import { diskSpace } from '../disk-space.ts';
import type { App } from '../http-app.ts';
import type { KeeperStatus } from '../keeper-port.ts';
import type { MediaPlaneState, RoleState } from '../parts.ts';
import { readiness } from '../readiness.ts';

const roleShape = z.object({
  role: z.string(),
  state: z.enum(['starting', 'running', 'waiting', 'stopped']),
  sinceMs: z.number(),
  restarts: z.number(),
  pid: z.number().nullable().describe('null: it does not run just now'),
  memoryBytes: z.number().nullable().describe('resident; null: not known yet'),
  eventLoopDelayMsP99: z.number().nullable().describe('of the last seconds; null: not known yet'),
  reason: z.string().nullable(),
});

const systemShape = z.object({
  version: z.string(),
  node: z.string(),
  startedMs: z.number(),
  nowMs: z.number(),
  timeZone: z.string().describe('whose days are meant when nobody names a zone'),
  ports: z
    .object({ rtsp: z.number().nullable(), rtmp: z.number().nullable() })
    .describe('where players pull streams and encoders publish; null: switched off'),
  kvs: z
    .object({
      publicUrl: z.string().nullable().describe('the endpoint; null: the address by which one is here'),
      region: z.string().describe('of ARNs'),
      accountId: z.string(),
      acceptedRegion: z.string().nullable().describe('the one that clients may sign for; null: any'),
      credentialsPort: z
        .number()
        .nullable()
        .describe('where devices get keys, while there are any; null: switched off'),
    })
    .describe('what clients of the KVS API are set to'),
  webrtc: z
    .object({
      state: z.enum(['ready', 'off', 'starting', 'building', 'missing', 'failed']),
      reason: z.string().nullable().describe('for people; null: it is ready'),
      workers: z.number().describe('that run'),
      workersWanted: z.number(),
      peers: z.number(),
    })
    .describe('live view by WebRTC; where it is not ready, live view goes other ways'),
  storageBytesMax: z.number().nullable().describe('what all recordings together may take; null: what the disk holds'),
  roles: z.array(roleShape),
  parts: z.array(z.object({ part: z.string(), ready: z.boolean(), reason: z.string().nullable() })),
  disks: z.array(
    z.object({ places: z.array(z.string()), path: z.string(), bytesTotal: z.number(), bytesFree: z.number() }),
  ),
  keeper: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('store, backlog, retention and clock guard; null: it cannot be asked'),
  keeperFault: z.string().nullable(),
  hasAuthority: z.boolean().describe('whether /api/system/ca.pem has something to trust'),
});

const readyShape = z.object({
  ready: z.boolean(),
  parts: z.array(z.object({ part: z.string(), ready: z.boolean(), reason: z.string().nullable() })),
});

export function addSystemRoutes(app: App, context: Context): void {
  const { catalog, clock, devices, facts, keeper, roles, tls, mediaPlane } = context;
  const parts = () =>
    readiness(context).map(({ part, isReady, reason }) => ({ part, ready: isReady, reason: reason ?? null }));

  app.get(
    '/api/system',
    { config: asking('system:read', 'system'), schema: { summary: 'How it is doing', response: { 200: systemShape } } },
    async () => {
      const [disks, status] = await Promise.all([
        diskSpace(facts.places),
        keeper.status().then(
          (value) => ({ keeper: withHelp(value), keeperFault: null }),
          (error: unknown) => ({ keeper: null, keeperFault: toAppError(error).message }),
        ),
      ]);
      return {
        version: facts.version,
        node: process.versions.node,
        startedMs: facts.startedMs,
        nowMs: clock.wallMs(),
        timeZone: facts.timeZone,
        ports: { ...facts.ports },
        kvs: { ...facts.kvs, credentialsPort: devices.port ?? facts.kvs.credentialsPort },
        webrtc: webrtcAnswer(mediaPlane),
        storageBytesMax: facts.storageBytesMax,
        roles: roles.list().map(roleAnswer),
        parts: parts(),
        disks,
        ...status,
        hasAuthority: tls?.authorityPem() !== undefined,
      };
    },
  );

  app.get(
    '/api/system/ca.pem',
    {
      config: asking('system:read', 'system'),
      schema: { summary: 'Our certificate authority, for browsers and tools to trust' },
    },
    async (_request, reply) => {
      const pem = tls?.authorityPem();
      if (pem === undefined) {
        throw appError('not_found', 'the certificate is of another authority', {
          hint: 'ask whoever issued the certificate of this site',
        });
      }
      reply.header('content-disposition', 'attachment; filename="weir-ca.pem"');
      return reply.type('application/x-pem-file').send(pem);
    },
  );

  app.post(
    '/api/system/clock/confirm',
    {
      config: asking('system:confirm-clock', 'system'),
      schema: { summary: 'Say that the clock is right: retention by age goes on', response: { 204: z.null() } },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      await keeper.confirmClock();
      catalog.change(caller.actor, ({ nowMs, note }) => {
        note({ action: 'system:confirm-clock', resource: 'system', detail: { confirmedMs: nowMs } });
      });
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/system/site-key/rotate',
    {
      config: asking('system:rotate-site-key', 'system'),
      schema: {
        summary: 'Put a new site key in front and seal every stored secret anew by it; older keys still open backups',
        response: { 200: z.object({ fingerprint: z.string(), resealed: z.number() }) },
      },
    },
    (request) => context.rotateSiteKey(callerOf(request).actor),
  );

  app.post(
    '/api/system/store/adopt',
    {
      config: asking('system:adopt-store', 'system'),
      schema: {
        summary: 'Say that the object store that is there now holds our recordings from now on',
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      await keeper.adoptStore();
      catalog.change(caller.actor, ({ note }) => note({ action: 'system:adopt-store', resource: 'system' }));
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/healthz',
    {
      config: publicly,
      schema: { summary: 'Alive', security: [], response: { 200: z.object({ status: z.literal('alive') }) } },
    },
    async () => ({ status: 'alive' as const }),
  );

  app.get(
    '/readyz',
    {
      config: publicly,
      schema: { summary: 'Which parts work', security: [], response: { 200: readyShape, 503: readyShape } },
    },
    async (_request, reply) => {
      const now = parts();
      const ready = now.every((part) => part.ready);
      return reply.code(ready ? 200 : 503).send({ ready, parts: now });
    },
  );
}

/** Each problem with its page in the runbook, where there is one: a newer keeper may know more. */
function withHelp(status: KeeperStatus): KeeperStatus {
  const problems = problemList.safeParse(status.problems);
  if (!problems.success) return status;
  const helped = problems.data.map((problem) =>
    isAlarmCode(problem.code) ? { ...problem, help: helpPath(problem.code) } : problem,
  );
  return { ...status, problems: helped };
}

const problemList = z.array(z.looseObject({ code: z.string() }));

/** Figures of a process that is gone say nothing. */
function roleAnswer({ role, state, sinceMs, restarts, pid, reason, figures }: RoleState): z.infer<typeof roleShape> {
  const { memoryBytes = null, eventLoopDelayMsP99 = null } = (pid === undefined ? undefined : figures) ?? {};
  return { role, state, sinceMs, restarts, pid: pid ?? null, memoryBytes, eventLoopDelayMsP99, reason: reason ?? null };
}

function webrtcAnswer(plane: MediaPlaneState | undefined): z.output<typeof systemShape>['webrtc'] {
  if (plane === undefined)
    return { state: 'off', reason: 'there is no WebRTC', workers: 0, workersWanted: 0, peers: 0 };
  const status = plane.status();
  const { workers, wanted: workersWanted, peers } = plane.figures;
  return {
    state: status.state,
    reason: status.state === 'ready' ? null : status.reason,
    workers,
    workersWanted,
    peers,
  };
}
