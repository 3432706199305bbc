/**
 * The site as a file that makes the same site. Secrets are sealed as they lie in the catalog: the file changes when they do, and
 * opens where the site key is. What is as it would be without being said is left out. Pure but for the sealing of addresses.
 */

import type { Camera, CameraSource, ManagedKind, SealedCredentials } from '../../../storage/catalog/index.ts';
import { isPublisher } from '../../../storage/model/camera.ts';
import type { SecretBox } from '../../secrets/index.ts';
import { mainRecordingInput, subRecordingInput } from '../camera-input.ts';
import { shownUrl } from '../source-url.ts';
import type { SiteDocumentInput } from './document.ts';
import type { SiteState } from './plan.ts';

type CameraOut = NonNullable<SiteDocumentInput['cameras']>[string];
type SourceOut = CameraOut['source'];
type ResourceOut = NonNullable<SiteDocumentInput['policies']>[string]['statements'][number]['resources'][number];

/** @param seal  for addresses with a secret in them */
export function exportSite(
  state: SiteState,
  { site, seal }: { readonly site: string; readonly seal: SecretBox['seal'] },
) {
  const isOthers = (kind: ManagedKind, id: string) =>
    state.marks.some((mark) => mark.kind === kind && mark.itemId === id && mark.site !== site);
  const keyed = <Item extends { readonly name: string }, Out>(
    kind: ManagedKind,
    items: readonly (Item & { readonly id: string })[],
    out: (item: Item) => Out,
  ): Record<string, Out & { name?: string }> => {
    const keys = keysOf(state, kind, site, items);
    const own = items.filter(({ id }) => !isOthers(kind, id));
    return Object.fromEntries(
      own.map((item) => {
        const key = keys.get(item.id) ?? item.name;
        return [key, { ...(key === item.name ? {} : { name: item.name }), ...out(item) }];
      }),
    );
  };
  const cameraKeys = keysOf(state, 'camera', site, state.cameras);
  const namedPolicies = state.policies.map((policy) => ({ ...policy, id: policy.name }));
  const document: SiteDocumentInput = {
    version: 1,
    site,
    cameras: keyed('camera', state.cameras, (camera: Camera) => cameraOut(camera, seal)),
    policies: Object.fromEntries(
      namedPolicies
        .filter(({ id }) => !isOthers('policy', id))
        .map(({ name, description, statements }) => [
          name,
          {
            ...(description === '' ? {} : { description }),
            statements: statements.map(({ effect, actions, resources }) => ({
              effect,
              actions: [...actions],
              resources: resources.map((resource) => resourceOut(resource, state, cameraKeys)),
            })),
          },
        ]),
    ),
    users: keyed('user', state.users, ({ role, policies, isDisabled }) => ({
      role,
      ...(policies.length === 0 ? {} : { policies: [...policies] }),
      ...(isDisabled ? { isDisabled } : {}),
    })),
    webhooks: keyed('webhook', state.webhooks, ({ sealedUrl, sealedSecret, tls, severityMin, codes, isEnabled }) => ({
      url: { sealed: sealedUrl },
      secret: { sealed: sealedSecret },
      ...(tls === 'verify' ? {} : { tls }),
      ...(severityMin === 'warning' ? {} : { severityMin }),
      ...(codes === null ? {} : { codes: [...codes] }),
      ...(isEnabled ? {} : { isEnabled }),
    })),
    settings: settingsOut(state, isOthers),
  };
  return document;
}

/** The file's own keys; for what it does not manage yet the name, or the id where another thing has that key. */
function keysOf(
  state: SiteState,
  kind: ManagedKind,
  site: string,
  items: readonly { readonly id: string; readonly name: string }[],
): Map<string, string> {
  const keys = new Map(
    state.marks.filter((mark) => mark.kind === kind && mark.site === site).map((mark) => [mark.itemId, mark.key]),
  );
  const taken = new Set(keys.values());
  for (const { id, name } of items) if (!keys.has(id)) keys.set(id, taken.has(name) ? id : name);
  return keys;
}

