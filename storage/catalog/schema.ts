/**
 * The catalog: what people told us. Small, precious, backed up, and written by `serve` alone; every other process that needs
 * something of it is told by file (`state/plan.json`) or by message. Nothing here is needed to record.
 * Conventions: `_ms` is wall time in milliseconds since 1970 UTC; booleans are 0 or 1; JSON columns are parsed when read.
 */

import { blob, check, index, integer, primaryKey, sql, sqliteTable, text, uniqueIndex } from '../base/drizzle.ts';
import type { WeeklySchedule } from '../model/camera.ts';

/** One rule: `*` in an action or resource is any run of characters; a resource also covers everything below it. */
export type PolicyStatement = {
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
};

/** Tags of a stream by their keys. */
export type StreamTags = Readonly<Record<string, string>>;

/** Facts of an audit row: names of changed fields, ranges, counts; never a secret. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export const cameras = sqliteTable(
  'cameras',
  {
    /** 10 characters of a-z2-7, random, never used again. */
    id: text('id').primaryKey(),
    /** What people call it, 1 to 64 characters; unique without regard to case. */
    name: text('name').notNull(),
    /** User name under the site key, for main source, and sub and ONVIF unless they have their own; null without one. */
    sealedUsername: text('sealed_username'),
    /** Password under the site key; null together with the user name. */
    sealedPassword: text('sealed_password'),
    /** Bytes the recordings of all its streams together may hold; null for no bound of its own. */
    bytesMax: integer('bytes_max'),
    /** Address of its ONVIF device service, http:// or https://, without user and password; null when it has none. */
    onvifUrl: text('onvif_url'),
    /** Whether an https certificate of it must be verifiable or may be any; null together with the address. */
    onvifTls: text('onvif_tls', { enum: ['verify', 'any'] }),
    /** ONVIF user of its own under the site key; null when it is the camera's. */
    onvifSealedUsername: text('onvif_sealed_username'),
    /** Its password; null together with the user name. */
    onvifSealedPassword: text('onvif_sealed_password'),
    /** 0: it is not even connected to, and missing seconds are no gap. */
    isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
    /** Rises by one with every effective change; what PATCH compares. */
    revision: integer('revision').notNull(),
    /** When it was added. */
    createdMs: integer('created_ms').notNull(),
    /** When it was last changed. */
    updatedMs: integer('updated_ms').notNull(),
  },
  (table) => [uniqueIndex('cameras_name').on(sql`${table.name} collate nocase`)],
);

export const sources = sqliteTable(
  'sources',
  {
    /** Whose source it is. */
    cameraId: text('camera_id')
      .notNull()
      .references(() => cameras.id, { onDelete: 'cascade' }),
    /** Every camera has a 'main' one. */
    role: text('role', { enum: ['main', 'sub'] }).notNull(),
    /** Whether we pull it (rtsp), it publishes to us (rtmp, whip), or a KVS producer sends it by PutMedia (kvs). */
    kind: text('kind', { enum: ['rtsp', 'rtmp', 'whip', 'kvs'] }).notNull(),
    /** rtsp:// or rtsps://, never with user or password; null of what comes to us. */
    url: text('url'),
    /** How RTP travels: interleaved in the RTSP connection or by UDP; null of what comes to us. */
    transport: text('transport', { enum: ['tcp', 'udp'] }),
    /** Whether an rtsps certificate must be verifiable or may be any; null of what comes to us. */
    tls: text('tls', { enum: ['verify', 'any'] }),
    /** User of its own under the site key; null when it is the camera's, or none. */
    sealedUsername: text('sealed_username'),
    /** Its password; null together with the user name. */
    sealedPassword: text('sealed_password'),
    /** SHA-256 of a publisher's stream key, hexadecimal: the key itself is stored nowhere; null of what we pull and of KVS producers. */
    keySha256: text('key_sha256'),
    /** What is kept: all, what events mark, or a ring for live players. */
    mode: text('mode', { enum: ['continuous', 'events', 'live'] }).notNull(),
    /** Hours of the week with another mode, JSON of `WeeklySchedule`; null for none. */
    schedule: text('schedule', { mode: 'json' }).$type<WeeklySchedule>(),
    /** Age after which recordings go that no event marks, hours. */
    retentionHours: integer('retention_hours').notNull(),
    /** Age after which those go that one marks, hours; null: as the rest. */
    eventRetentionHours: integer('event_retention_hours'),
    /** How long mode 'events' keeps what no event marks, minutes. */
    preRollMinutes: integer('pre_roll_minutes').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.cameraId, table.role] }),
    uniqueIndex('sources_key').on(table.keySha256),
    check('sources_kind', sql`(${table.kind} = 'rtsp') = (${table.url} is not null)`),
    check('sources_key_of_publishers', sql`(${table.kind} in ('rtmp', 'whip')) = (${table.keySha256} is not null)`),
  ],
);

