/** Devices: things that show a certificate and get temporary keys for it. Their private key is told once, when we made it. */

import { z } from 'zod';
import type { Device } from '../../../storage/catalog/index.ts';
import { requestCharactersMax } from '../../tls/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart } from '../resources.ts';
import { idParam } from '../shapes.ts';
import { policyName } from './policies.ts';

/** A device that hangs under a roof for ten years need not be visited for its certificate: it is revoked here, at once. */
const daysDefault = 3_650;
/** As long as the authority itself. */
const daysMax = 7_300;

const deviceShape = z.object({
  id: z.string(),
  name: z.string().describe('the thing name'),
  policies: z.array(z.string()),
  fingerprint: z.string().describe('SHA-256 of its certificate'),
  serial: z.string(),
  createdBy: z.string(),
  createdMs: z.number(),
  expiresMs: z.number(),
  revokedMs: z.number().nullable(),
  lastUsedMs: z.number().nullable(),
});

/** As AWS IoT names things, and dots: kvssink calls a thing as its stream where it is told nothing else. */
const thingName = z.string().regex(/^[a-zA-Z0-9:_.-]{1,128}$/, 'has other characters than a-z, A-Z, 0-9, : _ . and -');
const policyNames = z.array(policyName).min(1).max(20);
const deviceParams = z.strictObject({ deviceId: idParam });
const onDevice = (request: Parameters<typeof pathPart>[0]) => `device/${pathPart(request, 'deviceId')}`;

export function addDeviceRoutes(app: App, context: Context): void {
  const { catalog, devices, feed, tls } = context;

  app.get(
    '/api/devices',
    {
      config: askingEach('devices:read'),
      schema: {
        summary: 'Devices of KVS clients, revoked ones too',
        response: { 200: z.object({ devices: z.array(deviceShape) }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = catalog.tables.devices.list().filter((one) => caller.may('devices:read', `device/${one.id}`));
      return { devices: seen.map(answerOf) };
    },
  );

  app.post(
    '/api/devices',
    {
      config: asking('devices:create', 'device'),
      schema: {
        summary: 'Certify a device; the answer has its private key, once, unless it made that itself',
        body: z.strictObject({
          name: thingName,
          policies: policyNames,
          days: z.number().int().min(1).max(daysMax).default(daysDefault).describe('how long its certificate is good'),
          csr: z.string().max(requestCharactersMax).optional().describe('PKCS #10 in PEM: of it the key counts alone'),
        }),
        response: {
          201: z.object({
            device: deviceShape,
            certificate: z.string().describe('PEM'),
            privateKey: z.string().nullable().describe('PEM; null for a signing request'),
            authority: z
              .string()
              .nullable()
              .describe("PEM of what our server's certificate is checked by; null for a public one"),
            credentialsPort: z.number().nullable(),
          }),
        },
      },
    },
    async (request, reply) => {
      const { name, policies, days, csr } = request.body;
      const caller = callerOf(request);
      catalog.tables.policies.requireAll(policies);
      catalog.tables.devices.requireFree(name);
      const issued = await devices.issue({ name, days, csr });
      const { fingerprint, serial, expiresMs } = issued;
      const device = catalog.change(caller.actor, ({ nowMs, note }) => {
        // Again: a policy may have gone, a name been taken, while the certificate was made.
        catalog.tables.policies.requireAll(policies);
        const createdBy = caller.subject.name;
        const made = catalog.tables.devices.create(
          { name, policies, fingerprint, serial, createdBy, expiresMs },
          nowMs,
        );
        const detail = { name, policies, fingerprint, isOwnKey: csr !== undefined };
        note({ action: 'devices:create', resource: `device/${made.id}`, detail });
        return made;
      });
      await devices.changed();
      feed.changed('devices');
      return reply.code(201).send({
        device: answerOf(device),
        certificate: issued.certificatePem,
        privateKey: issued.keyPem ?? null,
        authority: tls?.authorityPem() ?? null,
        credentialsPort: devices.port ?? null,
      });
    },
  );

  app.delete(
    '/api/devices/:deviceId',
    {
      config: asking('devices:revoke', onDevice),
      schema: {
        summary: 'Revoke a device: its certificate and its keys open nothing from now on',
        params: deviceParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { deviceId } = request.params;
      catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const { name, fingerprint } = catalog.tables.devices.revoke(deviceId, nowMs);
        note({ action: 'devices:revoke', resource: `device/${deviceId}`, detail: { name, fingerprint } });
      });
      await devices.changed();
      feed.changed('devices');
      return reply.code(204).send(null);
    },
  );
}

function answerOf(device: Device): z.infer<typeof deviceShape> {
  return { ...device, policies: [...device.policies] };
}
