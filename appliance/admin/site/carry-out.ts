/**
 * Does what a plan says, inside of one `Catalog.change`: all of it or nothing. The order is that of what needs what: cameras,
 * policies (which name cameras), accounts (which name policies); what is named is removed after what names it.
 */

import { must } from '../../../storage/base/assert.ts';
import type { AuditDetail, AuditNote, CameraSource, ManagedKind } from '../../../storage/catalog/index.ts';
import { isPublisher } from '../../../storage/model/camera.ts';
import { readAlarmSettings, writeAlarmSettings } from '../../alarms/index.ts';
import { newSecret, parseTarget } from '../../webhooks/index.ts';
import type { Context } from '../context.ts';
import { cameraResource } from '../resources.ts';
import type { SiteDocument } from './document.ts';
import {
  type CameraStep,
  type PlanItem,
  type PolicyStep,
  planItems,
  type SettingStep,
  type SitePlan,
  type UserStep,
  type WebhookStep,
} from './plan.ts';
import { type NamedCameras, resourceText } from './policy-steps.ts';

/** What is told once. */
export type SiteSecretsMade = {
  readonly passwords: { readonly user: string; readonly oneTimePassword: string }[];
  readonly streamKeys: { readonly camera: string; readonly role: 'main' | 'sub'; readonly streamKey: string }[];
  readonly webhookSecrets: { readonly webhook: string; readonly secret: string }[];
};

/** A password of a new account, hashed before: that takes too long for a transaction. */
export type NewPassword = { readonly passwordHash: string; readonly oneTimePassword: string | undefined };

export type CarryOutInput = {
  readonly document: SiteDocument;
  readonly plan: SitePlan;
  /** By the name of the new account. */
  readonly passwords: ReadonlyMap<string, NewPassword>;
};

type Change = { readonly nowMs: number; readonly note: (note: AuditNote) => void };

/** Must be called inside of `Catalog.change`. Returns what is told once. @throws AppError  as the tables do */
export function carryOut(context: Context, input: CarryOutInput, change: Change): SiteSecretsMade {
  const run = new CarryOut(context, input, change);
  run.all();
  return run.made;
}

class CarryOut {
  readonly made: SiteSecretsMade = { passwords: [], streamKeys: [], webhookSecrets: [] };
  readonly #context: Context;
  readonly #input: CarryOutInput;
  readonly #change: Change;

  constructor(context: Context, input: CarryOutInput, change: Change) {
    this.#context = context;
    this.#input = input;
    this.#change = change;
  }

  all(): void {
    const { plan, document } = this.#input;
    // Before anything is made: there may be as many as there can be.
    for (const step of plan.cameras) this.#remove(step, (id) => this.#tables.cameras.remove(id, this.#change.nowMs));
    for (const step of plan.webhooks) this.#remove(step, (id) => this.#tables.webhooks.remove(id));
    this.#clearNames();
    for (const step of plan.cameras) this.#putCamera(step);
    for (const step of plan.policies) this.#putPolicy(step);
    // Who becomes admin comes first: there is always one.
    const admins = plan.users.filter(({ account }) => account?.role === 'admin' && !account.isDisabled);
    for (const step of new Set([...admins, ...plan.users])) this.#putUser(step);
    for (const step of plan.webhooks) this.#putWebhook(step);
    for (const step of plan.settings) this.#putSetting(step);
    for (const step of plan.users) this.#remove(step, (id) => this.#tables.users.remove(id));
    for (const step of plan.policies) this.#remove(step, (id) => this.#tables.policies.remove(id));
    const counts: Record<string, number> = {};
    for (const { action } of planItems(plan)) counts[action] = (counts[action] ?? 0) + 1;
    this.#change.note({ action: 'site:apply', resource: 'site', detail: { site: document.site, ...counts } });
  }