export const streams = sqliteTable(
  'streams',
  {
    /** 10 characters of a-z2-7, random, never used again: names directories and objects. */
    id: text('id').primaryKey(),
    /** What the KVS API calls it: 1 to 256 characters of a-zA-Z0-9_.- ; unique among those that were not removed. */
    name: text('name').notNull(),
    /** Which of the camera's sources feeds or fed it. */
    role: text('role', { enum: ['main', 'sub'] }).notNull(),
    /** The camera that feeds or fed it; kept when that camera is removed, since policies name streams by it. */
    cameraId: text('camera_id').notNull(),
    /** When it was made; part of its ARN, so never changed. */
    createdMs: integer('created_ms').notNull(),
    /** When its camera or source was removed; null while it has one. Its recordings stay under their retention. */
    removedMs: integer('removed_ms'),
  },
  (table) => [
    uniqueIndex('streams_name').on(table.name).where(sql`${table.removedMs} is null`),
    index('streams_camera').on(table.cameraId),
  ],
);

/** What the KVS API knows of a stream beyond its camera; without a row it is a stream that nobody said anything of. */
export const streamSettings = sqliteTable(
  'stream_settings',
  {
    /** Which stream; stays with it when its camera is removed. */
    streamId: text('stream_id')
      .primaryKey()
      .references(() => streams.id, { onDelete: 'cascade' }),
    /** The device that writes it, in its owner's words, 1 to 128 characters of a-zA-Z0-9_.- ; null when nobody said. */
    deviceName: text('device_name'),
    /** Media types of its tracks, 'video/h264,audio/aac', as producers and consumers tell each other; null when nobody said. */
    mediaType: text('media_type'),
    /** What KVS calls its storage. */
    storageTier: text('storage_tier', { enum: ['HOT', 'WARM'] }).notNull(),
    /** Tags, JSON object of texts, at most 50. */
    tags: text('tags', { mode: 'json' }).$type<StreamTags>().notNull(),
    /** KVS clients may read nothing that is older: their retention was longer once and shortened; null when it never was. */
    hiddenBeforeMs: integer('hidden_before_ms'),
    /** How pictures are made of it, JSON as its reader has it; null when none are. */
    imageGeneration: text('image_generation', { mode: 'json' }).$type<unknown>(),
    /** Who is told of tagged fragments, JSON as its reader has it; null when nobody is. */
    notification: text('notification', { mode: 'json' }).$type<unknown>(),
    /** Rises by one with every effective change; part of the version that KVS clients see. */
    revision: integer('revision').notNull(),
    /** When it was last changed. */
    updatedMs: integer('updated_ms').notNull(),
  },
  (table) => [check('stream_settings_tier', sql`${table.storageTier} in ('HOT', 'WARM')`)],
);

export const channels = sqliteTable(
  'channels',
  {
    /** 10 characters of a-z2-7, random, never used again: what policies call it. */
    id: text('id').primaryKey(),
    /** 1 to 256 characters of a-zA-Z0-9_.- ; unique. */
    name: text('name').notNull(),
    /** How long a message waits for its recipient, seconds. */
    messageTtlS: integer('message_ttl_s').notNull(),
    /** Tags, JSON object of texts, at most 50. */
    tags: text('tags', { mode: 'json' }).$type<StreamTags>().notNull(),
    /** The stream that gets its media; null: peers send it to each other. Its camera may be gone. */
    storageStreamId: text('storage_stream_id').references(() => streams.id, { onDelete: 'set null' }),
    /** Rises by one with every effective change; what its version for KVS clients is made of. */
    revision: integer('revision').notNull(),
    /** When it was made; part of its ARN, so never changed. */
    createdMs: integer('created_ms').notNull(),
    /** When it was last changed. */
    updatedMs: integer('updated_ms').notNull(),
  },
  (table) => [
    uniqueIndex('channels_name').on(table.name),
    uniqueIndex('channels_storage').on(table.storageStreamId).where(sql`${table.storageStreamId} is not null`),
  ],
);

