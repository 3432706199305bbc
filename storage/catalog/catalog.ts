/** The catalog as one thing with a lifetime: its tables, and the one way to change them. */

import type Database from 'better-sqlite3';
import { assert, must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { AccessKeyTable } from './access-keys.ts';
import { AlarmTable } from './alarms.ts';
import { type Actor, type AuditNote, AuditTable } from './audit.ts';
import { CameraTable } from './cameras.ts';
import { ChannelTable } from './channels.ts';
import { openCatalog } from './database.ts';
import { DeliveryTable } from './deliveries.ts';
import { DeviceTable } from './devices.ts';
import { EdgeConfigurationTable } from './edge-configurations.ts';
import { ManagedTable } from './managed.ts';
import { PolicyTable } from './policies.ts';
import { SealedTexts } from './sealed.ts';
import { SecretTable } from './secrets.ts';
import { SessionTable } from './sessions.ts';
import { SettingTable } from './settings.ts';
import { StreamSettingsTable } from './stream-settings.ts';
import { TokenTable } from './tokens.ts';
import { TopicTable } from './topics.ts';
import { UsageTable } from './usage.ts';
import { UserTable } from './users.ts';
import { WebhookTable } from './webhooks.ts';

export type CatalogTables = {
  readonly cameras: CameraTable;
  readonly streamSettings: StreamSettingsTable;
  readonly channels: ChannelTable;
  readonly edgeConfigurations: EdgeConfigurationTable;
  readonly secrets: SecretTable;
  readonly users: UserTable;
  readonly sessions: SessionTable;
  readonly tokens: TokenTable;
  readonly accessKeys: AccessKeyTable;
  readonly devices: DeviceTable;
  readonly policies: PolicyTable;
  readonly settings: SettingTable;
  readonly audit: AuditTable;
  readonly alarms: AlarmTable;
  readonly webhooks: WebhookTable;
  readonly deliveries: DeliveryTable;
  readonly managed: ManagedTable;
  readonly topics: TopicTable;
  readonly usage: UsageTable;
  readonly sealed: SealedTexts;
};

export type CatalogDeps = {
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Cryptographically random bytes: ids are not secrets, yet nobody should guess the next one. */
  readonly random: (bytes: number) => Uint8Array;
};

export type CatalogOptions = { readonly path: string; readonly migrationsFolder?: string };

export class Catalog {
  readonly #deps: CatalogDeps;
  readonly #options: CatalogOptions;
  #sqlite: Database.Database | undefined;
  #tables: CatalogTables | undefined;

  constructor(deps: CatalogDeps, options: CatalogOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Opens the file, migrates it and writes the release's roles. @throws AppError  as `openCatalog` */
  start(): void {
    assert(this.#sqlite === undefined, 'a catalog is started once');
    const { db, sqlite } = openCatalog(this.#options.path, this.#options.migrationsFolder);
    this.#sqlite = sqlite;
    this.#tables = {
      cameras: new CameraTable(db, this.#deps.random),
      streamSettings: new StreamSettingsTable(db),
      channels: new ChannelTable(db, this.#deps.random),
      edgeConfigurations: new EdgeConfigurationTable(db),
      secrets: new SecretTable(db, this.#deps.random),
      users: new UserTable(db, this.#deps.random),
      sessions: new SessionTable(db, this.#deps.random),
      tokens: new TokenTable(db, this.#deps.random),
      accessKeys: new AccessKeyTable(db),
      devices: new DeviceTable(db, this.#deps.random),
      policies: new PolicyTable(db),
      settings: new SettingTable(db),
      audit: new AuditTable(db),
      alarms: new AlarmTable(db),
      webhooks: new WebhookTable(db, this.#deps.random),
      deliveries: new DeliveryTable(db, this.#deps.random),
      managed: new ManagedTable(db),
      topics: new TopicTable(db),
      usage: new UsageTable(db),
      sealed: new SealedTexts(db),
    };
    this.#tables.policies.writeBuiltIn(this.#deps.clock.wallMs());
  }

  /** For reading, and for what needs no audit row (that a session was used). */
  get tables(): CatalogTables {
    return must(this.#tables, 'the catalog is open');
  }

  /**
   * Changes something: the change and its audit rows become durable together or not at all.
   *
   * @param body  gets the tables, the time and a function that notes what was done; must not be async. It notes nothing when
   *              nothing changed
   */
  change<T>(actor: Actor, body: (change: { nowMs: number; note: (note: AuditNote) => void }) => T): T {
    const sqlite = must(this.#sqlite, 'the catalog is open');
    const nowMs = this.#deps.clock.wallMs();
    const note = (entry: AuditNote) => this.tables.audit.append(actor, entry, nowMs);
    return sqlite.transaction(() => body({ nowMs, note })).immediate();
  }

  close(): Promise<void> {
    this.#sqlite?.close();
    this.#sqlite = undefined;
    this.#tables = undefined;
    return Promise.resolve();
  }
}