  get #tables() {
    return this.#context.catalog.tables;
  }

  /** Names and stream keys that are given up are free before somebody takes them: two things may change them with each other. */
  #clearNames(): void {
    const { plan } = this.#input;
    const { nowMs } = this.#change;
    const isRenamed = ({ action, changed }: PlanItem) => action === 'change' && changed.includes('name');
    for (const { id = '', action } of plan.cameras) {
      if (action !== 'change') continue;
      const camera = must(this.#tables.cameras.find(id), 'a planned camera is there');
      const { main, sub } = camera.sources;
      const sources = { main: this.#keyless(main), sub: sub === undefined ? undefined : this.#keyless(sub) };
      this.#tables.cameras.update(id, { ...camera, name: id, sources }, { revision: undefined, nowMs });
    }
    const users = plan.users.filter((step) => isRenamed(step) || step.action === 'remove');
    for (const { id = '' } of users) this.#tables.users.update(id, { name: id }, nowMs);
    for (const { id = '' } of plan.webhooks.filter(isRenamed)) this.#tables.webhooks.update(id, { name: id }, nowMs);
  }

  /** With a key that nobody has, for as long as the transaction takes. */
  #keyless(own: CameraSource): CameraSource {
    if (!isPublisher(own.source)) return own;
    return {
      ...own,
      source: { kind: own.source.kind, keySha256: Buffer.from(this.#context.random(32)).toString('hex') },
    };
  }

  #putCamera(step: CameraStep): void {
    const { settings, streamKeys = {}, id } = step;
    if (step.action === 'remove' || settings === undefined) return;
    const { cameras } = this.#tables;
    const { nowMs } = this.#change;
    const camera =
      id === undefined
        ? cameras.create(settings, nowMs)
        : cameras.update(id, settings, { revision: undefined, nowMs }).camera;
    for (const role of ['main', 'sub'] as const) {
      const streamKey = streamKeys[role];
      if (streamKey !== undefined) this.made.streamKeys.push({ camera: camera.name, role, streamKey });
    }
    this.#mark(step, camera.id);
    this.#note(step, { action: 'cameras', resource: cameraResource(camera.id) });
  }

  #putPolicy(step: PolicyStep): void {
    const { policy, name } = step;
    if (step.action === 'remove' || policy === undefined) return;
    const cameras = this.#namedCameras();
    const statements = policy.statements.map((statement) => ({
      ...statement,
      resources: statement.resources.map((resource) => resourceText(resource, cameras)),
    }));
    const { description } = policy;
    if (step.action !== 'adopt') this.#tables.policies.put({ name, description, statements }, this.#change.nowMs);
    this.#mark(step, name);
    this.#note(step, { action: 'policies', resource: `policy/${name}` });
  }

  #putUser(step: UserStep): void {
    const { account, id, name } = step;
    if (step.action === 'remove' || account === undefined) return;
    const { users, sessions } = this.#tables;
    const { nowMs } = this.#change;
    let userId = id;
    if (userId === undefined) {
      const { passwordHash, oneTimePassword } = must(this.#input.passwords.get(name), 'new accounts have a password');
      userId = users.create({ ...account, passwordHash, mustChangePassword: true }, nowMs).id;
      if (account.isDisabled) users.update(userId, { isDisabled: true }, nowMs);
      if (oneTimePassword !== undefined) this.made.passwords.push({ user: name, oneTimePassword });
    } else if (step.action === 'change') {
      users.update(userId, account, nowMs);
      if (account.isDisabled) sessions.removeOf(userId);
    }
    this.#mark(step, userId);
    this.#note(step, { action: 'users', resource: `user/${userId}` });
  }

  #putWebhook(step: WebhookStep): void {
    const { webhook, id } = step;
    if (step.action === 'remove' || webhook === undefined) return;
    const { webhooks } = this.#tables;
    const { webhookSecrets: box, random } = this.#context;
    const { nowMs } = this.#change;
    const { url, secret, ...settings } = webhook;
    let webhookId = id;
    if (webhookId === undefined) {
      const made = secret ?? newSecret(random);
      const address = { sealedUrl: box.seal(url), origin: parseTarget(url).origin };
      webhookId = webhooks.create({ ...settings, ...address, sealedSecret: box.seal(made) }, nowMs).id;
      if (secret === undefined) this.made.webhookSecrets.push({ webhook: webhook.name, secret: made });
    } else if (step.action === 'change') {
      const address = step.changed.includes('url') ? { sealedUrl: box.seal(url), origin: parseTarget(url).origin } : {};
      const sealed = secret !== undefined && step.changed.includes('secret') ? { sealedSecret: box.seal(secret) } : {};
      webhooks.update(webhookId, { ...settings, ...address, ...sealed }, nowMs);
    }
    this.#mark(step, webhookId);
    this.#note(step, { action: 'webhooks', resource: `webhook/${webhookId}` });
  }

  #putSetting(step: SettingStep): void {
    const { catalog, heartbeat, webhookSecrets } = this.#context;
    const { nowMs } = this.#change;
    const isRemoved = step.action === 'remove';
    if (step.name === 'alarms' && step.action !== 'adopt') {
      const named = Object.fromEntries(Object.entries(step.alarms ?? {}).filter(([, value]) => value !== undefined));
      writeAlarmSettings(catalog, isRemoved ? {} : { ...readAlarmSettings(catalog), ...named }, nowMs);
    }
    if (step.name === 'heartbeat' && step.action !== 'adopt') {
      const wanted = isRemoved ? undefined : step.heartbeat;
      if (wanted === undefined) heartbeat.write(undefined, nowMs);
      else {
        const { url, ...rest } = wanted;
        heartbeat.write({ ...rest, origin: parseTarget(url).origin, sealedUrl: webhookSecrets.seal(url) }, nowMs);
      }
    }
    if (isRemoved) this.#tables.managed.forget('setting', step.name);
    else this.#mark(step, step.name);
    const place = step.name === 'alarms' ? 'system' : 'webhook/heartbeat';
    this.#note(step, { action: 'settings', resource: place });
  }

  #remove(step: PlanItem & { readonly id: string | undefined }, remove: (id: string) => unknown): void {
    const { action, id, kind } = step;
    if (action !== 'remove' || id === undefined) return;
    remove(id);
    this.#note(step, { action: noteNames[kind], resource: `${kind}/${id}` });
  }

  #mark({ kind, key }: PlanItem, itemId: string): void {
    this.#tables.managed.put({ kind, itemId, key, site: this.#input.document.site });
  }

  #note(step: PlanItem, { action, resource }: { readonly action: string; readonly resource: string }): void {
    const { name, key, changed } = step;
    const detail: AuditDetail = {
      name,
      site: this.#input.document.site,
      key,
      ...(changed.length === 0 ? {} : { changed }),
    };
    this.#change.note({ action: `${action}:${auditVerbs[step.action]}`, resource, detail });
  }

  #namedCameras(): NamedCameras {
    const { site } = this.#input.document;
    const marks = this.#tables.managed.list().filter((mark) => mark.kind === 'camera' && mark.site === site);
    return new Map(marks.map(({ key, itemId }) => [key, this.#tables.cameras.find(itemId)]));
  }
}

const noteNames: Readonly<Record<ManagedKind, string>> = {
  camera: 'cameras',
  policy: 'policies',
  user: 'users',
  webhook: 'webhooks',
  setting: 'settings',
};

const auditVerbs: Readonly<Record<PlanItem['action'], string>> = {
  create: 'create',
  change: 'update',
  remove: 'delete',
  adopt: 'adopt',
};