/** The schedule of an edge agent's job. */
export type EdgeSchedule = {
  /** A Quartz cron expression. */
  readonly expression: string;
  readonly durationS: number;
};

/** What an edge agent is to do for a stream, as it was told. */
export type EdgeSettings = {
  readonly hubDeviceArn: string;
  readonly mediaKind: 'rtsp' | 'file';
  /** Of the secret that says where the media is. */
  readonly mediaSecretArn: string;
  /** Absent: always. */
  readonly recorder?: EdgeSchedule | undefined;
  readonly uploader?: EdgeSchedule | undefined;
  readonly deletion?:
    | {
        readonly retentionHours?: number | undefined;
        readonly localSize?:
          | {
              readonly megabytesMax?: number | undefined;
              readonly onFull?: 'delete-oldest' | 'deny-new' | undefined;
            }
          | undefined;
        readonly isDeletedAfterUpload?: boolean | undefined;
      }
    | undefined;
};

export const edgeConfigurations = sqliteTable(
  'edge_configurations',
  {
    /** Whose it is. */
    streamId: text('stream_id')
      .primaryKey()
      .references(() => streams.id, { onDelete: 'cascade' }),
    /** The camera that feeds the stream: its configuration goes with it. */
    cameraId: text('camera_id')
      .notNull()
      .references(() => cameras.id, { onDelete: 'cascade' }),
    /** The agent's device, by which configurations are listed; also in `settings`. */
    hubDeviceArn: text('hub_device_arn').notNull(),
    /** What is to be done, JSON of `EdgeSettings`. */
    settings: text('settings', { mode: 'json' }).$type<EdgeSettings>().notNull(),
    /** 'syncing' until recording has it and the camera answered or failed. */
    state: text('state', { enum: ['syncing', 'in-sync', 'failed'] }).notNull(),
    /** Why it failed, a sentence without credentials; null when it did not. */
    failure: text('failure'),
    /** 1: the camera has its source from here, so it goes with the configuration. */
    isApplied: integer('is_applied', { mode: 'boolean' }).notNull(),
    /** When the stream got its first configuration. */
    createdMs: integer('created_ms').notNull(),
    /** When it got this one. */
    updatedMs: integer('updated_ms').notNull(),
  },
  (table) => [
    index('edge_configurations_hub').on(table.hubDeviceArn, table.streamId),
    check('edge_configurations_state', sql`${table.state} in ('syncing', 'in-sync', 'failed')`),
  ],
);

export const secrets = sqliteTable(
  'secrets',
  {
    /** 10 characters of a-z2-7, random, never used again: the first six end its ARN. */
    id: text('id').primaryKey(),
    /** 1 to 64 characters of a-zA-Z0-9_.- ; unique. */
    name: text('name').notNull(),
    /** What it says, under the site key. */
    sealedValue: text('sealed_value').notNull(),
    /** Who made it, as the audit list names subjects. */
    createdBy: text('created_by').notNull(),
    /** When it was made. */
    createdMs: integer('created_ms').notNull(),
  },
  (table) => [uniqueIndex('secrets_name').on(table.name)],
);

