/**
 * What people sent about a camera becomes its settings: credentials apart from the address, and sealed; stream keys made. A new
 * camera is a change of nothing.
 */

import { appError } from '../../storage/base/errors.ts';
import type {
  CameraSettings,
  CameraSource,
  CatalogDevice,
  CatalogRecording,
  CatalogSource,
  SealedCredentials,
} from '../../storage/catalog/index.ts';
import { isPublisher, type SourceRole } from '../../storage/model/camera.ts';
import type { SecretBox } from '../secrets/index.ts';
import {
  type CameraInput,
  type CameraPatch,
  type CredentialsInput,
  mainRecordingInput,
  type OnvifPatch,
  type RecordingPatch,
  type SourcePatch,
  subRecordingInput,
} from './camera-input.ts';
import {
  type Address,
  deviceOf,
  isLessSecret,
  type PlainCredentials,
  parseDeviceUrl,
  parseSourceUrl,
  requireSameDevice,
  requireSameHost,
  shownUrl,
} from './source-url.ts';
import type { NewStreamKey } from './stream-keys.ts';

/** What settings are made with. */
export type SettingsTools = { readonly secrets: SecretBox; readonly newStreamKey: () => NewStreamKey };

/** Keys that were made: told once. */
export type MadeStreamKeys = { readonly [Role in SourceRole]?: string };

export type ChangedSettings = { readonly settings: CameraSettings; readonly streamKeys: MadeStreamKeys };

/** @throws AppError invalid_argument  an address is none, or stored credentials would go elsewhere */
export function newCameraSettings(input: CameraInput, tools: SettingsTools): ChangedSettings {
  return new Change(undefined, input, tools).result(input.name);
}

/**
 * A camera's settings after a change.
 * @throws AppError invalid_argument  an address is none, or leads to another device than the stored credentials are for
 */
export function changedCameraSettings(
  before: CameraSettings,
  patch: CameraPatch,
  tools: SettingsTools,
): ChangedSettings {
  return new Change(before, patch, tools).result(patch.name ?? before.name);
}

/** A camera's credentials in clear, for a connection of our own; undefined when they do not open (any more). */
export function openedCredentials(credentials: SealedCredentials, secrets: SecretBox): PlainCredentials | undefined {
  try {
    return { username: secrets.unseal(credentials.username), password: secrets.unseal(credentials.password) };
  } catch {
    return undefined;
  }
}

/** One change on its way; collects the keys that it makes. */
class Change {
  readonly #before: CameraSettings | undefined;
  readonly #patch: CameraPatch;
  readonly #tools: SettingsTools;
  #streamKeys: MadeStreamKeys = {};

  constructor(before: CameraSettings | undefined, patch: CameraPatch, tools: SettingsTools) {
    this.#before = before;
    this.#patch = patch;
    this.#tools = tools;
  }

