/**
 * What has to change so that the catalog is as a site file says. Pure: the state and the file come in, steps go out, and
 * `carry-out.ts` does them. Declared means all of it: what the file does not say of a thing is its default.
 */

import { appError, isAppError } from '../../../storage/base/errors.ts';
import {
  type Camera,
  type CameraSettings,
  changedSettings,
  type ManagedKind,
  type ManagedMark,
  type Policy,
  type User,
  type Webhook,
  type WebhookSettings,
} from '../../../storage/catalog/index.ts';
import type { AlarmSettings } from '../../alarms/index.ts';
import { type HeartbeatSettings, parseTarget } from '../../webhooks/index.ts';
import type { CameraInput } from '../camera-input.ts';
import {
  changedCameraSettings,
  type MadeStreamKeys,
  newCameraSettings,
  type SettingsTools,
} from '../camera-settings.ts';
import { parseDeviceUrl, parseSourceUrl } from '../source-url.ts';
import type {
  SiteCamera,
  SiteCredentials,
  SiteDocument,
  SiteHeartbeat,
  SitePolicy,
  SiteSource,
  SiteUser,
  SiteWebhook,
} from './document.ts';
import { type Declared, fieldOf, type MatchOptions, matched } from './match.ts';
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

export type PlanTools = SettingsTools & {
  readonly openCamera: Opener;
  readonly openWebhook: Opener;
  /** The signing secret or address of a webhook in clear; undefined when it does not open. */
  readonly unsealWebhook: (sealed: string) => string | undefined;
};

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

type StepOf<Kind extends ManagedKind, Payload> = PlanItem & {
  readonly kind: Kind;
  readonly id: string | undefined;
} & Payload;

export type CameraStep = StepOf<'camera', { readonly settings?: CameraSettings; readonly streamKeys?: MadeStreamKeys }>;
export type PolicyStep = StepOf<'policy', { readonly policy?: SitePolicy }>;
export type UserStep = StepOf<
  'user',
  {
    readonly account?: Pick<User, 'name' | 'role' | 'policies' | 'isDisabled'>;
    /** The first one; undefined: to be made. */
    readonly password?: string | undefined;
  }
>;
export type WebhookStep = StepOf<
  'webhook',
  {
    readonly webhook?: Omit<WebhookSettings, 'sealedUrl' | 'origin'> & {
      readonly url: string;
      readonly secret: string | undefined;
    };
  }
>;
export type SettingStep = StepOf<
  'setting',
  {
    readonly alarms?: Partial<AlarmSettings>;
    readonly heartbeat?: Omit<SiteHeartbeat, 'url'> & { readonly url: string };
  }
>;

export type SitePlan = {
  readonly cameras: readonly CameraStep[];
  readonly policies: readonly PolicyStep[];
  readonly users: readonly UserStep[];
  readonly webhooks: readonly WebhookStep[];
  readonly settings: readonly SettingStep[];
};

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

/** All steps in the order in which people read them. */
export function planItems(plan: SitePlan): (CameraStep | PolicyStep | UserStep | WebhookStep | SettingStep)[] {
  return [...plan.cameras, ...plan.policies, ...plan.users, ...plan.webhooks, ...plan.settings];
}

/** True when applying would change something; to take a thing over as it is changes nothing. */
export function hasChanges(plan: SitePlan): boolean {
  return planItems(plan).some(({ action }) => action !== 'adopt');
}

/** Steps of one kind: what is created or changed as `build` says, and what is removed. */
function stepsOf<Wanted, Item extends { readonly id: string; readonly name: string }, Step>(
  sides: {
    readonly declared: readonly Declared<Wanted>[];
    readonly items: readonly Item[];
    readonly options: MatchOptions;
  },
  build: (
    declared: Declared<Wanted>,
    item: Item | undefined,
  ) => { readonly changed: readonly string[]; readonly payload: Omit<Step, keyof StepOf<ManagedKind, object>> },
): Step[] {
  const { kind, marks, site } = sides.options;
  const keyOf = (itemId: string) =>
    marks.find((mark) => mark.kind === kind && mark.itemId === itemId && mark.site === site)?.key;
  const isMarked = (itemId: string) => marks.some((mark) => mark.kind === kind && mark.itemId === itemId);
  const { matches, left } = matched(sides.declared, sides.items, sides.options);
  const put = matches.flatMap(({ declared, item, isAdopted }): Step[] => {
    const { changed, payload } = within(kind, declared.key, () => build(declared, item));
    if (item !== undefined && changed.length === 0 && !isAdopted) return [];
    const action = item === undefined ? 'create' : changed.length === 0 ? 'adopt' : 'change';
    const { key, name } = declared;
    const isHandMade = item !== undefined && !isMarked(item.id);
    return [{ action, kind, key, name, changed, isHandMade, id: item?.id, ...payload } as Step];
  });
  const removed = left.map(({ item, isHandMade }) => {
    const { id, name } = item;
    return { action: 'remove', kind, key: keyOf(id) ?? name, name, changed: [], isHandMade, id } as Step;
  });
  return [...put, ...removed];
}

