/** Shapes that several routes answer with. Answers are cut to these: what is not named here never leaves. */

import { z } from 'zod';
import type { Camera, CatalogRecording, CatalogSource } from '../../storage/catalog/index.ts';
import type { SourceRole, SourceState } from '../../storage/model/camera.ts';
import { recordingModeShape, scheduleShape } from '../../storage/model/recording-shape.ts';
import { helpPath } from '../runbook/index.ts';
import { shownUrl } from './source-url.ts';
import type { StateBoard } from './state-board.ts';

export const idParam = z.string().regex(/^[a-z2-7]{1,32}$/, 'is not an id');

/** Names that people give: printable, no edges of blanks. */
export const displayName = z
  .string()
  .transform((name) => name.normalize('NFC').trim())
  .pipe(
    z
      .string()
      .min(1)
      .max(64)
      .regex(/^[^\p{C}]+$/u, 'has characters that cannot be printed'),
  );

const sourceStateNames = ['idle', 'connecting', 'live', 'retrying', 'stopped'] as const;

export const sourceStateShape = z.object({
  streamId: z.string(),
  state: z.enum(sourceStateNames),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  hint: z.string().nullable(),
  help: z.string().nullable().describe('page of the reason in the runbook'),
  sinceMs: z.number(),
  attempts: z.number(),
  nextAttemptMs: z.number().nullable(),
  isRecording: z.boolean(),
  tracks: z.array(z.object({ number: z.number(), codec: z.string(), text: z.string() })),
  clockOffsetMs: z.number().nullable(),
  clockDriftPpm: z.number().nullable(),
  mainOffsetMs: z
    .number()
    .nullable()
    .describe('of a sub source: how much later than in the main one the same instant lies, by sender reports'),
  runsLastHour: z.number(),
  warnings: z.array(z.string()),
  recordingFault: z
    .object({ reason: z.string(), message: z.string(), help: z.string() })
    .nullable()
    .describe('why what arrives is not recorded'),
});

export const sourceRoleShape = z.enum(['main', 'sub']);

const sourceShape = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('rtsp'),
    url: z.string().describe('never with user or password'),
    transport: z.enum(['tcp', 'udp']),
    tls: z.enum(['verify', 'any']),
  }),
  z.object({ kind: z.literal('rtmp') }),
  z.object({ kind: z.literal('whip') }),
  z.object({ kind: z.literal('kvs') }),
]);

const recordingShape = z.object({
  mode: recordingModeShape,
  schedule: scheduleShape.nullable(),
  retentionHours: z.number(),
  eventRetentionHours: z.number().nullable(),
  preRollMinutes: z.number(),
});

export const cameraShape = z.object({
  id: z.string(),
  name: z.string(),
  isEnabled: z.boolean(),
  revision: z.number(),
  createdMs: z.number(),
  updatedMs: z.number(),
  source: sourceShape.describe('the main source'),
  hasCredentials: z.boolean(),
  recording: recordingShape.extend({ bytesMax: z.number().nullable() }),
  sub: z
    .object({
      source: sourceShape,
      hasOwnCredentials: z.boolean(),
      recording: recordingShape,
      state: sourceStateShape.nullable(),
    })
    .nullable(),
  onvif: z.object({ url: z.string(), tls: z.enum(['verify', 'any']), hasOwnCredentials: z.boolean() }).nullable(),
  streams: z
    .array(z.object({ id: z.string(), name: z.string(), role: sourceRoleShape }))
    .describe("the main source's first"),
  managedBy: z.string().nullable().describe('the site file that manages it; null: it was made by hand'),
  state: sourceStateShape.nullable().describe('of the main source; null: nobody can say just now'),
});

/** A state as JSON has it: what is not known is null. */
export function sourceStateAnswer(state: SourceState): z.infer<typeof sourceStateShape> {
  const { recordingFault: fault } = state;
  return {
    ...state,
    reason: state.reason ?? null,
    message: state.message ?? null,
    hint: state.hint ?? null,
    help: state.reason === undefined ? null : helpPath(state.reason),
    nextAttemptMs: state.nextAttemptMs ?? null,
    clockOffsetMs: state.clockOffsetMs ?? null,
    clockDriftPpm: state.clockDriftPpm ?? null,
    mainOffsetMs: state.mainOffsetMs ?? null,
    tracks: [...state.tracks],
    warnings: [...state.warnings],
    recordingFault: fault === undefined ? null : { ...fault, help: helpPath(fault.reason) },
  };
}

export function cameraAnswer(camera: Camera, board: StateBoard): z.infer<typeof cameraShape> {
  const { sources, onvif } = camera;
  return {
    id: camera.id,
    name: camera.name,
    isEnabled: camera.isEnabled,
    revision: camera.revision,
    createdMs: camera.createdMs,
    updatedMs: camera.updatedMs,
    source: sourceAnswer(sources.main.source),
    hasCredentials: camera.credentials !== undefined,
    recording: { ...recordingAnswer(sources.main.recording), bytesMax: camera.bytesMax ?? null },
    sub:
      sources.sub === undefined
        ? null
        : {
            source: sourceAnswer(sources.sub.source),
            hasOwnCredentials: sources.sub.credentials !== undefined,
            recording: recordingAnswer(sources.sub.recording),
            state: stateAnswer(camera, 'sub', board),
          },
    onvif:
      onvif === undefined
        ? null
        : { url: shownUrl(onvif.url), tls: onvif.tls, hasOwnCredentials: onvif.credentials !== undefined },
    streams: camera.streams.map(({ id, name, role }) => ({ id, name, role })),
    managedBy: camera.managedBy ?? null,
    state: stateAnswer(camera, 'main', board),
  };
}

function sourceAnswer(source: CatalogSource): z.infer<typeof sourceShape> {
  return source.kind === 'rtsp' ? { ...source, url: shownUrl(source.url) } : { kind: source.kind };
}

function recordingAnswer(recording: CatalogRecording): z.infer<typeof recordingShape> {
  const { schedule, eventRetentionHours } = recording;
  return {
    ...recording,
    schedule: schedule === undefined ? null : { timeZone: schedule.timeZone, spans: [...schedule.spans] },
    eventRetentionHours: eventRetentionHours ?? null,
  };
}

function stateAnswer(camera: Camera, role: SourceRole, board: StateBoard): z.infer<typeof sourceStateShape> | null {
  const stream = camera.streams.find((each) => each.role === role);
  const state = stream === undefined ? undefined : board.state(stream.id);
  return state === undefined ? null : sourceStateAnswer(state);
}
