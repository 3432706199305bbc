/** Files that become footage: upload, progress, cancel. The work is done elsewhere; here is who may, where to, and for how long. */

import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { appError, errorCodes } from '../../../storage/base/errors.ts';
import type { Camera } from '../../../storage/catalog/index.ts';
import { isHoldActive, type Span } from '../../../storage/index/index.ts';
import { keptMsAt } from '../../../storage/model/kept-mode.ts';
import { asking } from '../access.ts';
import { type Caller, callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import type { FileImports } from '../parts.ts';
import { cameraResource, pathPart, streamResource } from '../resources.ts';
import { idParam } from '../shapes.ts';
import { time } from '../times.ts';
import { uploading } from '../uploads.ts';

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');

const importQuery = z.strictObject({
  at: z
    .union([z.literal('file'), time])
    .describe('server time of the first picture; file: when the file says that it was made'),
  name: z.string().max(255).default('').describe('of the file, for people'),
  skipExisting: flag.describe('import only what is missing, instead of refusing where footage lies already'),
  keep: flag.describe('protect the footage by a hold: for what is older than the camera keeps'),
});

const importShape = z.object({
  id: z.string(),
  streamId: z.string(),
  name: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'partial', 'failed', 'cancelled']),
  fileBytes: z.number(),
  atMs: z.number(),
  durationMs: z.number().nullable().describe('by its own account'),
  mediaMs: z.number().describe('how far it was read'),
  beginMs: z.number().nullable(),
  endMs: z.number().nullable().describe('where its footage ends, and the next file may go on'),
  fragments: z.number().describe('written, and safe from power loss'),
  bytes: z.number(),
  alreadyThere: z.number().describe('fragments of an earlier attempt'),
  skipped: z.number().describe('fragments that lie on other footage'),
  dropped: z.record(z.string(), z.number()).describe('frames that are in no fragment, by why'),
  notes: z.array(z.string()).describe('what was converted and what was left out'),
  fault: z
    .object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().nullable() })
    .nullable()
    .describe('why it failed, or where it stopped'),
  startedMs: z.number(),
  endedMs: z.number().nullable(),
  remainingMs: z.number().nullable(),
});

const cameraParams = z.strictObject({ cameraId: idParam });
const importParams = cameraParams.extend({ importId: z.string().regex(/^[0-9a-f]{20}$/) });

type Status = NonNullable<ReturnType<FileImports['find']>>;

export function addImportRoutes(app: App, context: Context): void {
  const { catalog, imports, log } = context;
  const resource = (request: FastifyRequest) => {
    const cameraId = pathPart(request, 'cameraId');
    const main = mainStreamOf(catalog.tables.cameras.find(cameraId));
    return main === undefined ? cameraResource(cameraId) : streamResource(catalog, main);
  };
  const statusOf = (cameraId: string, importId: string): Status => {
    const status = imports.find(importId);
    if (status !== undefined && status.streamId === requireCamera(context, cameraId).streamId) return status;
    throw appError('not_found', 'no such import', { importId, hint: 'ended imports are remembered until a restart' });
  };

  app.get(
    '/api/cameras/:cameraId/imports',
    {
      config: asking('streams:read', resource),
      schema: {
        summary: 'Imports into a camera since the last start, newest first',
        params: cameraParams,
        response: { 200: z.object({ imports: z.array(importShape) }) },
      },
    },
    async (request) => {
      const { streamId } = requireCamera(context, request.params.cameraId);
      return { imports: imports.list(streamId).map(answerOf) };
    },
  );

  app.get(
    '/api/cameras/:cameraId/imports/:importId',
    {
      config: asking('streams:read', resource),
      schema: { summary: 'How far an import is', params: importParams, response: { 200: importShape } },
    },
    async (request) => answerOf(statusOf(request.params.cameraId, request.params.importId)),
  );

  app.delete(
    '/api/cameras/:cameraId/imports/:importId',
    {
      config: asking('streams:import', resource),
      schema: {
        summary: 'End an import; what it has stored stays',
        params: importParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { importId } = statusOf(request.params.cameraId, request.params.importId);
      imports.cancel(importId);
      return reply.code(204).send(null);
    },
  );

  // A file of any type, handed on as it comes: nothing of it is parsed here.
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.withTypeProvider<ZodTypeProvider>().post(
      '/api/cameras/:cameraId/imports',
      {
        config: { ...asking('streams:import', resource), ...uploading },
        schema: {
          summary: 'Import a file (MP4, MKV, MPEG-TS) as footage: the body is the file',
          params: cameraParams,
          querystring: importQuery,
          response: { 202: importShape },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request);
        const { at, name, skipExisting, keep } = request.query;
        const { camera, streamId } = requireCamera(context, request.params.cameraId);
        const admit = (span: Span) => admitted(context, { camera, streamId, span, keep, name, caller });
        // What can be refused without the file is refused before it is sent.
        if (at !== 'file') requireKept(context, camera, { beginMs: at, keep });
        if (!(request.body instanceof Readable)) throw appError('invalid_argument', 'the body is to be the file');
        const length = Number(request.headers['content-length'] ?? Number.NaN);
        const status = await imports.create({
          ...{ streamId, name, at, admit },
          onTaken: skipExisting ? 'skip' : 'refuse',
          body: request.body,
          byteLength: Number.isSafeInteger(length) ? length : undefined,
        });
        const { importId, atMs, fileBytes } = status;
        catalog.change(caller.actor, ({ note }) =>
          note({
            action: 'streams:import',
            resource: streamResource(catalog, streamId),
            detail: { importId, name, atMs, fileBytes, skipExisting, keep },
          }),
        );
        log.info('file uploaded', { importId, streamId, fileBytes });
        return reply.code(202).send(answerOf(status));
      },
    );
  });
}