export const users = sqliteTable(
  'users',
  {
    /** 10 characters of a-z2-7, random, never used again. */
    id: text('id').primaryKey(),
    /** Name to log in with, 1 to 64 characters; unique without regard to case. */
    name: text('name').notNull(),
    /** argon2 hash with its parameters and salt, as `appliance/secrets` writes it. */
    passwordHash: text('password_hash').notNull(),
    /** Name of the policy that is the user's role; null when only `policies` say what is allowed. */
    role: text('role'),
    /** Names of further policies, JSON array of strings. */
    policies: text('policies', { mode: 'json' }).$type<readonly string[]>().notNull(),
    /** 1 after a one-time password was given: nothing but changing it is allowed. */
    mustChangePassword: integer('must_change_password', { mode: 'boolean' }).notNull(),
    /** 1: cannot log in, and has no sessions. */
    isDisabled: integer('is_disabled', { mode: 'boolean' }).notNull(),
    /** When the account was made. */
    createdMs: integer('created_ms').notNull(),
    /** When name, role, policies, password or state last changed. */
    updatedMs: integer('updated_ms').notNull(),
  },
  (table) => [uniqueIndex('users_name').on(sql`${table.name} collate nocase`)],
);

export const sessions = sqliteTable(
  'sessions',
  {
    /** 10 characters of a-z2-7: names the session in lists; does not open anything. */
    id: text('id').primaryKey(),
    /** SHA-256 of the cookie's 32 random bytes: the cookie itself is stored nowhere. */
    tokenHash: blob('token_hash', { mode: 'buffer' }).notNull(),
    /** Who logged in. */
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** When they logged in. */
    createdMs: integer('created_ms').notNull(),
    /** When it was last used, to about a minute; the idle limit counts from here. */
    lastSeenMs: integer('last_seen_ms').notNull(),
    /** When it ends however much it is used. */
    expiresMs: integer('expires_ms').notNull(),
    /** Address it was opened from, for the person who looks for a stranger in the list. */
    address: text('address').notNull(),
    /** User-Agent it was opened with, at most 256 characters. */
    userAgent: text('user_agent').notNull(),
  },
  (table) => [uniqueIndex('sessions_token').on(table.tokenHash), index('sessions_user').on(table.userId)],
);

export const tokens = sqliteTable(
  'tokens',
  {
    /** 10 characters of a-z2-7: names the token in lists; does not open anything. */
    id: text('id').primaryKey(),
    /** What it is for, in its maker's words; unique without regard to case. */
    name: text('name').notNull(),
    /** SHA-256 of the secret's text: the secret itself is stored nowhere. */
    tokenHash: blob('token_hash', { mode: 'buffer' }).notNull(),
    /** Digest verifiers (RFC 7616) under the site key, for RTSP; null for tokens of releases before it, which digests cannot use. */
    sealedDigests: text('sealed_digests'),
    /** As `users.role`. */
    role: text('role'),
    /** As `users.policies`. */
    policies: text('policies', { mode: 'json' }).$type<readonly string[]>().notNull(),
    /** Who made it, as the audit list names subjects. */
    createdBy: text('created_by').notNull(),
    /** When it was made. */
    createdMs: integer('created_ms').notNull(),
    /** When it stops working; null for never. */
    expiresMs: integer('expires_ms'),
    /** When it was last used, to about a minute; null before the first time. */
    lastUsedMs: integer('last_used_ms'),
  },
  (table) => [
    uniqueIndex('tokens_token').on(table.tokenHash),
    uniqueIndex('tokens_name').on(sql`${table.name} collate nocase`),
  ],
);

export const accessKeys = sqliteTable(
  'access_keys',
  {
    /** What clients of the KVS API call themselves: WEIR and 16 characters of A-Z2-7; random, never used again, no secret. */
    id: text('id').primaryKey(),
    /** What it is for, in its maker's words; unique without regard to case. */
    name: text('name').notNull(),
    /** Its secret under the site key: signatures are verified by it, so a hash would not do. */
    sealedSecret: text('sealed_secret').notNull(),
    /** Names of policies that say what it may do, JSON array of strings; none: nothing. */
    policies: text('policies', { mode: 'json' }).$type<readonly string[]>().notNull(),
    /** 1: verifies nothing until it is enabled again. */
    isDisabled: integer('is_disabled', { mode: 'boolean' }).notNull(),
    /** Who made it, as the audit list names subjects. */
    createdBy: text('created_by').notNull(),
    /** When it was made. */
    createdMs: integer('created_ms').notNull(),
    /** When it stops working; null for never. */
    expiresMs: integer('expires_ms'),
    /** When something signed by it was last verified, to about a minute; null before the first time. */
    lastUsedMs: integer('last_used_ms'),
  },
  (table) => [uniqueIndex('access_keys_name').on(sql`${table.name} collate nocase`)],
);

