/** Cameras: list, add, change, remove, and how they are doing. */

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { Camera } from '../../../storage/catalog/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import { cameraInput, cameraPatch } from '../camera-input.ts';
import { changedCameraSettings, type MadeStreamKeys, newCameraSettings } from '../camera-settings.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { cameraResource, pathPart } from '../resources.ts';
import { cameraAnswer, cameraShape, idParam, sourceRoleShape, sourceStateAnswer, sourceStateShape } from '../shapes.ts';
import { newStreamKey } from '../stream-keys.ts';

const cameraParams = z.strictObject({ cameraId: idParam });

const changedShape = cameraShape.extend({
  streamKeys: z
    .object({ main: z.string().optional(), sub: z.string().optional() })
    .optional()
    .describe('keys of sources that became publishers just now: told once'),
});

const onCamera = (request: FastifyRequest) => cameraResource(pathPart(request, 'cameraId'));

export function addCameraRoutes(app: App, context: Context): void {
  const { board, cameraSecrets, catalog, feed, plan, random } = context;
  const tools = { secrets: cameraSecrets, newStreamKey: () => newStreamKey(random) };
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
      schema: { summary: 'Add a camera', body: cameraInput, response: { 201: changedShape } },
    },
    async (request, reply) => {
      const { settings, streamKeys } = newCameraSettings(request.body, tools);
      const camera = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const created = catalog.tables.cameras.create(settings, nowMs);
        note({ action: 'cameras:create', resource: cameraResource(created.id), detail: { name: created.name } });
        return created;
      });
      await afterChange();
      reply.header('location', `/api/cameras/${camera.id}`).header('etag', `"${camera.revision}"`);
      return reply.code(201).send({ ...cameraAnswer(camera, board), ...told(streamKeys) });
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
        response: { 200: changedShape },
      },
    },
    async (request, reply) => {
      const { cameraId } = request.params;
      const revision = request.body.revision ?? revisionOf(request.headers['if-match']);
      const { camera, changed, streamKeys } = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const { settings, streamKeys } = changedCameraSettings(find(cameraId), request.body, tools);
        const result = catalog.tables.cameras.update(cameraId, settings, { revision, nowMs });
        if (result.changed.length > 0) {
          const detail = { name: result.camera.name, changed: result.changed };
          note({ action: 'cameras:update', resource: cameraResource(cameraId), detail });
        }
        return { ...result, streamKeys };
      });
      if (changed.length > 0) await afterChange();
      reply.header('etag', `"${camera.revision}"`);
      return { ...cameraAnswer(camera, board), ...told(streamKeys) };
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

  app.post(
    '/api/cameras/:cameraId/stream-key',
    {
      config: asking('cameras:update', onCamera),
      schema: {
        summary: 'Make a new stream key for a publisher; the answer has it, once, and the old one ends',
        params: cameraParams,
        body: z.strictObject({ role: sourceRoleShape.default('main') }).prefault({}),
        response: { 201: z.object({ role: sourceRoleShape, streamKey: z.string() }) },
      },
    },
    async (request, reply) => {
      const { cameraId } = request.params;
      const { role } = request.body;
      const { streamKey, keySha256 } = newStreamKey(random);
      catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const { name } = catalog.tables.cameras.setStreamKey(cameraId, role, { keySha256, nowMs });
        note({
          action: 'cameras:update',
          resource: cameraResource(cameraId),
          detail: { name, changed: [`${role}.streamKey`] },
        });
      });
      await afterChange();
      return reply.code(201).send({ role, streamKey });
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

function told(streamKeys: MadeStreamKeys) {
  return Object.keys(streamKeys).length === 0 ? {} : { streamKeys };
}

/** `If-Match: "7"`. `*` and absence compare nothing. */
function revisionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const revision = /^\s*"(\d{1,15})"\s*$/.exec(ifMatch)?.[1];
  if (revision === undefined) throw appError('invalid_argument', 'If-Match is not a revision in quotes', {});
  return Number(revision);
}
