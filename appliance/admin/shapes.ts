/** Shapes that several routes answer with. Answers are cut to these: what is not named here never leaves. */

import { z } from 'zod';
import type { Camera } from '../../storage/catalog/index.ts';
import type { SourceState } from '../../storage/model/camera.ts';
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
  sinceMs: z.number(),
  attempts: z.number(),
  nextAttemptMs: z.number().nullable(),
  isRecording: z.boolean(),
  tracks: z.array(z.object({ number: z.number(), codec: z.string(), text: z.string() })),
  clockOffsetMs: z.number().nullable(),
  clockDriftPpm: z.number().nullable(),
  runsLastHour: z.number(),
  warnings: z.array(z.string()),
});

export const cameraShape = z.object({
  id: z.string(),
  name: z.string(),
  isEnabled: z.boolean(),
  revision: z.number(),
  createdMs: z.number(),
  updatedMs: z.number(),
  source: z.object({
    kind: z.literal('rtsp'),
    url: z.string().describe('never with user or password'),
    transport: z.enum(['tcp', 'udp']),
    tls: z.enum(['verify', 'any']),
  }),
  hasCredentials: z.boolean(),
  recording: z.object({ isRecording: z.boolean(), retentionHours: z.number(), bytesMax: z.number().nullable() }),
  streams: z.array(z.object({ id: z.string(), name: z.string(), role: z.literal('main') })),
  state: sourceStateShape.nullable().describe('null: nobody can say just now'),
});

/** A state as JSON has it: what is not known is null. */
export function sourceStateAnswer(state: SourceState): z.infer<typeof sourceStateShape> {
  return {
    ...state,
    reason: state.reason ?? null,
    message: state.message ?? null,
    hint: state.hint ?? null,
    nextAttemptMs: state.nextAttemptMs ?? null,
    clockOffsetMs: state.clockOffsetMs ?? null,
    clockDriftPpm: state.clockDriftPpm ?? null,
    tracks: [...state.tracks],
    warnings: [...state.warnings],
  };
}

export function cameraAnswer(camera: Camera, board: StateBoard): z.infer<typeof cameraShape> {
  const main = camera.streams.find((stream) => stream.role === 'main');
  const state = main === undefined ? undefined : board.state(main.id);
  return {
    id: camera.id,
    name: camera.name,
    isEnabled: camera.isEnabled,
    revision: camera.revision,
    createdMs: camera.createdMs,
    updatedMs: camera.updatedMs,
    source: { ...camera.source, url: shownUrl(camera.source.url) },
    hasCredentials: camera.credentials !== undefined,
    recording: { ...camera.recording, bytesMax: camera.recording.bytesMax ?? null },
    streams: camera.streams.map(({ id, name, role }) => ({ id, name, role })),
    state: state === undefined ? null : sourceStateAnswer(state),
  };
}