  result(name: string): ChangedSettings {
    const before = this.#before;
    const { bytesMax, ...recording } = this.#patch.recording ?? {};
    const { source, inUrl } = this.#source('main', before?.sources.main.source, this.#patch.source ?? {});
    const credentials = this.#mainCredentials(source, inUrl);
    const main = {
      source,
      credentials: undefined,
      recording: changedRecording(
        before?.sources.main.recording ?? recordingOf(mainRecordingInput.parse({})),
        recording,
      ),
    };
    const home = { address: addressOf(source), credentials };
    const settings = {
      name,
      credentials,
      sources: { main, sub: this.#sub(home) },
      onvif: this.#onvif(home),
      bytesMax: bytesMax === undefined ? before?.bytesMax : (bytesMax ?? undefined),
      isEnabled: this.#patch.isEnabled ?? before?.isEnabled ?? true,
    };
    return { settings, streamKeys: this.#streamKeys };
  }

  #sub(home: Home): CameraSource | undefined {
    const before = this.#before?.sources.sub;
    const patch = this.#patch.sub;
    if (patch === null || (patch === undefined && before === undefined)) return undefined;
    const { source, inUrl } = this.#source('sub', before?.source, patch?.source ?? {});
    const address = addressOf(source);
    const own =
      address === undefined
        ? undefined
        : this.#ownCredentials(address, { before, given: patch?.credentials, inUrl, home });
    if (own === undefined && home.credentials !== undefined && address !== undefined) {
      requireSameDevice(address, home.address, { field: 'sub.credentials', whose: "the camera's" });
    }
    const recording = changedRecording(
      before?.recording ?? recordingOf(subRecordingInput.parse({})),
      patch?.recording ?? {},
    );
    return { source, credentials: own, recording };
  }

  #onvif(home: Home): CatalogDevice | undefined {
    const before = this.#before?.onvif;
    const patch = this.#patch.onvif;
    if (patch === null || (patch === undefined && before === undefined)) return undefined;
    const { url, credentials: inUrl } = changedDeviceUrl(patch ?? {}, before);
    const tls = patch?.tls ?? before?.tls ?? 'verify';
    const field = 'onvif.credentials';
    const plain = patch?.credentials === null ? undefined : (patch?.credentials ?? inUrl);
    if (plain !== undefined) return { url, tls, credentials: this.#sealed(plain, before?.credentials) };
    const own = patch?.credentials === null ? undefined : before?.credentials;
    if (own !== undefined && before !== undefined) {
      requireSameDevice({ url, tls }, before, { field, whose: 'the stored' });
    }
    // The services of one camera have ports of their own, so the host alone is compared.
    if (own === undefined && home.credentials !== undefined) {
      requireSameHost(url, home.address, { field, whose: "the camera's" });
    }
    return { url, tls, credentials: own };
  }

  #source(
    role: SourceRole,
    before: CatalogSource | undefined,
    patch: SourcePatch,
  ): { readonly source: CatalogSource; readonly inUrl: PlainCredentials | undefined } {
    const field = role === 'main' ? 'source' : 'sub.source';
    const kind = patch.kind ?? before?.kind;
    if (kind === undefined) throw appError('invalid_argument', 'a source has a kind', { field: `${field}.kind` });
    if (kind !== 'rtsp') {
      const foreign = (['url', 'transport', 'tls'] as const).find((each) => patch[each] !== undefined);
      if (foreign !== undefined) {
        const whose = kind === 'kvs' ? 'a KVS producer' : 'a publisher';
        throw appError('invalid_argument', `${whose} has no ${foreign}`, { field: `${field}.${foreign}` });
      }
      if (kind === 'kvs') return { source: { kind }, inUrl: undefined };
      const isSameKind = before !== undefined && isPublisher(before) && before.kind === kind;
      const source = isSameKind ? before : { kind, keySha256: this.#newKey(role) };
      return { source, inUrl: undefined };
    }
    const old = before?.kind === 'rtsp' ? before : undefined;
    const url = patch.url ?? old?.url;
    if (url === undefined) throw appError('invalid_argument', 'the address is missing', { field: `${field}.url` });
    const parsed =
      patch.url === undefined || old === undefined
        ? parseSourceUrl(url, `${field}.url`)
        : parseChangedUrl(url, old, `${field}.url`);
    const { transport = old?.transport ?? 'tcp', tls = old?.tls ?? 'verify' } = patch;
    return { source: { kind, url: parsed.url, transport, tls }, inUrl: parsed.credentials };
  }

  #newKey(role: SourceRole): string {
    const { streamKey, keySha256 } = this.#tools.newStreamKey();
    this.#streamKeys = { ...this.#streamKeys, [role]: streamKey };
    return keySha256;
  }