export const devices = sqliteTable(
  'devices',
  {
    /** 10 characters of a-z2-7, random, never used again: what temporary credentials of the device are bound to. */
    id: text('id').primaryKey(),
    /** Its thing name, 1 to 128 characters of a-z, A-Z, 0-9, : _ and -; unique among those that are not revoked. */
    name: text('name').notNull(),
    /** Names of policies that say what it may do, JSON array of strings; none: nothing. */
    policies: text('policies', { mode: 'json' }).$type<readonly string[]>().notNull(),
    /** SHA-256 of its certificate, 64 hexadecimal digits: by it the device is found when it shows that. */
    fingerprint: text('fingerprint').notNull(),
    /** Serial number of the certificate, hexadecimal, as tools show it. */
    serial: text('serial').notNull(),
    /** Who made it, as the audit list names subjects. */
    createdBy: text('created_by').notNull(),
    /** When it was made. */
    createdMs: integer('created_ms').notNull(),
    /** When its certificate ends. */
    expiresMs: integer('expires_ms').notNull(),
    /** When it was revoked; null while it is good. */
    revokedMs: integer('revoked_ms'),
    /** When it last got or used credentials, to about a minute; null before the first time. */
    lastUsedMs: integer('last_used_ms'),
  },
  (table) => [
    uniqueIndex('devices_name').on(table.name).where(sql`${table.revokedMs} is null`),
    uniqueIndex('devices_fingerprint').on(table.fingerprint),
  ],
);

export const policies = sqliteTable('policies', {
  /** 1 to 64 characters of a-z0-9-; roles are policies that users name. */
  name: text('name').primaryKey(),
  /** One sentence for the person who chooses it. */
  description: text('description').notNull(),
  /** What it allows and denies, JSON array of `PolicyStatement`. */
  statements: text('statements', { mode: 'json' }).$type<readonly PolicyStatement[]>().notNull(),
  /** 1: comes with the release, is rewritten at every start and cannot be edited. */
  isBuiltIn: integer('is_built_in', { mode: 'boolean' }).notNull(),
  /** When its statements last changed. */
  updatedMs: integer('updated_ms').notNull(),
});

export const settings = sqliteTable('settings', {
  /** Dotted name: 'clock.confirmedMs'. */
  key: text('key').primaryKey(),
  /** Any JSON. */
  value: text('value', { mode: 'json' }).$type<unknown>().notNull(),
  /** When it was last written. */
  updatedMs: integer('updated_ms').notNull(),
});

export const managed = sqliteTable(
  'managed',
  {
    /** What kind of thing it is. */
    kind: text('kind', { enum: ['camera', 'policy', 'user', 'webhook', 'setting'] }).notNull(),
    /** Its id; the name of a policy or setting. The row goes with the thing. */
    itemId: text('item_id').notNull(),
    /** Name of the site file that made it or took it over, and that may therefore remove it. */
    site: text('site').notNull(),
    /** What the file calls it: stays when its name changes. */
    key: text('key').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.itemId] }),
    uniqueIndex('managed_key').on(table.site, table.kind, table.key),
  ],
);

export const audit = sqliteTable(
  'audit',
  {
    /** Rises with time; the order of the list. */
    id: integer('id').primaryKey({ autoIncrement: true }),
    /** When it happened. */
    atMs: integer('at_ms').notNull(),
    /** 'user', 'token', 'access-key', 'device', 'role', 'stream-key' (publishers), 'local' (on the machine itself) or 'anonymous' (refused logins). */
    subjectKind: text('subject_kind').notNull(),
    /** Its id; empty for those without one. */
    subjectId: text('subject_id').notNull(),
    /** Its name as it was then; of a refused login the name that was typed, at most 64 characters. */
    subjectName: text('subject_name').notNull(),
    /** What was done, as policies name actions: 'cameras:update', 'own:login'. */
    action: text('action').notNull(),
    /** To what, as policies name resources: 'camera/k3x9'. */
    resource: text('resource').notNull(),
    /** Whether it was done. */
    outcome: text('outcome', { enum: ['done', 'refused'] }).notNull(),
    /** Where the request came from; empty for what we did by ourselves. */
    address: text('address').notNull(),
    /** Finds the request in the log; empty for what we did by ourselves. */
    requestId: text('request_id').notNull(),
    /** Facts, JSON object: names of changed fields, ranges; never a secret. */
    detail: text('detail', { mode: 'json' }).$type<AuditDetail>().notNull(),
  },
  (table) => [
    index('audit_action').on(table.action, table.id),
    check('audit_outcome', sql`${table.outcome} in ('done', 'refused')`),
  ],
);

