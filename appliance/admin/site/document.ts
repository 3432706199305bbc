/**
 * A site file as it is sent: what a machine is to be, declared. The command line has resolved references to the environment and
 * to files by then, so a secret is either plain or sealed here; a text in its place is refused, since files lie in git.
 */

import { z } from 'zod';
import { camerasMax, webhooksMax } from '../../../storage/catalog/index.ts';
import { isPublisher } from '../../../storage/model/camera.ts';
import { alarmCodes, alarmSettings, severities } from '../../alarms/index.ts';
import { webhookLimits } from '../../webhooks/index.ts';
import { mainRecordingInput, onvifFields, rtspFields, subRecordingInput } from '../camera-input.ts';
import { policyName, policyPattern } from '../routes/policies.ts';
import { grantFields } from '../routes/users.ts';
import { displayName } from '../shapes.ts';
import { shownUrl } from '../source-url.ts';

/** Accounts of one file; each new one costs a tenth of a second of hashing. */
const usersMax = 200;
const policiesMax = 200;
const secretCharactersMax = 4_096;

const references = '{ env: NAME }, { file: PATH } or { sealed: TEXT }';
const notPlain = `must be a reference, ${references}, and never the secret itself`;

/** A secret: `plain` after the command line resolved a reference, or a text that `weir seal` made. */
export const secretInput = z
  .strictObject(
    {
      plain: z.string().max(secretCharactersMax).optional(),
      sealed: z.string().max(secretCharactersMax).optional(),
    },
    { error: (issue) => (issue.code === 'invalid_type' ? notPlain : undefined) },
  )
  .refine(({ plain, sealed }) => (plain === undefined) !== (sealed === undefined), {
    message: `must be one of ${references}`,
  });

/** An address, as text where nothing in it is secret. */
function addressInput(charactersMax: number) {
  return z.union(
    [
      z
        .string()
        .min(1)
        .max(charactersMax)
        .refine((url) => !hasSecret(url), {
          message: `has a password or token in it: write the whole address as ${references}`,
        }),
      secretInput,
    ],
    { error: `must be an address without a password or token in it, or ${references}` },
  );
}

const credentials = z.strictObject({
  username: z.union([z.string().max(256), secretInput], { error: `must be a name, or ${references}` }),
  password: secretInput,
});

const source = z
  .strictObject({
    kind: z.enum(['rtsp', 'rtmp', 'whip', 'kvs']).default('rtsp'),
    url: addressInput(2_048).optional(),
    transport: rtspFields.transport.optional(),
    tls: rtspFields.tls.optional(),
    keySha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
      .optional()
      .describe('of the stream key of a publisher; without it a key is made and told once'),
  })
  .superRefine((given, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message, input: given });
    if (given.kind === 'rtsp' && given.url === undefined) refuse('url', 'is missing');
    if (!isPublisher(given) && given.keySha256 !== undefined) {
      refuse('keySha256', 'is for publishers (kind: rtmp or whip)');
    }
    if (given.kind !== 'rtsp') {
      for (const field of ['url', 'transport', 'tls'] as const) {
        if (given[field] !== undefined) refuse(field, 'is not for publishers and KVS producers, which come to us');
      }
    }
  });

const name = displayName.optional().describe('absent: the key; changing it renames, the key says which one it is');

const camera = z.strictObject({
  name,
  source,
  credentials: credentials.nullable().default(null),
  recording: mainRecordingInput,
  sub: z
    .strictObject({ source, credentials: credentials.nullable().default(null), recording: subRecordingInput })
    .nullable()
    .default(null),
  onvif: z
    .strictObject({
      url: addressInput(2_048),
      tls: onvifFields.tls.default('verify'),
      credentials: credentials.nullable().default(null),
    })
    .nullable()
    .default(null),
  isEnabled: z.boolean().default(true),
});

/** A resource of a policy, or a camera of this file by its key: ids are of one machine. */
const resource = z.union([
  policyPattern,
  z.strictObject({ camera: z.string().max(64), stream: z.enum(['main', 'sub']).optional() }),
]);

const policy = z.strictObject({
  description: z.string().max(500).default(''),
  statements: z
    .array(
      z.strictObject({
        effect: z.enum(['allow', 'deny']),
        actions: z.array(policyPattern).min(1).max(50),
        resources: z.array(resource).min(1).max(100),
      }),
    )
    .max(100),
});

const user = z.strictObject({
  name,
  role: grantFields.role.default('viewer'),
  policies: grantFields.policies.default([]),
  isDisabled: z.boolean().default(false),
  password: secretInput
    .optional()
    .describe('the first one, to be replaced at the first login; absent: one is made and told once'),
});

const webhook = z.strictObject({
  name,
  url: addressInput(webhookLimits.urlCharactersMax),
  secret: secretInput.optional().describe('whsec_... that deliveries are signed with; absent: made and told once'),
  tls: z.enum(['verify', 'any']).default('verify'),
  severityMin: z.enum(severities).default('warning'),
  codes: z
    .array(z.enum(alarmCodes as [string, ...string[]]))
    .min(1)
    .nullable()
    .default(null),
  isEnabled: z.boolean().default(true),
});

const settings = z.strictObject({
  alarms: alarmSettings.partial().optional(),
  heartbeat: z
    .strictObject({
      url: addressInput(webhookLimits.urlCharactersMax),
      method: z.enum(['GET', 'POST']).default('GET'),
      periodS: z.number().int().min(10).max(3_600).default(60),
      tls: z.enum(['verify', 'any']).default('verify'),
    })
    .optional(),
});

/** What a file calls a thing, for as long as it is the same thing. */
const itemKey = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[^\p{C}\s](?:[^\p{C}]*[^\p{C}\s])?$/u, 'must be printable, without blanks at its ends');

function itemsOf<Item extends z.ZodType>(item: Item, itemsMax: number) {
  return z
    .record(itemKey, item)
    .default({})
    .refine((items) => Object.keys(items).length <= itemsMax, { message: `has more than ${itemsMax}` });
}

/** Which file it is: what it manages is marked by this. */
export const siteName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be of a-z, 0-9 and -');

export const siteDocument = z.strictObject({
  version: z.literal(1, { error: 'must be 1, the version of the format that this release knows' }),
  site: siteName.describe('which file this is; what it manages is marked by it'),
  cameras: itemsOf(camera, camerasMax),
  policies: z
    .record(policyName, policy)
    .default({})
    .refine((all) => Object.keys(all).length <= policiesMax, { message: `has more than ${policiesMax}` }),
  users: itemsOf(user, usersMax),
  webhooks: itemsOf(webhook, webhooksMax),
  settings: settings.default({}),
});

export type SiteDocument = z.infer<typeof siteDocument>;
export type SiteDocumentInput = z.input<typeof siteDocument>;
export type SiteCamera = z.infer<typeof camera>;
export type SitePolicy = z.infer<typeof policy>;
export type SiteUser = z.infer<typeof user>;
export type SiteWebhook = z.infer<typeof webhook>;
export type SiteHeartbeat = NonNullable<z.infer<typeof settings>['heartbeat']>;
export type SiteSource = z.infer<typeof source>;
export type SiteCredentials = z.infer<typeof credentials>;
export type SecretInput = z.infer<typeof secretInput>;

/** A password before the host, or a parameter that looks like one. */
function hasSecret(url: string): boolean {
  return /^[a-z]+:\/\/[^/?#]*@/i.test(url.trim()) || shownUrl(url) !== url;
}
