/**
 * What has to change so that the catalog is as a site file says. Pure: the state and the file come in, steps go out, and
 * `carry-out.ts` does them. Declared means all of it: what the file does not say of a thing is its default.
 */

import { appError } from '../../../storage/base/errors.ts';
import type { ManagedKind, User, Webhook } from '../../../storage/catalog/index.ts';
import { type HeartbeatSettings, parseTarget } from '../../webhooks/index.ts';
import { cameraSteps } from './camera-steps.ts';
import type { SiteDocument, SiteHeartbeat, SiteUser, SiteWebhook } from './document.ts';
import type { MatchOptions } from './match.ts';
import type { PlanOptions, PlanTools, SettingStep, SitePlan, SiteState, UserStep, WebhookStep } from './plan.ts';
import { policySteps } from './policy-steps.ts';
import { changedKeys, declaredOf, stepsOf, within, withoutUndefined } from './steps.ts';

/**
 * @throws AppError invalid_argument, failed_precondition, already_exists  the file asks for what cannot be; `field` says where
 */
export function planSite(state: SiteState, document: SiteDocument, tools: PlanTools, options: PlanOptions): SitePlan {
  const { site } = document;
  const matching = (kind: ManagedKind): MatchOptions => ({ kind, site, marks: state.marks, ...options });
  return {
    cameras: cameraSteps(state, document, tools, matching('camera')),
    policies: policySteps(state, document, matching('policy')),
    users: userSteps(state, document, tools, matching('user')),
    webhooks: webhookSteps(state, document, tools, matching('webhook')),
    settings: settingSteps(state, document, tools),
  };
}

/** What becomes of accounts. */
function userSteps(state: SiteState, document: SiteDocument, tools: PlanTools, options: MatchOptions): UserStep[] {
  const known = new Set([
    ...state.builtInPolicies,
    ...state.policies.map(({ name }) => name),
    ...Object.keys(document.policies),
  ]);
  const declared = declaredOf(document.users);
  return stepsOf<SiteUser, User, UserStep>({ declared, items: state.users, options }, (each, before) => {
    const { role, policies, isDisabled, password } = each.wanted;
    const unknown = [...(role === null ? [] : [role]), ...policies].find((name) => !known.has(name));
    if (unknown !== undefined) {
      throw appError('invalid_argument', `no policy is called "${unknown}"`, {
        hint: `there are ${[...known].join(', ')}`,
      });
    }
    const account = { name: each.name, role, policies, isDisabled };
    const first = before !== undefined || password === undefined ? undefined : tools.openCamera(password, 'password');
    return { changed: before === undefined ? [] : changedKeys(before, account), payload: { account, password: first } };
  });
}

function webhookSteps(
  state: SiteState,
  document: SiteDocument,
  tools: PlanTools,
  options: MatchOptions,
): WebhookStep[] {
  const declared = declaredOf(document.webhooks);
  return stepsOf<SiteWebhook, Webhook, WebhookStep>({ declared, items: state.webhooks, options }, (each, before) => {
    const { url: address, secret: given, name: _, ...rest } = each.wanted;
    const { href: url } = parseTarget(tools.openWebhook(address, 'url'));
    const secret = given === undefined ? undefined : tools.openWebhook(given, 'secret');
    if (secret !== undefined && !/^whsec_[A-Za-z0-9+/]{43}=$/.test(secret)) {
      throw appError('invalid_argument', 'the signing secret is not whsec_ and 32 bytes in base64', {
        field: 'secret',
      });
    }
    const webhook = { ...rest, name: each.name, url, secret };
    if (before === undefined) return { changed: [], payload: { webhook } };
    const changed = changedKeys(before, { ...rest, name: each.name });
    if (tools.unsealWebhook(before.sealedUrl) !== url) changed.push('url');
    if (secret !== undefined && tools.unsealWebhook(before.sealedSecret) !== secret) changed.push('secret');
    return { changed, payload: { webhook } };
  });
}

/** Settings are one of a kind: the file has them, or had them and gives them up, which is their default again. */
function settingSteps(state: SiteState, { site, settings }: SiteDocument, tools: PlanTools): SettingStep[] {
  const { alarms, heartbeat } = settings;
  const step = (
    name: 'alarms' | 'heartbeat',
    wanted: { readonly changed: readonly string[]; readonly exists: boolean; readonly payload: object } | undefined,
  ): SettingStep[] => {
    const mark = state.marks.find(({ kind, itemId }) => kind === 'setting' && itemId === name);
    const isOurs = mark?.site === site;
    const facts = { kind: 'setting', key: name, name, id: name, isHandMade: mark === undefined } as const;
    if (wanted === undefined) return isOurs ? [{ ...facts, action: 'remove', changed: [] }] : [];
    const { changed, exists, payload } = wanted;
    if (!exists) return [{ ...facts, ...payload, action: 'create', changed: [] }];
    if (changed.length > 0) return [{ ...facts, ...payload, action: 'change', changed }];
    return isOurs ? [] : [{ ...facts, ...payload, action: 'adopt', changed }];
  };
  return [
    ...step(
      'alarms',
      alarms === undefined
        ? undefined
        : { changed: changedKeys(state.alarms, withoutUndefined(alarms)), exists: true, payload: { alarms } },
    ),
    ...step(
      'heartbeat',
      within('setting', 'heartbeat', () => wantedHeartbeat(state.heartbeat, heartbeat, tools)),
    ),
  ];
}

function wantedHeartbeat(before: HeartbeatSettings | undefined, wanted: SiteHeartbeat | undefined, tools: PlanTools) {
  if (wanted === undefined) return undefined;
  const { url: address, ...rest } = wanted;
  const { href: url } = parseTarget(tools.openWebhook(address, 'url'));
  const payload = { heartbeat: { ...rest, url } };
  if (before === undefined) return { changed: [], exists: false, payload };
  const changed = changedKeys(before, rest);
  if (tools.unsealWebhook(before.sealedUrl) !== url) changed.push('url');
  return { changed, exists: true, payload };
}
