/**
 * The catalog: what people told us. Small, precious, backed up, and written by `serve` alone; every other process that needs
 * something of it is told by file (`state/plan.json`) or by message. Nothing here is needed to record.
 * Conventions: `_ms` is wall time in milliseconds since 1970 UTC; booleans are 0 or 1; JSON columns are parsed when read.
 */

import { blob, check, index, integer, sql, sqliteTable, text, uniqueIndex } from '../base/drizzle.ts';

/** One rule: `*` in an action or resource is any run of characters; a resource also covers everything below it. */
export type PolicyStatement = {
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
};

/** Facts of an audit row: names of changed fields, ranges, counts; never a secret. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export const cameras = sqliteTable(
  'cameras',
  {
    /** 10 characters of a-z2-7, random, never used again. */
    id: text('id').primaryKey(),
    /** What people call it, 1 to 64 characters; unique without regard to case. */
    name: text('name').notNull(),
    /** How it is reached: only 'rtsp' for now. */
    sourceKind: text('source_kind', { enum: ['rtsp'] }).notNull(),
    /** rtsp:// or rtsps://, never with user or password. */
    url: text('url').notNull(),
    /** How RTP travels: interleaved in the RTSP connection or by UDP. */
    transport: text('transport', { enum: ['tcp', 'udp'] }).notNull(),
    /** Whether an rtsps certificate must be verifiable or may be any. */
    tls: text('tls', { enum: ['verify', 'any'] }).notNull(),
    /** User name under the site key; null when the camera asks for none. */
    sealedUsername: text('sealed_username'),
    /** Password under the site key; null together with the user name. */
    sealedPassword: text('sealed_password'),
    /** Whether it should be recorded; 0 leaves a ring for live players. */
    isRecording: integer('is_recording', { mode: 'boolean' }).notNull(),
    /** Age after which recordings go, hours. */
    retentionHours: integer('retention_hours').notNull(),
    /** Bytes its recordings may hold; null for no bound of its own. */
    bytesMax: integer('bytes_max'),
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

export const streams = sqliteTable(
  'streams',
  {
    /** 10 characters of a-z2-7, random, never used again: names directories and objects. */
    id: text('id').primaryKey(),
    /** What the KVS API calls it: 1 to 256 characters of a-zA-Z0-9_.- ; unique. */
    name: text('name').notNull(),
    /** Which of the camera's sources feeds it; only 'main' for now. */
    role: text('role', { enum: ['main'] }).notNull(),
    /** The camera that feeds or fed it; kept when that camera is removed, since policies name streams by it. */
    cameraId: text('camera_id').notNull(),
    /** When it was made; part of its ARN, so never changed. */
    createdMs: integer('created_ms').notNull(),
    /** When its camera was removed; null while it has one. Its recordings stay under their retention. */
    removedMs: integer('removed_ms'),
  },
  (table) => [uniqueIndex('streams_name').on(table.name), index('streams_camera').on(table.cameraId)],
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

export const audit = sqliteTable(
  'audit',
  {
    /** Rises with time; the order of the list. */
    id: integer('id').primaryKey({ autoIncrement: true }),
    /** When it happened. */
    atMs: integer('at_ms').notNull(),
    /** 'user', 'token', 'local' (on the machine itself) or 'anonymous' (refused logins). */
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
