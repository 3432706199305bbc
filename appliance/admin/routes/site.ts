/** The site as one declared file: what it would change, doing it, and writing it. One route plans, one does exactly that plan. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { asking } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import { requireGoodPassword } from '../passwords.ts';
import { carryOut, type NewPassword } from '../site/carry-out.ts';
import { type SiteDocument, siteDocument, siteName } from '../site/document.ts';
import { exportSite } from '../site/export.ts';
import { hasChanges, type PlanItem, planItems, type SitePlan, type SiteState } from '../site/plan.ts';
import { planSite } from '../site/planner.ts';
import { planToolsOf, readSiteState, revisionOf } from '../site/state.ts';

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');

const options = {
  prune: flag.describe('remove what was made by hand and is not in the file, too'),
  takeOver: flag.describe('take over what the file names and another file manages'),
};

const itemShape = z.object({
  action: z.enum(['create', 'change', 'remove', 'adopt']),
  kind: z.enum(['camera', 'policy', 'user', 'webhook', 'setting']),
  key: z.string(),
  name: z.string(),
  changed: z.array(z.string()),
  isHandMade: z.boolean(),
});

const planShape = z.object({
  site: z.string(),
  revision: z.string().describe('of the state that the plan was made from'),
  hasChanges: z.boolean(),
  items: z.array(itemShape),
});

const appliedShape = planShape.extend({
  told: z
    .object({
      passwords: z.array(z.object({ user: z.string(), oneTimePassword: z.string() })),
      streamKeys: z.array(z.object({ camera: z.string(), role: z.enum(['main', 'sub']), streamKey: z.string() })),
      webhookSecrets: z.array(z.object({ webhook: z.string(), secret: z.string() })),
    })
    .describe('what was made here: told once'),
});

type Asked = {
  readonly body: SiteDocument;
  readonly query: { readonly prune: boolean; readonly takeOver: boolean };
};

/** Ends a transaction that was only to show whether it works. */
class Rehearsed extends Error {}