/** The camera and the stream that files come into: its main one. */
function requireCamera({ catalog }: Context, cameraId: string): { camera: Camera; streamId: string } {
  const camera = catalog.tables.cameras.find(cameraId);
  const streamId = mainStreamOf(camera);
  if (camera === undefined || streamId === undefined) throw appError('not_found', 'no such camera', { cameraId });
  if (!camera.isEnabled) throw appError('failed_precondition', 'the camera is disabled', { hint: 'enable it first' });
  return { camera, streamId };
}

function mainStreamOf(camera: Camera | undefined): string | undefined {
  return camera?.streams.find((stream) => stream.role === 'main')?.id;
}

/** Footage that retention would take at once is refused, or held where that was asked for. */
async function admitted(
  context: Context,
  request: {
    readonly camera: Camera;
    readonly streamId: string;
    readonly span: Span;
    readonly keep: boolean;
    readonly name: string;
    readonly caller: Caller;
  },
): Promise<void> {
  const { camera, streamId, span, keep, name, caller } = request;
  const { clock, index, keeper } = context;
  requireKept(context, camera, { beginMs: span.beginMs, keep });
  if (!keep) return;
  const nowMs = clock.wallMs();
  const isHeld = index
    .holdsOf(streamId)
    .some(
      (hold) =>
        isHoldActive(hold, nowMs) &&
        hold.beginMs <= span.beginMs &&
        (hold.endMs === undefined || hold.endMs >= span.endMs),
    );
  if (isHeld) return;
  caller.require('holds:create', streamResource(context.catalog, streamId));
  const why = `imported${name === '' ? '' : `: ${name}`}`;
  await keeper.hold({ streamId, ...span, who: caller.subject.name, why, untilMs: undefined });
  context.feed.changed('holds');
}

function requireKept(
  { clock }: Context,
  camera: Camera,
  { beginMs, keep }: { readonly beginMs: number; readonly keep: boolean },
): void {
  const nowMs = clock.wallMs();
  if (beginMs > nowMs) {
    throw appError('failed_precondition', 'the footage would begin in the future', {
      hint: 'is the time of --at right, and its zone?',
    });
  }
  // Today's policy decides, by what holds at the hour of the footage.
  if (keep || beginMs > nowMs - keptMsAt(camera.sources.main.recording, beginMs)) return;
  throw appError('failed_precondition', 'the footage is older than the camera keeps, and would be removed at once', {
    hint: 'give --keep to protect it by a hold, or let the camera keep its recordings for longer',
  });
}

function answerOf({ importId, fault, ...status }: Status): z.infer<typeof importShape> {
  const { durationMs, beginMs, endMs, endedMs, remainingMs, notes } = status;
  return {
    ...status,
    id: importId,
    durationMs: durationMs ?? null,
    beginMs: beginMs ?? null,
    endMs: endMs ?? null,
    endedMs: endedMs ?? null,
    remainingMs: remainingMs ?? null,
    notes: [...notes],
    fault: fault === undefined ? null : { ...fault, hint: fault.hint ?? null },
  };
}
