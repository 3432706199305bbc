/** ONVIF: devices are looked for and looked at, cameras moved, and their clocks set. The role `onvif` does it; here is who may. */

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { Camera } from '../../../storage/catalog/index.ts';
import { asking } from '../access.ts';
import { type Caller, callerOf } from '../caller.ts';
import { credentialsInput } from '../camera-input.ts';
import { openedCredentials } from '../camera-settings.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import type { DeviceAddress, FoundDevice } from '../onvif-port.ts';
import {
  clockAnswer,
  clockShape,
  inspectionAnswer,
  inspectionShape,
  onvifFactsAnswer,
  onvifFactsShape,
} from '../onvif-shapes.ts';
import { cameraResource, pathPart } from '../resources.ts';
import { idParam } from '../shapes.ts';
import { hostOf, parseDeviceUrl, requireSameDevice, requireSameHost } from '../source-url.ts';
import { Turns } from '../turns.ts';

const cameraParams = z.strictObject({ cameraId: idParam });
const presetParams = z.strictObject({ cameraId: idParam, token: z.string().min(1).max(256) });

const discoverBody = z.strictObject({
  addresses: z
    .array(z.string().min(1).max(253))
    .min(1)
    .max(64)
    .optional()
    .describe('10.0.0.21, 10.0.0.0/24, 10.0.0.20-40 or names of hosts; absent: the network is asked by multicast'),
  ports: z.array(z.number().int().min(1).max(65_535)).min(1).max(8).optional().describe('tried at each address'),
  interfaces: z.array(z.string().min(1).max(64)).min(1).max(16).optional().describe('names or addresses of our own'),
  searchMs: z.number().int().min(100).max(15_000).optional(),
});

const discoverAnswer = z.object({
  devices: z.array(
    z.object({
      endpoint: z.string(),
      name: z.string().nullable(),
      hardware: z.string().nullable(),
      location: z.string().nullable(),
      urls: z.array(z.string()).describe('of its device service, the best one first'),
      address: z.string(),
      cameraId: z
        .string()
        .nullable()
        .describe('the camera at this host that is there already, if the caller may see it'),
    }),
  ),
});

const profilesBody = z.strictObject({
  url: z.string().min(1).max(2_048).describe('of the device service; a user and password in it are taken out'),
  tls: z.enum(['verify', 'any']).default('verify'),
  credentials: credentialsInput.nullable().optional(),
  cameraId: idParam.optional().describe('whose stored user and password are used when none are given'),
});

const speed = z.number().min(-1).max(1);

const moveBody = z.strictObject({
  kind: z.enum(['continuous', 'absolute', 'relative']).default('continuous'),
  pan: speed.optional().describe('right is positive'),
  tilt: speed.optional().describe('up is positive'),
  zoom: speed.optional().describe('in is positive'),
});

const moveAnswer = z.object({
  holdMs: z.number().describe('a continuous move stops after this unless it is repeated'),
});

const presetShape = z.object({ token: z.string(), name: z.string() });
const presetBody = z.strictObject({
  name: z.string().trim().min(1).max(64),
  token: z.string().min(1).max(256).optional().describe('of a preset to put in its place'),
});

const onCamera = (request: FastifyRequest) => cameraResource(pathPart(request, 'cameraId'));

export function addOnvifRoutes(app: App, context: Context): void {
  addSearchRoutes(app, context);
  addDeviceRoutes(app, context);
  addMoveRoutes(app, context);
  addPresetRoutes(app, context);
}

function addSearchRoutes(app: App, context: Context): void {
  const { onvif } = context;
  const turns = new Turns({
    atOnceMax: adminLimits.onvifQuestionsMax,
    waitingMax: adminLimits.onvifQuestionsMax,
    what: 'questions to devices',
  });

  app.post(
    '/api/onvif/discover',
    {
      config: asking('cameras:discover', 'camera'),
      schema: { summary: 'Look for ONVIF devices', body: discoverBody, response: { 200: discoverAnswer } },
    },
    async (request) => {
      const found = await turns.take(() => onvif.search(request.body));
      const known = knownHosts(callerOf(request), context);
      return { devices: found.map((device) => foundAnswer(device, known)) };
    },
  );

  app.post(
    '/api/onvif/profiles',
    {
      config: asking('cameras:discover', 'camera'),
      schema: {
        summary: 'Look at a device: its profiles, and what a camera made of it would be',
        body: profilesBody,
        response: { 200: inspectionShape },
      },
    },
    async (request) => {
      const { cameraId } = request.body;
      if (cameraId !== undefined) callerOf(request).require('cameras:update', cameraResource(cameraId));
      const { address, isLoginStored } = addressToAsk(request.body, context);
      const found = await turns.take(() => onvif.inspect(address));
      return inspectionAnswer(found, { tls: address.tls, isLoginStored });
    },
  );
}

function addDeviceRoutes(app: App, { catalog, onvif }: Context): void {
  app.get(
    '/api/cameras/:cameraId/onvif',
    {
      config: asking('cameras:read', onCamera),
      schema: { summary: 'What a camera can do by ONVIF', params: cameraParams, response: { 200: onvifFactsShape } },
    },
    async (request) => onvifFactsAnswer(await onvif.facts(request.params.cameraId)),
  );

  app.post(
    '/api/cameras/:cameraId/clock',
    {
      config: asking('cameras:update', onCamera),
      schema: {
        summary: "Set a camera's clock by ours, or let it follow its time server",
        params: cameraParams,
        body: z.strictObject({ source: z.enum(['ours', 'ntp']).default('ours') }),
        response: { 200: z.object({ clock: clockShape.nullable() }) },
      },
    },
    async (request) => {
      const { cameraId } = request.params;
      const { source } = request.body;
      const clock = await onvif.setClock(cameraId, source);
      catalog.change(callerOf(request).actor, ({ note }) => {
        note({ action: 'cameras:update', resource: cameraResource(cameraId), detail: { clock: source } });
      });
      return { clock: clockAnswer(clock) };
    },
  );
}

