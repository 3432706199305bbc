/** Cameras: list, add, change, remove, and how they are doing. */

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { Camera } from '../../../storage/catalog/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import { cameraInput, cameraPatch, newCameraSettings, patchedCameraSettings } from '../camera-input.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { cameraResource, pathPart } from '../resources.ts';
import { cameraAnswer, cameraShape, idParam, sourceStateAnswer, sourceStateShape } from '../shapes.ts';

const cameraParams = z.strictObject({ cameraId: idParam });

const onCamera = (request: FastifyRequest) => cameraResource(pathPart(request, 'cameraId'));

export function addCameraRoutes(app: App, context: Context): void {
  const { board, cameraSecrets, catalog, feed, plan } = context;
  const find = (cameraId: string): Camera => {
    const camera = catalog.tables.cameras.find(cameraId);
    if (camera === undefined) throw appError('not_found', 'no such camera', { cameraId });
    return camera;
  };
  const afterChange = async () => {
    feed.changed('cameras');
    await plan.write();
  };

  app.get(
    '/api/cameras',
    {
      config: askingEach('cameras:read'),
      schema: { summary: 'Cameras one may see', response: { 200: z.object({ cameras: z.array(cameraShape) }) } },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = catalog.tables.cameras
        .list()
        .filter((camera) => caller.may('cameras:read', cameraResource(camera.id)));
      return { cameras: seen.map((camera) => cameraAnswer(camera, board)) };
    },
  );

  app.post(
    '/api/cameras',
    {
      config: asking('cameras:create', 'camera'),
      schema: { summary: 'Add a camera', body: cameraInput, response: { 201: cameraShape } },
    },
    async (request, reply) => {
      const settings = newCameraSettings(request.body, cameraSecrets);
      const camera = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const created = catalog.tables.cameras.create(settings, nowMs);
        note({ action: 'cameras:create', resource: cameraResource(created.id), detail: { name: created.name } });
        return created;
      });
      await afterChange();
      reply.header('location', `/api/cameras/${camera.id}`).header('etag', `"${camera.revision}"`);
      return reply.code(201).send(cameraAnswer(camera, board));
    },
  );

  app.get(
    '/api/cameras/:cameraId',
    {
      config: asking('cameras:read', onCamera),
      schema: { summary: 'One camera', params: cameraParams, response: { 200: cameraShape } },
    },
    async (request, reply) => {
      const camera = find(request.params.cameraId);
      reply.header('etag', `"${camera.revision}"`);
      return cameraAnswer(camera, board);
    },
  );

  app.patch(
    '/api/cameras/:cameraId',
    {
      config: asking('cameras:update', onCamera),
      schema: {
        summary: 'Change a camera; its revision in If-Match or in the body makes the change conditional',
        params: cameraParams,
        body: cameraPatch,
        response: { 200: cameraShape },
      },
    },
    async (request, reply) => {
      const { cameraId } = request.params;
      const revision = request.body.revision ?? revisionOf(request.headers['if-match']);
      const { camera, changed } = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const settings = patchedCameraSettings(find(cameraId), request.body, cameraSecrets);
        const result = catalog.tables.cameras.update(cameraId, settings, { revision, nowMs });
        if (result.changed.length > 0) {
          const detail = { name: result.camera.name, changed: result.changed };
          note({ action: 'cameras:update', resource: cameraResource(cameraId), detail });
        }
        return result;
      });
      if (changed.length > 0) await afterChange();
      reply.header('etag', `"${camera.revision}"`);
      return cameraAnswer(camera, board);
    },
  );

  app.delete(
    '/api/cameras/:cameraId',
    {
      config: asking('cameras:delete', onCamera),
      schema: {
        summary: 'Remove a camera; its recordings stay under their retention',
        params: cameraParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { cameraId } = request.params;
      catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const { name } = catalog.tables.cameras.remove(cameraId, nowMs);
        note({ action: 'cameras:delete', resource: cameraResource(cameraId), detail: { name } });
      });
      await afterChange();
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/cameras/:cameraId/state',
    {
      config: asking('cameras:read', onCamera),
      schema: {
        summary: 'How a camera is doing',
        params: cameraParams,
        response: { 200: z.object({ cameraId: z.string(), states: z.array(sourceStateShape) }) },
      },
    },
    async (request) => {
      const camera = find(request.params.cameraId);
      const states = camera.streams.flatMap((stream) => board.state(stream.id) ?? []);
      return { cameraId: camera.id, states: states.map(sourceStateAnswer) };
    },
  );
}

/** `If-Match: "7"`. `*` and absence compare nothing. */
function revisionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const revision = /^\s*"(\d{1,15})"\s*$/.exec(ifMatch)?.[1];
  if (revision === undefined) throw appError('invalid_argument', 'If-Match is not a revision in quotes', {});
  return Number(revision);
}
