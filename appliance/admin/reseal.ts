/**
 * Seals everything in the catalog anew by the newest site key, in one transaction. Old keys stay in the key file: the plan on
 * disk and backups still open. What was cut off is done at the next start.
 */

import { z } from 'zod';
import type { Log } from '../../storage/base/log.ts';
import type { Actor, Catalog, SealedKind } from '../../storage/catalog/index.ts';
import { cameraPurpose } from '../secrets/index.ts';
import type { SecretBoxes } from './parts.ts';
import { digestPurpose } from './token-digests.ts';

/** What the playback key is sealed for, and where it lies. */
export const playbackKeySetting = 'playback.key';
export const playbackPurpose = 'playback';
export const webhookPurpose = 'webhook';
export const accessKeyPurpose = 'access-key';
export const secretPurpose = 'secret';

const purposes: Readonly<Record<SealedKind, string>> = {
  camera: cameraPurpose,
  token: digestPurpose,
  'access-key': accessKeyPurpose,
  webhook: webhookPurpose,
  secret: secretPurpose,
};
const ourselves: Actor = { kind: 'system', id: '', name: 'weir', address: '', requestId: '' };
const heartbeatSetting = 'heartbeat';
const heartbeatShape = z.looseObject({ sealedUrl: z.string() });

/** Returns how many texts were sealed anew. One that does not open stays as it is: its key may come back. */
export function resealAll(
  deps: { readonly catalog: Catalog; readonly secrets: SecretBoxes; readonly log: Log },
  actor: Actor = ourselves,
): number {
  const { catalog, secrets, log } = deps;
  let resealed = 0;
  let unopened = 0;
  const anew = (purpose: string, sealed: string): string => {
    if (!secrets.isOutdated(sealed)) return sealed;
    try {
      const box = secrets.box(purpose);
      const text = box.seal(box.unseal(sealed));
      resealed++;
      return text;
    } catch {
      unopened++;
      return sealed;
    }
  };
  catalog.change(actor, ({ nowMs, note }) => {
    const { sealed, settings } = catalog.tables;
    sealed.replace((kind, text) => anew(purposes[kind], text));
    const playback = z.string().safeParse(settings.get(playbackKeySetting));
    if (playback.success && secrets.isOutdated(playback.data)) {
      settings.put(playbackKeySetting, anew(playbackPurpose, playback.data), nowMs);
    }
    const heartbeat = heartbeatShape.safeParse(settings.get(heartbeatSetting));
    if (heartbeat.success && secrets.isOutdated(heartbeat.data.sealedUrl)) {
      const sealedUrl = anew(webhookPurpose, heartbeat.data.sealedUrl);
      settings.put(heartbeatSetting, { ...heartbeat.data, sealedUrl }, nowMs);
    }
    if (resealed > 0) note({ action: 'system:rotate-site-key', resource: 'system', detail: { resealed } });
  });
  if (unopened > 0) log.error('sealed secrets do not open and stay as they are', { unopened });
  if (resealed > 0) log.info('secrets sealed anew', { resealed });
  return resealed;
}
