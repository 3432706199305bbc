/** What somebody told an edge agent to do for a stream. We are that agent: how far it was done stands beside it. */

import { and, asc, eq } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { type EdgeSettings, edgeConfigurations } from './schema.ts';

/** How far a configuration was carried out. */
export type EdgeState = 'syncing' | 'in-sync' | 'failed';

export type EdgeConfiguration = {
  readonly streamId: string;
  readonly cameraId: string;
  readonly settings: EdgeSettings;
  readonly state: EdgeState;
  /** Why it failed; null when it did not. */
  readonly failure: string | null;
  /** True once the camera has its source from here, by this or an earlier configuration. */
  readonly isApplied: boolean;
  readonly createdMs: number;
  readonly updatedMs: number;
};

export class EdgeConfigurationTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  find(streamId: string): EdgeConfiguration | undefined {
    return this.#db.select().from(edgeConfigurations).where(eq(edgeConfigurations.streamId, streamId)).get();
  }

  /** Those of one hub, by their streams' ids. */
  ofHub(hubDeviceArn: string): EdgeConfiguration[] {
    return this.#db
      .select()
      .from(edgeConfigurations)
      .where(eq(edgeConfigurations.hubDeviceArn, hubDeviceArn))
      .orderBy(asc(edgeConfigurations.streamId))
      .all();
  }

  /** Those of which nobody knows yet how they went. */
  syncing(): EdgeConfiguration[] {
    return this.#db.select().from(edgeConfigurations).where(eq(edgeConfigurations.state, 'syncing')).all();
  }

  /** Makes or replaces the configuration of a stream. */
  put(configuration: Omit<EdgeConfiguration, 'createdMs' | 'updatedMs'>, nowMs: number): EdgeConfiguration {
    const createdMs = this.find(configuration.streamId)?.createdMs ?? nowMs;
    const row = { ...configuration, createdMs, updatedMs: nowMs };
    const values = { ...row, hubDeviceArn: row.settings.hubDeviceArn };
    this.#db
      .insert(edgeConfigurations)
      .values(values)
      .onConflictDoUpdate({ target: edgeConfigurations.streamId, set: values })
      .run();
    return row;
  }

  /** Notes how it went, unless somebody replaced it meanwhile. */
  settle(
    { streamId, updatedMs }: EdgeConfiguration,
    outcome: { readonly state: EdgeState; readonly failure: string | null },
  ): void {
    this.#db
      .update(edgeConfigurations)
      .set(outcome)
      .where(and(eq(edgeConfigurations.streamId, streamId), eq(edgeConfigurations.updatedMs, updatedMs)))
      .run();
  }

  remove(streamId: string): void {
    this.#db.delete(edgeConfigurations).where(eq(edgeConfigurations.streamId, streamId)).run();
  }
}
