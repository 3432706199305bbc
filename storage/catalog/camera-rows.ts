/** A camera's settings as rows and back. Pure. */

import { assert, must } from '../base/assert.ts';
import { isPublisher } from '../model/camera.ts';
import type { CameraSettings, CameraSource, CatalogSource, SealedCredentials } from './camera-settings.ts';
import type { cameras, sources } from './schema.ts';

/** What settings say of a row of `cameras`. */
export type CameraRow = Omit<typeof cameras.$inferSelect, 'id' | 'revision' | 'createdMs' | 'updatedMs'>;

/** What they say of a row of `sources`. */
export type SourceRow = Omit<typeof sources.$inferSelect, 'cameraId' | 'role'>;

/** The rows of a camera: one of its own, one for each source. */
export function settingsToRows(settings: CameraSettings): {
  readonly camera: CameraRow;
  readonly main: SourceRow;
  readonly sub: SourceRow | undefined;
} {
  const { sources: own, onvif, credentials } = settings;
  const camera = {
    name: settings.name,
    ...credentialsToRow(credentials),
    bytesMax: settings.bytesMax ?? null,
    onvifUrl: onvif?.url ?? null,
    onvifTls: onvif?.tls ?? null,
    onvifSealedUsername: onvif?.credentials?.username ?? null,
    onvifSealedPassword: onvif?.credentials?.password ?? null,
    isEnabled: settings.isEnabled,
  };
  return { camera, main: sourceToRow(own.main), sub: own.sub === undefined ? undefined : sourceToRow(own.sub) };
}

/** The settings that rows of a camera and its sources say. */
export function rowsToSettings(
  row: CameraRow,
  ownSources: readonly (SourceRow & Pick<typeof sources.$inferSelect, 'role'>)[],
): CameraSettings {
  const main = must(
    ownSources.find(({ role }) => role === 'main'),
    'every camera has a main source',
  );
  const sub = ownSources.find(({ role }) => role === 'sub');
  return {
    name: row.name,
    credentials: rowToCredentials(row.sealedUsername, row.sealedPassword),
    sources: { main: rowToSource(main), sub: sub === undefined ? undefined : rowToSource(sub) },
    onvif:
      row.onvifUrl === null
        ? undefined
        : {
            url: row.onvifUrl,
            tls: row.onvifTls ?? 'verify',
            credentials: rowToCredentials(row.onvifSealedUsername, row.onvifSealedPassword),
          },
    bytesMax: row.bytesMax ?? undefined,
    isEnabled: row.isEnabled,
  };
}

function sourceToRow({ source, credentials, recording }: CameraSource): SourceRow {
  const isPulled = source.kind === 'rtsp';
  return {
    kind: source.kind,
    url: isPulled ? source.url : null,
    transport: isPulled ? source.transport : null,
    tls: isPulled ? source.tls : null,
    ...credentialsToRow(credentials),
    keySha256: isPublisher(source) ? source.keySha256 : null,
    mode: recording.mode,
    schedule: recording.schedule ?? null,
    retentionHours: recording.retentionHours,
    eventRetentionHours: recording.eventRetentionHours ?? null,
    preRollMinutes: recording.preRollMinutes,
  };
}

function rowToSource(row: SourceRow): CameraSource {
  return {
    source: rowToAddress(row),
    credentials: rowToCredentials(row.sealedUsername, row.sealedPassword),
    recording: {
      mode: row.mode,
      schedule: row.schedule ?? undefined,
      retentionHours: row.retentionHours,
      eventRetentionHours: row.eventRetentionHours ?? undefined,
      preRollMinutes: row.preRollMinutes,
    },
  };
}

function rowToAddress(row: SourceRow): CatalogSource {
  if (row.kind === 'kvs') return { kind: 'kvs' };
  if (row.kind === 'rtmp' || row.kind === 'whip') {
    return { kind: row.kind, keySha256: must(row.keySha256, 'a publisher has a key') };
  }
  const { url, transport, tls } = row;
  assert(url !== null && transport !== null && tls !== null, 'what we pull has an address');
  return { kind: 'rtsp', url, transport, tls };
}

function credentialsToRow(credentials: SealedCredentials | undefined) {
  return { sealedUsername: credentials?.username ?? null, sealedPassword: credentials?.password ?? null };
}

function rowToCredentials(username: string | null, password: string | null): SealedCredentials | undefined {
  assert((username === null) === (password === null), 'user name and password are sealed together');
  return username === null || password === null ? undefined : { username, password };
}
