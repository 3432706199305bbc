/** Reads from the catalog what a site file can change, and gives that state a name by which a plan says what it was made from. */

import { createHash } from 'node:crypto';
import { readAlarmSettings } from '../../alarms/index.ts';
import type { Context } from '../context.ts';
import { newStreamKey } from '../stream-keys.ts';
import type { PlanTools, SiteState } from './plan.ts';
import { openedSecret, opener } from './secrets.ts';

type Readable = Pick<Context, 'catalog' | 'heartbeat'>;

export function readSiteState({ catalog, heartbeat }: Readable): SiteState {
  const { cameras, policies, users, webhooks, managed } = catalog.tables;
  const all = policies.list();
  return {
    cameras: cameras.list(),
    policies: all.filter(({ isBuiltIn }) => !isBuiltIn),
    builtInPolicies: all.filter(({ isBuiltIn }) => isBuiltIn).map(({ name }) => name),
    users: users.list(),
    webhooks: webhooks.list(),
    alarms: readAlarmSettings(catalog),
    heartbeat: heartbeat.settings,
    marks: managed.list(),
  };
}

/** The same as long as nothing of it changed, by whomever. Says nothing about what is in it. */
export function revisionOf(state: SiteState): string {
  return createHash('sha256').update(JSON.stringify(state)).digest('base64url').slice(0, 22);
}

export function planToolsOf(
  context: Pick<Context, 'cameraSecrets' | 'siteSecrets' | 'webhookSecrets' | 'random'>,
): PlanTools {
  const { cameraSecrets, siteSecrets, webhookSecrets, random } = context;
  return {
    secrets: cameraSecrets,
    newStreamKey: () => newStreamKey(random),
    openCamera: opener([siteSecrets, cameraSecrets]),
    openWebhook: opener([siteSecrets, webhookSecrets]),
    unsealWebhook: (sealed) => openedSecret(webhookSecrets, sealed),
  };
}
