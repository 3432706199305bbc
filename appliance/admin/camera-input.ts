/** What people send about cameras: shapes only; `camera-settings.ts` makes settings of them. */

import { z } from 'zod';
import { recordingModeShape, scheduleShape } from '../../storage/model/recording-shape.ts';
import { displayName } from './shapes.ts';

/** Ten years: whoever needs longer exports. */
const retentionHoursMax = 87_600;
/** A day: whoever wants more unmarked footage records continuously. */
const preRollMinutesMax = 1_440;
const urlCharactersMax = 2_048;

export const credentialsInput = z.strictObject({
  username: z.string().max(256),
  password: z.string().max(256),
});

/** What is told about an RTSP source. */
export const rtspFields = {
  url: z.string().min(1).max(urlCharactersMax).describe('rtsp:// or rtsps://; a user and password in it are taken out'),
  transport: z.enum(['tcp', 'udp']),
  tls: z.enum(['verify', 'any']),
};

/** A source that we pull. */
export const rtspSourceInput = z.strictObject({
  kind: z.literal('rtsp'),
  url: rtspFields.url,
  transport: rtspFields.transport.default('tcp'),
  tls: rtspFields.tls.default('verify'),
});

/** Sources that publish to us: their stream key is made here and told once. */
const rtmpSourceInput = z.strictObject({ kind: z.literal('rtmp') });
const whipSourceInput = z.strictObject({ kind: z.literal('whip') });

/** A source that a KVS producer sends by PutMedia, with an access key that may. */
const kvsSourceInput = z.strictObject({ kind: z.literal('kvs') });

const sourceInput = z.discriminatedUnion('kind', [rtspSourceInput, rtmpSourceInput, whipSourceInput, kvsSourceInput]);

const sourcePatch = z.strictObject({ kind: z.enum(['rtsp', 'rtmp', 'whip', 'kvs']), ...rtspFields }).partial();

const hours = z.number().int().min(1).max(retentionHoursMax);

const recordingFields = {
  mode: recordingModeShape.describe('events: only what an event marks is kept; live: nothing is'),
  schedule: scheduleShape.nullable().describe('hours of the week with another mode'),
  retentionHours: hours,
  eventRetentionHours: hours.nullable().describe('of what an event marks; null: as the rest'),
  preRollMinutes: z.number().int().min(1).max(preRollMinutesMax),
};

const bytesMax = z
  .number()
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .nullable()
  .describe('all streams of the camera together');

const recordingDefaults = {
  schedule: recordingFields.schedule.default(null),
  retentionHours: recordingFields.retentionHours.default(168),
  eventRetentionHours: recordingFields.eventRetentionHours.default(null),
  preRollMinutes: recordingFields.preRollMinutes.default(10),
};

/** How a main source is kept when nothing is said: a week of everything. */
export const mainRecordingInput = z
  .strictObject({
    mode: recordingFields.mode.default('continuous'),
    ...recordingDefaults,
    bytesMax: bytesMax.default(null),
  })
  .prefault({});

/** How a sub source is kept when nothing is said: it is not, since the main one is. */
export const subRecordingInput = z
  .strictObject({ mode: recordingFields.mode.default('live'), ...recordingDefaults })
  .prefault({});

const subInput = z.strictObject({
  source: sourceInput,
  credentials: credentialsInput.nullable().optional().describe("null or absent: the camera's"),
  recording: subRecordingInput.describe('live when nothing is said: only the main source is recorded'),
});

/** What is told about an ONVIF service. */
export const onvifFields = {
  url: z.string().min(1).max(urlCharactersMax).describe('of the device service, http:// or https://'),
  tls: z.enum(['verify', 'any']),
};

const onvifInput = z.strictObject({
  url: onvifFields.url,
  tls: onvifFields.tls.default('verify'),
  credentials: credentialsInput.nullable().optional().describe("null or absent: the camera's"),
});

export const cameraInput = z.strictObject({
  name: displayName,
  source: sourceInput.describe('the main source'),
  credentials: credentialsInput.nullable().optional(),
  recording: mainRecordingInput,
  sub: subInput.nullable().default(null).describe('a smaller picture of the same scene'),
  onvif: onvifInput.nullable().default(null),
  isEnabled: z.boolean().default(true),
});

export const cameraPatch = z.strictObject({
  name: displayName.optional(),
  source: sourcePatch.optional(),
  credentials: credentialsInput.nullable().optional(),
  recording: z
    .strictObject({ ...recordingFields, bytesMax })
    .partial()
    .optional(),
  sub: z
    .strictObject({
      source: sourcePatch,
      credentials: credentialsInput.nullable(),
      recording: z.strictObject(recordingFields).partial(),
    })
    .partial()
    .nullable()
    .optional()
    .describe('null removes it; what was recorded of it stays under its retention'),
  onvif: z
    .strictObject({ ...onvifFields, credentials: credentialsInput.nullable() })
    .partial()
    .nullable()
    .optional(),
  isEnabled: z.boolean().optional(),
  revision: z.number().int().min(1).optional(),
});

export type CameraInput = z.infer<typeof cameraInput>;
export type CameraPatch = z.infer<typeof cameraPatch>;
export type SourcePatch = z.infer<typeof sourcePatch>;
export type OnvifPatch = NonNullable<CameraPatch['onvif']>;
export type RecordingPatch = NonNullable<CameraPatch['recording']>;
export type CredentialsInput = z.infer<typeof credentialsInput>;