/** One thing that an alarm is about. */
export type AlarmSubject = {
  readonly kind: 'camera' | 'role' | 'disk' | 'store' | 'certificate' | 'clock' | 'site';
  /** Unique within its kind. */
  readonly id: string;
  /** Which page of the runbook. */
  readonly code: string;
  /** What people call it. */
  readonly name: string;
  /** Why, in a lower-case sentence without credentials. */
  readonly text: string;
  /** What to do; null when the runbook says it all. */
  readonly hint: string | null;
  /** When its condition began. */
  readonly sinceMs: number;
  /** How often the condition began while the alarm stood. */
  readonly count: number;
  /** When it was well again for long enough; null while it is not. */
  readonly clearedMs: number | null;
};

export const alarms = sqliteTable(
  'alarms',
  {
    /** 10 characters of a-z2-7, random, never used again. */
    id: text('id').primaryKey(),
    /** Which page of the runbook: 'camera-away'; may change while it stands, within its family. */
    code: text('code').notNull(),
    /** Codes of one family are about the same trouble: a subject has one alarm of it at a time. */
    family: text('family').notNull(),
    /** The worst of its subjects'. */
    severity: text('severity', { enum: ['warning', 'error', 'critical'] }).notNull(),
    /** What it is about, JSON array of `AlarmSubject`: several that failed together are one alarm. */
    subjects: text('subjects', { mode: 'json' }).$type<readonly AlarmSubject[]>().notNull(),
    /** When the first condition began. */
    sinceMs: integer('since_ms').notNull(),
    /** When it had held for long enough. */
    raisedMs: integer('raised_ms').notNull(),
    /** When a condition was last seen; to about a minute while it stands. */
    lastSeenMs: integer('last_seen_ms').notNull(),
    /** When all subjects were well again; null while it stands. */
    clearedMs: integer('cleared_ms'),
    /** How often conditions began, of all subjects. */
    count: integer('count').notNull(),
    /** When a person said that they know; null before. */
    acknowledgedMs: integer('acknowledged_ms'),
    /** Who, as the audit list names subjects; null together with the time. */
    acknowledgedBy: text('acknowledged_by'),
    /** What they wrote, at most 500 characters; null when nothing. */
    acknowledgedNote: text('acknowledged_note'),
  },
  (table) => [
    index('alarms_raised').on(table.raisedMs, table.id),
    index('alarms_standing').on(table.raisedMs).where(sql`${table.clearedMs} is null`),
  ],
);

export const webhooks = sqliteTable(
  'webhooks',
  {
    /** 10 characters of a-z2-7, random, never used again. */
    id: text('id').primaryKey(),
    /** What people call it, 1 to 64 characters; unique without regard to case. */
    name: text('name').notNull(),
    /** Where to, under the site key: paths of such addresses are secrets as often as not. */
    sealedUrl: text('sealed_url').notNull(),
    /** Its scheme, host and port, for lists. */
    origin: text('origin').notNull(),
    /** What deliveries are signed with, under the site key. */
    sealedSecret: text('sealed_secret').notNull(),
    /** Whether an https certificate must be verifiable or may be any. */
    tls: text('tls', { enum: ['verify', 'any'] }).notNull(),
    /** Less severe alarms are not told. */
    severityMin: text('severity_min', { enum: ['warning', 'error', 'critical'] }).notNull(),
    /** Alarm codes that are told, JSON array; null for all. */
    codes: text('codes', { mode: 'json' }).$type<readonly string[]>(),
    /** 0: nothing new is told, and what waits goes on waiting. */
    isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
    /** When it was made. */
    createdMs: integer('created_ms').notNull(),
    /** When it was last changed. */
    updatedMs: integer('updated_ms').notNull(),
  },
  (table) => [uniqueIndex('webhooks_name').on(sql`${table.name} collate nocase`)],
);