function addMoveRoutes(app: App, { onvif }: Context): void {
  app.post(
    '/api/cameras/:cameraId/ptz/move',
    {
      config: asking('cameras:control', onCamera),
      schema: {
        summary: 'Move a camera; a continuous move goes on for as long as it is repeated',
        params: cameraParams,
        body: moveBody,
        response: { 200: moveAnswer },
      },
    },
    async (request) => {
      const { kind, pan, tilt, zoom } = request.body;
      const vector = {
        ...(pan === undefined ? {} : { pan }),
        ...(tilt === undefined ? {} : { tilt }),
        ...(zoom === undefined ? {} : { zoom }),
      };
      if (Object.keys(vector).length === 0)
        throw appError('invalid_argument', 'nothing to move: give pan, tilt or zoom');
      return { holdMs: await onvif.move(request.params.cameraId, { kind, vector }) };
    },
  );

  app.post(
    '/api/cameras/:cameraId/ptz/stop',
    {
      config: asking('cameras:control', onCamera),
      schema: { summary: 'Stop a camera', params: cameraParams, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await onvif.stop(request.params.cameraId);
      return reply.code(204).send(null);
    },
  );
}

function addPresetRoutes(app: App, { catalog, onvif }: Context): void {
  const noted = (request: FastifyRequest, detail: Readonly<Record<string, string>>) => {
    catalog.change(callerOf(request).actor, ({ note }) => {
      note({ action: 'cameras:control', resource: onCamera(request), detail });
    });
  };

  app.get(
    '/api/cameras/:cameraId/ptz/presets',
    {
      config: asking('cameras:control', onCamera),
      schema: {
        summary: 'Presets of a camera',
        params: cameraParams,
        response: { 200: z.object({ presets: z.array(presetShape) }) },
      },
    },
    async (request) => ({ presets: await onvif.presets(request.params.cameraId) }),
  );

  app.post(
    '/api/cameras/:cameraId/ptz/presets',
    {
      config: asking('cameras:control', onCamera),
      schema: {
        summary: 'Remember where a camera looks now',
        params: cameraParams,
        body: presetBody,
        response: { 201: z.object({ token: z.string().nullable().describe('null: the camera does not tell it') }) },
      },
    },
    async (request, reply) => {
      const token = await onvif.setPreset(request.params.cameraId, request.body);
      noted(request, { preset: request.body.name });
      return reply.code(201).send({ token: token ?? null });
    },
  );

  app.post(
    '/api/cameras/:cameraId/ptz/presets/:token/goto',
    {
      config: asking('cameras:control', onCamera),
      schema: { summary: 'Go to a preset', params: presetParams, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await onvif.gotoPreset(request.params.cameraId, request.params.token);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/api/cameras/:cameraId/ptz/presets/:token',
    {
      config: asking('cameras:control', onCamera),
      schema: { summary: 'Forget a preset', params: presetParams, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await onvif.removePreset(request.params.cameraId, request.params.token);
      noted(request, { removedPreset: request.params.token });
      return reply.code(204).send(null);
    },
  );
}

/** The device with the login to use: what was given, or what is stored for a camera, and then only at its own host. */
function addressToAsk(
  body: z.infer<typeof profilesBody>,
  context: Context,
): { readonly address: DeviceAddress; readonly isLoginStored: boolean } {
  const { url, credentials: inUrl } = parseDeviceUrl(body.url);
  const address = { url, tls: body.tls };
  const given = body.credentials === undefined ? inUrl : (body.credentials ?? undefined);
  if (given !== undefined) return { address: { ...address, ...given }, isLoginStored: false };
  const camera = body.cameraId === undefined ? undefined : requireCamera(context, body.cameraId);
  if (camera === undefined || body.credentials === null) return { address, isLoginStored: false };
  const whose = { field: 'credentials', whose: 'the stored' } as const;
  const own = camera.onvif?.credentials;
  if (own !== undefined) requireSameDevice(address, camera.onvif, whose);
  else if (camera.credentials !== undefined) {
    const { source } = camera.sources.main;
    requireSameHost(url, source.kind === 'rtsp' ? source : undefined, whose);
  }
  const stored = own ?? camera.credentials;
  if (stored === undefined) return { address, isLoginStored: false };
  return { address: { ...address, ...openedCredentials(stored, context.cameraSecrets) }, isLoginStored: true };
}

function requireCamera({ catalog }: Context, cameraId: string): Camera {
  const camera = catalog.tables.cameras.find(cameraId);
  if (camera === undefined) throw appError('not_found', 'no such camera', { cameraId });
  return camera;
}

/** Cameras that the caller may see, by the hosts that they are reached at. */
function knownHosts(caller: Caller, { catalog }: Context): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const camera of catalog.tables.cameras.list()) {
    if (!caller.may('cameras:read', cameraResource(camera.id))) continue;
    const { main } = camera.sources;
    const urls = [camera.onvif?.url, main.source.kind === 'rtsp' ? main.source.url : undefined];
    for (const url of urls) if (url !== undefined) known.set(hostOf(url), camera.id);
  }
  return known;
}

function foundAnswer(device: FoundDevice, known: ReadonlyMap<string, string>) {
  const hosts = [device.address, ...device.urls.map(hostOf)];
  const cameraId = hosts.map((host) => known.get(host)).find((id) => id !== undefined);
  return {
    ...device,
    name: device.name ?? null,
    hardware: device.hardware ?? null,
    location: device.location ?? null,
    cameraId: cameraId ?? null,
  };
}