function cameraOut(camera: Camera, seal: SecretBox['seal']): CameraOut {
  const { sources, onvif, credentials, bytesMax, isEnabled } = camera;
  const { sub } = sources;
  const recording = {
    ...recordingOut(sources.main, mainRecordingInput.parse({})),
    ...(bytesMax === undefined ? {} : { bytesMax }),
  };
  return {
    source: sourceOut(sources.main, seal),
    ...credentialsOut(credentials),
    ...(Object.keys(recording).length === 0 ? {} : { recording }),
    ...(sub === undefined ? {} : { sub: subOut(sub, seal) }),
    ...(onvif === undefined
      ? {}
      : {
          onvif: {
            url: urlOut(onvif.url, seal),
            ...(onvif.tls === 'verify' ? {} : { tls: onvif.tls }),
            ...credentialsOut(onvif.credentials),
          },
        }),
    ...(isEnabled ? {} : { isEnabled }),
  };
}

function subOut(sub: CameraSource, seal: SecretBox['seal']): NonNullable<CameraOut['sub']> {
  const recording = recordingOut(sub, subRecordingInput.parse({}));
  return {
    source: sourceOut(sub, seal),
    ...credentialsOut(sub.credentials),
    ...(Object.keys(recording).length === 0 ? {} : { recording }),
  };
}

function sourceOut({ source }: CameraSource, seal: SecretBox['seal']): SourceOut {
  if (source.kind === 'kvs') return { kind: 'kvs' };
  if (isPublisher(source)) return { kind: source.kind, keySha256: source.keySha256 };
  const { url, transport, tls } = source;
  return {
    url: urlOut(url, seal),
    ...(transport === 'tcp' ? {} : { transport }),
    ...(tls === 'verify' ? {} : { tls }),
  };
}

function urlOut(url: string, seal: SecretBox['seal']) {
  return shownUrl(url) === url ? url : { sealed: seal(url) };
}

function credentialsOut(credentials: SealedCredentials | undefined) {
  if (credentials === undefined) return {};
  return { credentials: { username: { sealed: credentials.username }, password: { sealed: credentials.password } } };
}

function recordingOut({ recording }: CameraSource, defaults: object): NonNullable<CameraOut['recording']> {
  const { schedule, eventRetentionHours, ...rest } = recording;
  const all = {
    ...rest,
    schedule: schedule === undefined ? null : { timeZone: schedule.timeZone, spans: [...schedule.spans] },
    eventRetentionHours: eventRetentionHours ?? null,
  };
  const plain = defaults as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(all).filter(([field, value]) => plain[field] !== value));
}

/** Ids of cameras and streams are of one machine: the file names cameras by their keys. */
function resourceOut(resource: string, state: SiteState, keys: ReadonlyMap<string, string>): ResourceOut {
  const [, cameraId, streamId] = /^camera\/([a-z2-7]+)(?:\/stream\/([a-z2-7]+))?$/.exec(resource) ?? [];
  const camera = state.cameras.find(({ id }) => id === cameraId);
  const key = camera === undefined ? undefined : keys.get(camera.id);
  if (camera === undefined || key === undefined) return resource;
  if (streamId === undefined) return { camera: key };
  const stream = camera.streams.find(({ id }) => id === streamId);
  return stream === undefined ? resource : { camera: key, stream: stream.role };
}

function settingsOut(
  { alarms, heartbeat }: SiteState,
  isOthers: (kind: ManagedKind, id: string) => boolean,
): NonNullable<SiteDocumentInput['settings']> {
  return {
    ...(isOthers('setting', 'alarms') ? {} : { alarms }),
    ...(heartbeat === undefined || isOthers('setting', 'heartbeat')
      ? {}
      : {
          heartbeat: {
            url: { sealed: heartbeat.sealedUrl },
            method: heartbeat.method,
            periodS: heartbeat.periodS,
            ...(heartbeat.tls === 'verify' ? {} : { tls: heartbeat.tls }),
          },
        }),
  };
}
