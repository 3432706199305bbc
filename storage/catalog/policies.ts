/**
 * Policies: what a subject may do with what. Roles are policies that users and tokens name; KVS keys will name them too.
 * Deciding is `appliance/admin/authoriser.ts`; here they are only kept.
 */

import { eq, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import type { CatalogDb } from './database.ts';
import { forgetManaged } from './managed.ts';
import { accessKeys, devices, type PolicyStatement, policies, tokens, users } from './schema.ts';

export type Policy = {
  readonly name: string;
  readonly description: string;
  readonly statements: readonly PolicyStatement[];
  readonly isBuiltIn: boolean;
  readonly updatedMs: number;
};

/** Roles of the release: rewritten at every start, so that a new release's actions reach them. */
const builtInPolicies: readonly Omit<Policy, 'isBuiltIn' | 'updatedMs'>[] = [
  {
    name: 'admin',
    description: 'May do everything.',
    statements: [{ effect: 'allow', actions: ['*'], resources: ['*'] }],
  },
  {
    name: 'operator',
    description: 'Adds and changes cameras, watches, exports and protects recordings; no accounts.',
    statements: [
      {
        effect: 'allow',
        actions: [
          'cameras:*',
          'streams:*',
          'holds:*',
          'events:read',
          'event-ranges:*',
          'metrics:read',
          'system:read',
          'system:diagnose',
          'audit:read',
          'alarms:read',
          'alarms:acknowledge',
        ],
        resources: ['*'],
      },
    ],
  },
  {
    name: 'viewer',
    description: 'Watches all cameras, live and recorded; changes and exports nothing.',
    statements: [
      {
        effect: 'allow',
        actions: ['cameras:read', 'streams:read', 'streams:view', 'event-ranges:read', 'events:read', 'alarms:read'],
        resources: ['camera/*', 'events'],
      },
    ],
  },
];

export class PolicyTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  list(): Policy[] {
    return this.#db.select().from(policies).orderBy(policies.name).all();
  }

  find(name: string): Policy | undefined {
    return this.#db.select().from(policies).where(eq(policies.name, name)).get();
  }

  /** Writes the release's roles. Called at every start. */
  writeBuiltIn(nowMs: number): void {
    for (const policy of builtInPolicies) {
      const row = { ...policy, isBuiltIn: true, updatedMs: nowMs };
      this.#db
        .insert(policies)
        .values(row)
        .onConflictDoUpdate({
          target: policies.name,
          set: { description: row.description, statements: row.statements, isBuiltIn: true },
        })
        .run();
    }
  }

  /**
   * Makes or replaces a policy of the site.
   * @throws AppError failed_precondition  the policy comes with the release
   */
  put(policy: Pick<Policy, 'name' | 'description' | 'statements'>, nowMs: number): Policy {
    this.#refuseBuiltIn(policy.name);
    const row = { ...policy, isBuiltIn: false, updatedMs: nowMs };
    this.#db.insert(policies).values(row).onConflictDoUpdate({ target: policies.name, set: row }).run();
    return row;
  }

  /**
   * @throws AppError not_found            no such policy
   * @throws AppError failed_precondition  the policy comes with the release, or a user, token, access key or device names it: without
   *                                       its denials they could do more than they were meant to
   */
  remove(name: string): void {
    this.#refuseBuiltIn(name);
    const named = [
      ...this.#namedBy(users, name),
      ...this.#namedBy(tokens, name),
      ...this.#keysNaming(name),
      ...this.#devicesNaming(name),
    ];
    if (named.length > 0) {
      throw appError('failed_precondition', 'the policy is in use', {
        policy: name,
        hint: `take it from ${named.slice(0, 5).join(', ')} first`,
      });
    }
    const removed = this.#db.delete(policies).where(eq(policies.name, name)).run();
    if (removed.changes === 0) throw appError('not_found', 'no such policy', { policy: name });
    forgetManaged(this.#db, 'policy', name);
  }

  /** @throws AppError invalid_argument  one of them does not exist: it would grant nothing, and deny nothing */
  requireAll(names: readonly string[]): void {
    for (const name of names) {
      if (this.find(name) === undefined) {
        throw appError('invalid_argument', `no policy is called "${name}"`, {
          hint: `there are ${this.list()
            .map((policy) => policy.name)
            .join(', ')}`,
        });
      }
    }
  }

  #namedBy(table: typeof users | typeof tokens, policy: string): string[] {
    return this.#db
      .select({ name: table.name })
      .from(table)
      .where(
        sql`${table.role} = ${policy} or exists (select 1 from json_each(${table.policies}) where value = ${policy})`,
      )
      .all()
      .map((row) => row.name);
  }

  #keysNaming(policy: string): string[] {
    return this.#db
      .select({ name: accessKeys.name })
      .from(accessKeys)
      .where(sql`exists (select 1 from json_each(${accessKeys.policies}) where value = ${policy})`)
      .all()
      .map((row) => row.name);
  }

  #devicesNaming(policy: string): string[] {
    return this.#db
      .select({ name: devices.name })
      .from(devices)
      .where(
        sql`${devices.revokedMs} is null and exists (select 1 from json_each(${devices.policies}) where value = ${policy})`,
      )
      .all()
      .map((row) => row.name);
  }

  #refuseBuiltIn(name: string): void {
    if (builtInPolicies.some((policy) => policy.name === name)) {
      throw appError('failed_precondition', 'the policy comes with the release and cannot be changed', {
        policy: name,
        hint: 'make a policy of your own under another name',
      });
    }
  }
}
