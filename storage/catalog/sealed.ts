/** Everything in the catalog's tables that is under the site key, so that it can be sealed anew as a whole. This room cannot open it. */

import { and, eq } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { accessKeys, cameras, secrets, sources, tokens, webhooks } from './schema.ts';

/** What a text was sealed for: credentials of cameras, digest verifiers of tokens, secrets of access keys, targets of webhooks, the secret store. */
export type SealedKind = 'camera' | 'token' | 'access-key' | 'webhook' | 'secret';

export class SealedTexts {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  /**
   * Replaces every sealed text by what `reseal` makes of it. Inside of a `Catalog.change`; revisions stay, since nothing that
   * anybody decided changes.
   */
  replace(reseal: (kind: SealedKind, sealed: string) => string): void {
    const db = this.#db;
    const of = (kind: SealedKind) => (sealed: string | null) => (sealed === null ? null : reseal(kind, sealed));
    const camera = of('camera');
    for (const row of db.select().from(cameras).all()) {
      const sealed = {
        sealedUsername: camera(row.sealedUsername),
        sealedPassword: camera(row.sealedPassword),
        onvifSealedUsername: camera(row.onvifSealedUsername),
        onvifSealedPassword: camera(row.onvifSealedPassword),
      };
      db.update(cameras).set(sealed).where(eq(cameras.id, row.id)).run();
    }
    for (const { cameraId, role, ...row } of db.select().from(sources).all()) {
      const sealed = { sealedUsername: camera(row.sealedUsername), sealedPassword: camera(row.sealedPassword) };
      db.update(sources)
        .set(sealed)
        .where(and(eq(sources.cameraId, cameraId), eq(sources.role, role)))
        .run();
    }
    for (const { id, sealedDigests } of db.select().from(tokens).all()) {
      db.update(tokens)
        .set({ sealedDigests: of('token')(sealedDigests) })
        .where(eq(tokens.id, id))
        .run();
    }
    for (const { id, sealedSecret } of db.select().from(accessKeys).all()) {
      db.update(accessKeys)
        .set({ sealedSecret: reseal('access-key', sealedSecret) })
        .where(eq(accessKeys.id, id))
        .run();
    }
    for (const { id, sealedValue } of db.select().from(secrets).all()) {
      db.update(secrets)
        .set({ sealedValue: reseal('secret', sealedValue) })
        .where(eq(secrets.id, id))
        .run();
    }
    for (const { id, sealedUrl, sealedSecret } of db.select().from(webhooks).all()) {
      const sealed = { sealedUrl: reseal('webhook', sealedUrl), sealedSecret: reseal('webhook', sealedSecret) };
      db.update(webhooks).set(sealed).where(eq(webhooks.id, id)).run();
    }
  }
}
