/** Edge configurations of the KVS API, carried out by the same rules by which people change cameras. */

import { type EdgeChange, EdgeSync, edgeOperations, type KvsOperations } from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Lifetime } from '../../storage/base/lifecycle.ts';
import type { CameraSettings, Catalog } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import { changedCameraSettings } from './camera-settings.ts';
import type { SecretStore } from './secret-store.ts';
import { parseSourceUrl } from './source-url.ts';
import type { StateBoard } from './state-board.ts';
import type { NewStreamKey } from './stream-keys.ts';

export function startEdgeCameras(
  deps: {
    readonly clock: Clock;
    readonly catalog: Catalog;
    readonly board: StateBoard;
    readonly cameraSecrets: SecretBox;
    readonly secretStore: SecretStore;
    readonly newStreamKey: () => NewStreamKey;
  },
  { lifetime, timeZone }: { readonly lifetime: Lifetime; readonly timeZone: string },
): KvsOperations {
  const { clock, catalog, board, cameraSecrets, secretStore, newStreamKey } = deps;
  const sync = lifetime.own(new EdgeSync({ clock, states: board, tables: () => catalog.tables }));
  sync.start();
  return edgeOperations({
    ...{ sync, timeZone },
    openSecret: (arn) => secretStore.open(arn),
    changedSettings: (before, change) => changedSettings(before, change, { secrets: cameraSecrets, newStreamKey }),
  });
}

/** User and password of the address, or none: those of another address are never kept. */
function changedSettings(
  before: CameraSettings,
  { url, recording }: EdgeChange,
  tools: Parameters<typeof changedCameraSettings>[2],
): CameraSettings {
  const patch =
    url === null
      ? { source: { kind: 'kvs' as const }, credentials: null }
      : { source: { kind: 'rtsp' as const, url }, credentials: parseSourceUrl(url, 'MediaURI').credentials ?? null };
  const schedule = recording.schedule && { ...recording.schedule, spans: [...recording.schedule.spans] };
  return changedCameraSettings(before, { ...patch, recording: { ...recording, schedule } }, tools).settings;
}
