/** What people send about cameras, and how it becomes settings: credentials apart from the address, and sealed. */

import { z } from 'zod';
import { appError } from '../../storage/base/errors.ts';
import type { Camera, CameraSettings, CatalogSource, SealedCredentials } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import { displayName } from './shapes.ts';
import { deviceOf, isLessSecret, type PlainCredentials, parseSourceUrl, shownUrl } from './source-url.ts';

/** Ten years: whoever needs longer exports. */
const retentionHoursMax = 87_600;

export const credentialsInput = z.strictObject({
  username: z.string().max(256),
  password: z.string().max(256),
});

const sourceFields = {
  kind: z.literal('rtsp'),
  url: z.string().min(1).max(2_048).describe('rtsp:// or rtsps://; a user and password in it are taken out'),
  transport: z.enum(['tcp', 'udp']),
  tls: z.enum(['verify', 'any']),
};

export const sourceInput = z.strictObject({
  ...sourceFields,
  transport: sourceFields.transport.default('tcp'),
  tls: sourceFields.tls.default('verify'),
});

const recordingFields = {
  isRecording: z.boolean(),
  retentionHours: z.number().int().min(0).max(retentionHoursMax).describe('0: only minutes for live players'),
  bytesMax: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullable(),
};

export const cameraInput = z.strictObject({
  name: displayName,
  source: sourceInput,
  credentials: credentialsInput.nullable().optional(),
  recording: z
    .strictObject({
      isRecording: recordingFields.isRecording.default(true),
      retentionHours: recordingFields.retentionHours.default(168),
      bytesMax: recordingFields.bytesMax.default(null),
    })
    .prefault({}),
  isEnabled: z.boolean().default(true),
});

export const cameraPatch = z.strictObject({
  name: displayName.optional(),
  source: z.strictObject(sourceFields).partial().optional(),
  credentials: credentialsInput.nullable().optional(),
  recording: z.strictObject(recordingFields).partial().optional(),
  isEnabled: z.boolean().optional(),
  revision: z.number().int().min(1).optional(),
});

/** @throws AppError invalid_argument  the address is none */
export function newCameraSettings(input: z.infer<typeof cameraInput>, secrets: SecretBox): CameraSettings {
  const { url, credentials: inUrl } = parseSourceUrl(input.source.url);
  const plain = input.credentials === undefined ? inUrl : (input.credentials ?? undefined);
  return {
    name: input.name,
    source: { ...input.source, url },
    credentials: sealed(plain, secrets),
    recording: { ...input.recording, bytesMax: input.recording.bytesMax ?? undefined },
    isEnabled: input.isEnabled,
  };
}

/**
 * A camera's settings after a change.
 * @throws AppError invalid_argument  the address is none, or leads to another host than the stored credentials are for
 */
export function patchedCameraSettings(
  camera: Camera,
  patch: z.infer<typeof cameraPatch>,
  secrets: SecretBox,
): CameraSettings {
  const { source, inUrl } = patchedSource(camera.source, patch.source ?? {});
  const { recording = {} } = patch;
  return {
    name: patch.name ?? camera.name,
    source,
    credentials: patchedCredentials(camera, { source, given: patch.credentials, inUrl }, secrets),
    recording: {
      isRecording: recording.isRecording ?? camera.recording.isRecording,
      retentionHours: recording.retentionHours ?? camera.recording.retentionHours,
      bytesMax: recording.bytesMax === undefined ? camera.recording.bytesMax : (recording.bytesMax ?? undefined),
    },
    isEnabled: patch.isEnabled ?? camera.isEnabled,
  };
}

function patchedSource(
  before: CatalogSource,
  patch: { readonly [Field in keyof CatalogSource]?: CatalogSource[Field] | undefined },
): { readonly source: CatalogSource; readonly inUrl: PlainCredentials | undefined } {
  const { transport = before.transport, tls = before.tls } = patch;
  const parsed: ReturnType<typeof parseSourceUrl> =
    patch.url === undefined ? { url: before.url } : parseChangedUrl(patch.url, before);
  return { source: { kind: 'rtsp', url: parsed.url, transport, tls }, inUrl: parsed.credentials };
}

/**
 * An address that somebody sent for a camera which has one: as it was shown, hidden parts and all, it is the one it has.
 * @throws AppError invalid_argument  the address is none
 */
export function parseChangedUrl(url: string, before: CatalogSource): ReturnType<typeof parseSourceUrl> {
  return url === shownUrl(before.url) ? { url: before.url } : parseSourceUrl(url);
}

function patchedCredentials(
  camera: Camera,
  change: {
    readonly source: CatalogSource;
    readonly given: PlainCredentials | null | undefined;
    readonly inUrl: PlainCredentials | undefined;
  },
  secrets: SecretBox,
): SealedCredentials | undefined {
  if (change.given === null) return undefined;
  const plain = change.given ?? change.inUrl;
  if (plain === undefined) {
    if (camera.credentials !== undefined) requireSameDevice(camera, change.source);
    return camera.credentials;
  }
  const before = camera.credentials === undefined ? undefined : opened(camera.credentials, secrets);
  const isSame = before?.username === plain.username && before.password === plain.password;
  return isSame ? camera.credentials : sealed(plain, secrets);
}

/**
 * Stored credentials go to the device they were entered for, and as well protected: who may edit cameras may not learn their
 * passwords by sending them to a machine of their own, or in the clear.
 * @throws AppError invalid_argument  the address leads elsewhere, or TLS is given up
 */
export function requireSameDevice(camera: Camera, source: Pick<CatalogSource, 'url' | 'tls'>): void {
  const before = camera.source;
  const isElsewhere = deviceOf(source.url) !== deviceOf(before.url);
  const isWeaker = isLessSecret(source, before);
  if (!isElsewhere && !isWeaker) return;
  const what = isElsewhere ? 'leads to another host or port than' : 'is less protected than the one that';
  throw appError('invalid_argument', `the address ${what} the stored user and password are for`, {
    field: 'credentials',
    hint: 'enter user and password again, or null for none',
  });
}

/** The camera's credentials in clear, for a connection of our own; undefined when they do not open (any more). */
export function opened(credentials: SealedCredentials, secrets: SecretBox): PlainCredentials | undefined {
  try {
    return { username: secrets.unseal(credentials.username), password: secrets.unseal(credentials.password) };
  } catch {
    return undefined;
  }
}

function sealed(plain: PlainCredentials | undefined, secrets: SecretBox): SealedCredentials | undefined {
  return plain === undefined
    ? undefined
    : { username: secrets.seal(plain.username), password: secrets.seal(plain.password) };
}