function cameraSteps(state: SiteState, document: SiteDocument, tools: PlanTools, options: MatchOptions): CameraStep[] {
  const declared = declaredOf(document.cameras);
  const steps = stepsOf<SiteCamera, Camera, CameraStep>({ declared, items: state.cameras, options }, (each, before) => {
    const input = cameraInputOf(each, tools.openCamera);
    const made = before === undefined ? newCameraSettings(input, tools) : changedCameraSettings(before, input, tools);
    const { settings, streamKeys } = withKnownKeys(each.wanted, made);
    const changed = before === undefined ? [] : shownFields(changedSettings(before, settings));
    return { changed, payload: { settings, streamKeys } };
  });
  refuseSharedKeys(steps, state);
  return steps;
}

/** What `POST /api/cameras` would be sent. */
function cameraInputOf({ key, name, wanted }: Declared<SiteCamera>, open: Opener): CameraInput {
  const at = (field: string) => `${fieldOf('camera', key)}.${field}`;
  const { recording, isEnabled, onvif, sub } = wanted;
  const main = sourceOf(wanted, { open, at: (field) => at(field) });
  const device = onvif === null ? undefined : parseDeviceUrl(open(onvif.url, at('onvif.url')));
  return {
    name,
    ...main,
    recording,
    isEnabled,
    sub:
      sub === null ? null : { ...sourceOf(sub, { open, at: (field) => at(`sub.${field}`) }), recording: sub.recording },
    onvif:
      onvif === null || device === undefined
        ? null
        : {
            url: device.url,
            tls: onvif.tls,
            credentials: credentialsOf(onvif.credentials, open, at('onvif')) ?? device.credentials ?? null,
          },
  };
}

function sourceOf(
  wanted: { readonly source: SiteSource; readonly credentials: SiteCredentials | null },
  { open, at }: { readonly open: Opener; readonly at: (field: string) => string },
): Pick<CameraInput, 'source' | 'credentials'> {
  const { kind, url, transport = 'tcp', tls = 'verify' } = wanted.source;
  const own = credentialsOf(wanted.credentials, open, at('credentials').replace(/\.credentials$/, ''));
  if (kind === 'rtmp' || url === undefined) return { source: { kind: 'rtmp' }, credentials: own };
  const parsed = parseSourceUrl(open(url, at('source.url')));
  return { source: { kind: 'rtsp', url: parsed.url, transport, tls }, credentials: own ?? parsed.credentials ?? null };
}

function credentialsOf(credentials: SiteCredentials | null, open: Opener, at: string) {
  if (credentials === null) return null;
  const field = `${at}.credentials`;
  return {
    username: open(credentials.username, `${field}.username`),
    password: open(credentials.password, `${field}.password`),
  };
}

/** Keys that the file names by their hash take the place of those just made. */
function withKnownKeys(wanted: SiteCamera, made: ReturnType<typeof newCameraSettings>): typeof made {
  let { settings, streamKeys } = made;
  for (const role of ['main', 'sub'] as const) {
    const keySha256 = (role === 'main' ? wanted.source : wanted.sub?.source)?.keySha256;
    const own = settings.sources[role];
    if (keySha256 === undefined || own === undefined) continue;
    const source = { kind: 'rtmp', keySha256 } as const;
    settings = { ...settings, sources: { ...settings.sources, [role]: { ...own, source } } };
    const { [role]: _, ...others } = streamKeys;
    streamKeys = others;
  }
  return { settings, streamKeys };
}

/** A key opens one source. */
function refuseSharedKeys(steps: readonly CameraStep[], state: SiteState): void {
  const changed = new Set(steps.map(({ id }) => id));
  const users = new Map<string, string>();
  const note = (settings: CameraSettings, field: string) => {
    for (const role of ['main', 'sub'] as const) {
      const source = settings.sources[role]?.source;
      if (source?.kind !== 'rtmp') continue;
      const other = users.get(source.keySha256);
      if (other !== undefined) {
        throw appError('invalid_argument', `${field}: its stream key is also that of ${other}`, { field });
      }
      users.set(source.keySha256, field);
    }
  };
  for (const camera of state.cameras) if (!changed.has(camera.id)) note(camera, camera.name);
  for (const { settings, key } of steps) if (settings !== undefined) note(settings, fieldOf('camera', key));
}

