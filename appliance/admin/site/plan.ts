/** What planning starts from and what comes out of it: the state of a site, and the steps that make it what a file says. */

import type {
  Camera,
  CameraSettings,
  ManagedKind,
  ManagedMark,
  Policy,
  User,
  Webhook,
  WebhookSettings,
} from '../../../storage/catalog/index.ts';
import type { AlarmSettings } from '../../alarms/index.ts';
import type { HeartbeatSettings } from '../../webhooks/index.ts';
import type { MadeStreamKeys, SettingsTools } from '../camera-settings.ts';
import type { SiteHeartbeat, SitePolicy } from './document.ts';
import type { Opener } from './secrets.ts';

/** What a site file can change, as it is. */
export type SiteState = {
  readonly cameras: readonly Camera[];
  /** Without those of the release. */
  readonly policies: readonly Policy[];
  readonly builtInPolicies: readonly string[];
  readonly users: readonly User[];
  readonly webhooks: readonly Webhook[];
  readonly alarms: AlarmSettings;
  readonly heartbeat: HeartbeatSettings | undefined;
  readonly marks: readonly ManagedMark[];
};

/** What settings are made and secrets opened with. */
export type PlanTools = SettingsTools & {
  readonly openCamera: Opener;
  readonly openWebhook: Opener;
  /** The signing secret or address of a webhook in clear; undefined when it does not open. */
  readonly unsealWebhook: (sealed: string) => string | undefined;
};

/** What a person allows beyond what the file managed before. */
export type PlanOptions = { readonly isPruning: boolean; readonly isTakingOver: boolean };

/** What people are told of a step. */
export type PlanItem = {
  /** `adopt`: it is as the file says already, and is managed by it from now on. */
  readonly action: 'create' | 'change' | 'remove' | 'adopt';
  readonly kind: ManagedKind;
  readonly key: string;
  readonly name: string;
  /** Names of what changes. */
  readonly changed: readonly string[];
  /** It was made by hand until now. */
  readonly isHandMade: boolean;
};

/** A step of one kind with what it needs; `id` is that of the thing in the catalog, if it is there. */
export type StepOf<Kind extends ManagedKind, Payload> = PlanItem & {
  readonly kind: Kind;
  readonly id: string | undefined;
} & Payload;

/** Without settings: it goes. */
export type CameraStep = StepOf<'camera', { readonly settings?: CameraSettings; readonly streamKeys?: MadeStreamKeys }>;
/** Without a policy: it goes. */
export type PolicyStep = StepOf<'policy', { readonly policy?: SitePolicy }>;
/** Without an account: it goes. */
export type UserStep = StepOf<
  'user',
  {
    readonly account?: Pick<User, 'name' | 'role' | 'policies' | 'isDisabled'>;
    /** The first one; undefined: to be made. */
    readonly password?: string | undefined;
  }
>;
/** Without a webhook: it goes. */
export type WebhookStep = StepOf<
  'webhook',
  {
    readonly webhook?: Omit<WebhookSettings, 'sealedUrl' | 'origin'> & {
      readonly url: string;
      readonly secret: string | undefined;
    };
  }
>;
/** Without a value: it is as it is by default again. */
export type SettingStep = StepOf<
  'setting',
  {
    readonly alarms?: Partial<AlarmSettings>;
    readonly heartbeat?: Omit<SiteHeartbeat, 'url'> & { readonly url: string };
  }
>;

/** Steps in the order of the file. */
export type SitePlan = {
  readonly cameras: readonly CameraStep[];
  readonly policies: readonly PolicyStep[];
  readonly users: readonly UserStep[];
  readonly webhooks: readonly WebhookStep[];
  readonly settings: readonly SettingStep[];
};

/** All steps in the order in which people read them. */
export function planItems(plan: SitePlan): (CameraStep | PolicyStep | UserStep | WebhookStep | SettingStep)[] {
  return [...plan.cameras, ...plan.policies, ...plan.users, ...plan.webhooks, ...plan.settings];
}

/** True when applying would change something; to take a thing over as it is changes nothing. */
export function hasChanges(plan: SitePlan): boolean {
  return planItems(plan).some(({ action }) => action !== 'adopt');
}
