/** What routes work with. */

import type { Actor, Catalog } from '../../storage/catalog/index.ts';
import type { HealthBook } from '../health/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import type { AlarmParts } from './alarm-parts.ts';
import type { Authentication } from './authentication.ts';
import type { Caller } from './caller.ts';
import type { CheckRunner } from './check-runner.ts';
import type { DevicePort } from './device-port.ts';
import type { EventFeed } from './event-feed.ts';
import type { KeeperPort } from './keeper-port.ts';
import type { ServeDeps } from './parts.ts';
import type { Passwords } from './passwords.ts';
import type { PlanWriter } from './plan-writer.ts';
import type { PlaybackTokens } from './playback-token.ts';
import type { SecretStore } from './secret-store.ts';
import type { StateBoard } from './state-board.ts';
import type { TagDeliveries } from './tag-deliveries.ts';
import type { UsageBook } from './usage-book.ts';

export type Context = Omit<ServeDeps & AlarmParts, 'keeper' | 'secrets'> & {
  readonly catalog: Catalog;
  readonly authentication: Authentication;
  readonly passwords: Passwords;
  readonly playbackTokens: PlaybackTokens;
  readonly cameraSecrets: SecretBox;
  /** For secrets in site files: `weir seal`. */
  readonly siteSecrets: SecretBox;
  /** Secrets that KVS clients name by ARN. */
  readonly secretStore: SecretStore;
  /** For digest verifiers of tokens. */
  readonly digests: SecretBox;
  /** For secrets of access keys. */
  readonly accessKeySecrets: SecretBox;
  readonly devices: DevicePort;
  readonly board: StateBoard;
  readonly health: HealthBook;
  readonly plan: PlanWriter;
  readonly feed: EventFeed;
  /** The caller with today's permissions; undefined when they are logged out, disabled or removed. */
  readonly refresh: (caller: Caller) => Caller | undefined;
  readonly checks: CheckRunner;
  /** Puts a new site key in front and seals everything anew by it. */
  readonly rotateSiteKey: (actor: Actor) => Promise<{ readonly fingerprint: string; readonly resealed: number }>;
  readonly keeper: KeeperPort;
  readonly usage: UsageBook;
  /** Undefined where no media can be read. */
  readonly tagDeliveries: TagDeliveries | undefined;
  readonly facts: SiteFacts;
};

/** What does not change while `serve` runs. */
export type SiteFacts = {
  readonly version: string;
  readonly startedMs: number;
  /** Directories whose file systems are shown, by what lies there. */
  readonly places: Readonly<Record<'data' | 'journal' | 'objects', string>>;
  /** The zone of days when a request names none. */
  readonly timeZone: string;
  /** Where else it listens; null is switched off. */
  readonly ports: { readonly rtsp: number | null; readonly rtmp: number | null };
  /** What clients of the KVS API are told; the credentials endpoint listens only while there are devices. */
  readonly kvs: {
    readonly publicUrl: string | null;
    /** In ARNs. */
    readonly region: string;
    readonly accountId: string;
    /** The one that signatures may be for; null: any. */
    readonly acceptedRegion: string | null;
    /** Null is switched off. */
    readonly credentialsPort: number | null;
  };
  /** What all recordings together may take; null: what the disk holds. */
  readonly storageBytesMax: number | null;
  /** Where the built page lies; nothing need be there. */
  readonly pageDirectory: string;
};