/** Columns in the words of the file. User and password are sealed together: which of them changed is not said. */
function shownFields(columns: readonly string[]): string[] {
  const shown = columns.map((column) =>
    column
      .replace(/sealed(Username|Password)$/i, 'credentials')
      .replace(/^onvif(\w)/, (_, letter: string) => `onvif.${letter.toLowerCase()}`),
  );
  return [...new Set(shown)];
}

function policySteps(state: SiteState, document: SiteDocument, options: MatchOptions): PolicyStep[] {
  const items = state.policies.map((policy) => ({ ...policy, id: policy.name }));
  const builtIn = Object.keys(document.policies).find((name) => state.builtInPolicies.includes(name));
  if (builtIn !== undefined) {
    throw appError('invalid_argument', `policies.${builtIn}: comes with the release and cannot be changed`, {
      field: `policies.${builtIn}`,
      hint: 'make a policy of your own under another name',
    });
  }
  const named = namedCameras(state, document);
  const declared = declaredOf(document.policies);
  return stepsOf<SitePolicy, (typeof items)[number], PolicyStep>({ declared, items, options }, ({ wanted }, before) => {
    const { description, statements } = wanted;
    const resolved = statements.map((statement) => ({
      ...statement,
      resources: statement.resources.map((resource) => resourceText(resource, named)),
    }));
    return {
      changed: before === undefined ? [] : changedKeys(before, { description, statements: resolved }),
      payload: { policy: wanted },
    };
  });
}

/** The id and streams of a camera, by its key in the file; undefined streams: it is not there yet. */
export type NamedCameras = ReadonlyMap<string, Pick<Camera, 'id' | 'streams'> | undefined>;

function namedCameras(state: SiteState, { cameras, site }: SiteDocument): NamedCameras {
  const ids = new Map(
    state.marks.filter((mark) => mark.kind === 'camera' && mark.site === site).map((mark) => [mark.key, mark.itemId]),
  );
  return new Map(
    declaredOf(cameras).map(({ key, name }) => [
      key,
      state.cameras.find(({ id }) => id === ids.get(key)) ??
        state.cameras.find((camera) => camera.name.toLowerCase() === name.toLowerCase()),
    ]),
  );
}

/** @throws AppError invalid_argument  no camera of the file has the key, or it has no such source */
export function resourceText(
  resource: SitePolicy['statements'][number]['resources'][number],
  cameras: NamedCameras,
): string {
  if (typeof resource === 'string') return resource;
  const { camera: key, stream: role } = resource;
  if (!cameras.has(key)) {
    throw appError('invalid_argument', `no camera of this file has the key "${key}"`, {
      hint: 'a policy names cameras of its own file by their keys',
    });
  }
  const camera = cameras.get(key);
  // Not there yet: a text that no stored policy has.
  if (camera === undefined) return `camera/{${key}}/${role ?? ''}`;
  if (role === undefined) return `camera/${camera.id}`;
  const stream = camera.streams.find((each) => each.role === role);
  return `camera/${camera.id}/stream/${stream?.id ?? `{${role}}`}`;
}

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

function declaredOf<Wanted extends object>(items: Readonly<Record<string, Wanted>>): Declared<Wanted>[] {
  return Object.entries(items).map(([key, wanted]) => {
    const name = 'name' in wanted && typeof wanted.name === 'string' ? wanted.name : key;
    return { key, name, wanted };
  });
}

/** Names of the fields that are not as wanted. */
function changedKeys(before: object, wanted: object): string[] {
  const old = before as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).flatMap(([field, value]) =>
    JSON.stringify(old[field]) === JSON.stringify(value) ? [] : [field],
  );
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

/** What is wrong with a thing says which one. */
function within<T>(kind: ManagedKind, key: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!isAppError(error)) throw error;
    const place = fieldOf(kind, key);
    const { field } = error.context;
    const isPlaced = typeof field === 'string' && field.startsWith(`${place}.`);
    throw appError(error.code, isPlaced ? error.message : `${place}: ${error.message}`, {
      ...error.context,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
      field: isPlaced ? field : typeof field === 'string' ? `${place}.${field}` : place,
    });
  }
}