export const deliveries = sqliteTable(
  'deliveries',
  {
    /** Rises with time; the order in which a target is told. */
    sequence: integer('sequence').primaryKey({ autoIncrement: true }),
    /** What the receiver knows it by: the same for every attempt. */
    id: text('id').notNull(),
    /** To whom. */
    webhookId: text('webhook_id')
      .notNull()
      .references(() => webhooks.id, { onDelete: 'cascade' }),
    /** What happened: 'alarm.raised', 'alarm.changed', 'alarm.cleared', 'alarm.acknowledged', 'kvs.notification' or 'test'. */
    event: text('event').notNull(),
    /** Which alarm; null for a test. Its row may have gone before. */
    alarmId: text('alarm_id'),
    /** What is sent, JSON; null once the delivery is over. */
    body: text('body'),
    /** When it happened; its age counts from here. */
    createdMs: integer('created_ms').notNull(),
    /** 'waiting' until it is 'delivered' or 'given-up'. */
    state: text('state', { enum: ['waiting', 'delivered', 'given-up'] }).notNull(),
    /** How often it was tried. */
    attempts: integer('attempts').notNull(),
    /** Not before this; written after each attempt. */
    nextAttemptMs: integer('next_attempt_ms').notNull(),
    /** HTTP status of the last answer; null without one. */
    status: integer('status'),
    /** How long the last attempt took; null before it. */
    durationMs: integer('duration_ms'),
    /** Why the last attempt failed, a lower-case sentence; null when it did not. */
    error: text('error'),
    /** When it was delivered or given up; null while it waits. */
    endedMs: integer('ended_ms'),
  },
  (table) => [
    index('deliveries_webhook').on(table.webhookId, table.sequence),
    index('deliveries_waiting').on(table.webhookId, table.sequence).where(sql`${table.state} = 'waiting'`),
    check('deliveries_state', sql`${table.state} in ('waiting', 'delivered', 'given-up')`),
  ],
);

export const usage = sqliteTable(
  'usage',
  {
    /** `yyyy-mm-dd` in the site's time zone. */
    day: text('day').notNull(),
    /** Which stream; its row may have gone. */
    streamId: text('stream_id').notNull(),
    /** What came in, what lay in the stores at the end of the day, what went out. */
    direction: text('direction', { enum: ['in', 'stored', 'out'] }).notNull(),
    /** How it travelled: 'rtsp', 'put-media', 'hls'; empty of what is stored. */
    protocol: text('protocol').notNull(),
    /** Whose doing it was, as `audit.subject_kind`; empty where it was nobody's. */
    subjectKind: text('subject_kind').notNull(),
    /** As `audit.subject_id`. */
    subjectId: text('subject_id').notNull(),
    bytes: integer('bytes').notNull(),
    /** Requests, connections or messages. */
    requests: integer('requests').notNull(),
  },
  (table) => [
    primaryKey({
      columns: [table.day, table.streamId, table.direction, table.protocol, table.subjectKind, table.subjectId],
    }),
  ],
);

export const topics = sqliteTable('topics', {
  /** Last part of topic ARNs, 1 to 256 characters of a-zA-Z0-9_-. */
  name: text('name').primaryKey(),
  /** Where its messages go. */
  webhookId: text('webhook_id')
    .notNull()
    .references(() => webhooks.id, { onDelete: 'cascade' }),
  /** When it was first mapped. */
  createdMs: integer('created_ms').notNull(),
});

export const tagCursors = sqliteTable(
  'tag_cursors',
  {
    /** Whose fragments are looked at. */
    streamId: text('stream_id').notNull(),
    /** What is done for those that are tagged for it. */
    purpose: text('purpose', { enum: ['notification', 'images'] }).notNull(),
    /** The newest fragment for which everything was done. */
    number: text('number').notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.purpose] })],
);