export function addSiteRoutes(app: App, context: Context): void {
  const { catalog, feed, heartbeat, courier, log } = context;
  const tools = planToolsOf(context);
  const planOf = (state: SiteState, { body, query }: Asked) =>
    planSite(state, body, tools, { isPruning: query.prune, isTakingOver: query.takeOver });

  app.post(
    '/api/site/plan',
    {
      config: asking('site:apply', 'site'),
      bodyLimit: adminLimits.siteBytesMax,
      schema: {
        summary: 'What applying a site file would change; changes nothing',
        querystring: z.strictObject(options),
        body: siteDocument,
        response: { 200: planShape },
      },
    },
    async (request) => {
      const state = readSiteState(context);
      const plan = planOf(state, request);
      const passwords = new Map(newUsers(plan).map(({ name }) => [name, unhashed]));
      for (const step of newUsers(plan)) requireGoodFirst(step);
      // Done and taken back: what the tables would refuse is refused here.
      rehearse(() =>
        catalog.change(callerOf(request).actor, (change) => {
          carryOut(context, { document: request.body, plan, passwords }, change);
          throw new Rehearsed();
        }),
      );
      return { site: request.body.site, ...shown(state, plan) };
    },
  );

  app.post(
    '/api/site/apply',
    {
      config: asking('site:apply', 'site'),
      bodyLimit: adminLimits.siteBytesMax,
      schema: {
        summary: 'Apply a site file as planned, all of it or nothing',
        querystring: z.strictObject({
          ...options,
          revision: z.string().max(64).describe('of the plan that was shown'),
        }),
        body: siteDocument,
        response: { 200: appliedShape },
      },
    },
    async (request) => {
      const { body: file, query } = request;
      const hashed = await hashedPasswords(context, planOf(readSiteState(context), request));
      const done = catalog.change(callerOf(request).actor, (change) => {
        const state = readSiteState(context);
        if (revisionOf(state) !== query.revision) {
          throw appError('failed_precondition', 'something changed since the plan was made', {
            hint: 'make the plan again and look at it',
          });
        }
        const plan = planOf(state, request);
        const none = { passwords: [], streamKeys: [], webhookSecrets: [] };
        const isNothing = planItems(plan).length === 0;
        const told = isNothing ? none : carryOut(context, { document: file, plan, passwords: hashed }, change);
        return { plan, told, before: state };
      });
      await tellOthers(done.plan);
      log.info('site file applied', { site: file.site, steps: planItems(done.plan).length });
      return {
        site: file.site,
        ...shown(done.before, done.plan),
        revision: revisionOf(readSiteState(context)),
        told: done.told,
      };
    },
  );

  app.get(
    '/api/site/export',
    {
      config: asking('site:export', 'site'),
      schema: {
        summary: 'The site as a file that makes the same site; secrets are sealed by the site key of this machine',
        querystring: z.strictObject({ site: siteName.optional().describe('its name; absent: the one that there is') }),
        response: { 200: z.looseObject({ version: z.literal(1), site: z.string() }) },
      },
    },
    async (request) => {
      const state = readSiteState(context);
      const site = request.query.site ?? onlySiteOf(state);
      return exportSite(state, { site, seal: context.siteSecrets.seal });
    },
  );

  app.post(
    '/api/site/seal',
    {
      config: asking('site:apply', 'site'),
      schema: {
        summary: 'Seal a secret for a site file of this machine',
        body: z.strictObject({ text: z.string().min(1).max(2_048) }),
        response: { 200: z.object({ sealed: z.string() }) },
      },
    },
    async (request) => ({ sealed: context.siteSecrets.seal(request.body.text) }),
  );

  async function tellOthers(plan: SitePlan): Promise<void> {
    if (plan.cameras.length > 0) {
      feed.changed('cameras');
      await context.plan.write();
    }
    if (plan.policies.length > 0) feed.changed('policies');
    if (plan.users.length > 0) feed.changed('users');
    if (plan.webhooks.length > 0) feed.changed('webhooks');
    if (plan.settings.length > 0) feed.changed('alarms');
    if (plan.settings.some(({ name, action }) => name === 'heartbeat' && action !== 'adopt')) heartbeat.restart();
    courier.look();
  }
}

/** Stands for a hash that nobody will see. */
const unhashed: NewPassword = { passwordHash: '-', oneTimePassword: undefined };

function newUsers({ users }: SitePlan) {
  return users.filter(({ action }) => action === 'create');
}

function requireGoodFirst({ password, name }: SitePlan['users'][number]): void {
  if (password !== undefined) requireGoodPassword(password, name);
}

/** Of all new accounts, one after another: hashing is made to be slow. */
async function hashedPasswords({ passwords }: Context, plan: SitePlan): Promise<Map<string, NewPassword>> {
  const hashed = new Map<string, NewPassword>();
  for (const step of newUsers(plan)) {
    requireGoodFirst(step);
    const oneTimePassword = step.password === undefined ? passwords.oneTime() : undefined;
    const passwordHash = await passwords.hash(step.password ?? oneTimePassword ?? '');
    hashed.set(step.name, { passwordHash, oneTimePassword });
  }
  return hashed;
}

function rehearse(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof Rehearsed)) throw error;
  }
}

function shown(state: SiteState, plan: SitePlan) {
  const items = planItems(plan).map(({ action, kind, key, name, changed, isHandMade }: PlanItem) => ({
    ...{ action, kind, key, name, isHandMade },
    changed: [...changed],
  }));
  return { revision: revisionOf(state), hasChanges: hasChanges(plan), items };
}

function onlySiteOf({ marks }: SiteState): string {
  const names = [...new Set(marks.map(({ site }) => site))];
  if (names.length < 2) return names[0] ?? 'site';
  throw appError('invalid_argument', `several site files manage this machine: ${names.join(', ')}`, {
    field: 'site',
    hint: 'say which one to write',
  });
}