  #mainCredentials(source: CatalogSource, inUrl: PlainCredentials | undefined): SealedCredentials | undefined {
    const given = this.#patch.credentials;
    if (source.kind !== 'rtsp') {
      if (given === undefined || given === null) return undefined;
      const has = isPublisher(source) ? 'a publisher has a stream key' : 'a KVS producer has an access key';
      throw appError('invalid_argument', `${has} and no user and password`, {
        field: 'credentials',
        hint: 'its ONVIF service, or a sub source that is pulled, has credentials of its own',
      });
    }
    if (given === null) return undefined;
    const plain = given ?? inUrl;
    const before = this.#before?.credentials;
    if (plain !== undefined) return this.#sealed(plain, before);
    const oldAddress = this.#before === undefined ? undefined : addressOf(this.#before.sources.main.source);
    if (before !== undefined) requireSameDevice(source, oldAddress, { field: 'credentials', whose: 'the stored' });
    return before;
  }

  /** Credentials of a sub source; undefined for the camera's, also when somebody entered the same ones again. */
  #ownCredentials(
    address: Address,
    change: {
      readonly before: CameraSource | undefined;
      readonly given: CredentialsInput | null | undefined;
      readonly inUrl: PlainCredentials | undefined;
      readonly home: Home;
    },
  ): SealedCredentials | undefined {
    const { before, given, inUrl, home } = change;
    if (given === null) return undefined;
    const plain = given ?? inUrl;
    if (plain !== undefined) {
      const isCameras =
        home.credentials !== undefined &&
        home.address !== undefined &&
        deviceOf(home.address.url) === deviceOf(address.url) &&
        !isLessSecret(address, home.address) &&
        isSame(openedCredentials(home.credentials, this.#tools.secrets), plain);
      return isCameras ? undefined : this.#sealed(plain, before?.credentials);
    }
    if (before?.credentials === undefined) return undefined;
    requireSameDevice(address, addressOf(before.source), { field: 'sub.credentials', whose: 'the stored' });
    return before.credentials;
  }

  /** Sealed; as they were when they are the same, so that nothing changed. */
  #sealed(plain: PlainCredentials, before: SealedCredentials | undefined): SealedCredentials {
    const { secrets } = this.#tools;
    if (before !== undefined && isSame(openedCredentials(before, secrets), plain)) return before;
    return { username: secrets.seal(plain.username), password: secrets.seal(plain.password) };
  }
}

/** Where a camera's credentials are at home: the address of its main source, if that is pulled. */
type Home = { readonly address: Address | undefined; readonly credentials: SealedCredentials | undefined };

/** Where a source is reached; undefined for what comes to us. */
export function addressOf(source: CatalogSource): Address | undefined {
  return source.kind === 'rtsp' ? source : undefined;
}

/**
 * An address that somebody sent for a source which has one: as it was shown, hidden parts and all, it is the one it has.
 * @throws AppError invalid_argument  the address is none
 */
export function parseChangedUrl(
  url: string,
  before: Pick<Address, 'url'> | undefined,
  field?: string,
): ReturnType<typeof parseSourceUrl> {
  return before !== undefined && url === shownUrl(before.url) ? { url: before.url } : parseSourceUrl(url, field);
}

function changedDeviceUrl(patch: OnvifPatch, before: CatalogDevice | undefined): ReturnType<typeof parseDeviceUrl> {
  const url = patch.url ?? before?.url;
  if (url === undefined) throw appError('invalid_argument', 'the address is missing', { field: 'onvif.url' });
  return before !== undefined && url === shownUrl(before.url) ? { url: before.url } : parseDeviceUrl(url);
}

function isSame(a: PlainCredentials | undefined, b: PlainCredentials): boolean {
  return a?.username === b.username && a.password === b.password;
}

type RecordingInput = Required<{ [Field in keyof RecordingPatch]: Exclude<RecordingPatch[Field], undefined> }>;

function recordingOf(input: Omit<RecordingInput, 'bytesMax'>): CatalogRecording {
  const { mode, schedule, retentionHours, eventRetentionHours, preRollMinutes } = input;
  return {
    ...{ mode, retentionHours, preRollMinutes },
    schedule: schedule ?? undefined,
    eventRetentionHours: eventRetentionHours ?? undefined,
  };
}

function changedRecording(before: CatalogRecording, patch: Omit<RecordingPatch, 'bytesMax'>): CatalogRecording {
  return {
    mode: patch.mode ?? before.mode,
    schedule: patch.schedule === undefined ? before.schedule : (patch.schedule ?? undefined),
    retentionHours: patch.retentionHours ?? before.retentionHours,
    eventRetentionHours:
      patch.eventRetentionHours === undefined ? before.eventRetentionHours : (patch.eventRetentionHours ?? undefined),
    preRollMinutes: patch.preRollMinutes ?? before.preRollMinutes,
  };
}
