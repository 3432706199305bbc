/** Members of requests that say something of streams: bounds and forms as the service's model has them. */

import type { CatalogRecording, StorageTier, StreamTags } from '../../../storage/catalog/index.ts';
import { isRing } from '../../../storage/model/camera.ts';
import type { KvsSite } from '../arns.ts';
import type { KvsCall, KvsInput } from '../call.ts';
import { awsError } from '../errors.ts';
import { choiceMember, required, structureMember, textMember } from '../members.ts';
import type { KvsStream } from '../streams.ts';

/** Ten years. */
export const retentionHoursMax = 87_600;
export const tagsMax = 50;

const devicePattern = /^[a-zA-Z0-9_.-]{1,128}$/;
const mediaTypePattern = /^(?=.{1,128}$)[\w.+-]+\/[\w.+-]+(,[\w.+-]+\/[\w.+-]+)*$/;
const tagPattern = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const versionPattern = /^[a-zA-Z0-9]{1,64}$/;

const tiers = ['HOT', 'WARM'] as const satisfies readonly StorageTier[];

/** DeviceName and MediaType, where they are given. */
export function factsOf(input: KvsInput): { readonly deviceName?: string; readonly mediaType?: string } {
  const deviceName = textMember(input, 'DeviceName', devicePattern);
  const mediaType = textMember(input, 'MediaType', mediaTypePattern);
  return { ...(deviceName === undefined ? {} : { deviceName }), ...(mediaType === undefined ? {} : { mediaType }) };
}

/** Nothing is encrypted by keys of KMS here: only the service's own key may be named, under which AWS tells every stream. */
export function requireOwnKey(input: KvsInput, { accountId }: KvsSite): void {
  const keyId = textMember(input, 'KmsKeyId', /^[^\p{C}]{1,2048}$/u);
  const alias = 'alias/aws/kinesisvideo';
  if (keyId === undefined || keyId === alias) return;
  const arn = /^arn:[a-z-]{1,32}:kms:[a-z0-9-]{1,64}:(\d{12}):(.*)$/.exec(keyId);
  if (arn?.[1] === accountId && arn[2] === alias) return;
  throw awsError('InvalidArgumentException', `KmsKeyId must be absent or ${alias}: there are no other keys here`);
}

/**
 * The tier of `StreamStorageConfiguration`; undefined without one.
 * @throws AppError InvalidArgumentException  also where this appliance has no store for the tier
 */
export function tierOf({ input, storageTiers }: Pick<KvsCall, 'input' | 'storageTiers'>): StorageTier | undefined {
  const configuration = structureMember(input, 'StreamStorageConfiguration');
  if (configuration === undefined) return undefined;
  const tier = required(choiceMember(configuration, 'DefaultStorageTier', tiers), 'DefaultStorageTier');
  if (storageTiers.includes(tier)) return tier;
  throw awsError(
    'InvalidArgumentException',
    `DefaultStorageTier ${tier} is not available: it needs a second object store (setting objects.stores)`,
  );
}

/** CurrentVersion, compared where it is given. @throws AppError VersionMismatchException */
export function requireVersion(input: KvsInput, stream: KvsStream): void {
  const version = textMember(input, 'CurrentVersion', versionPattern);
  if (version === undefined || version === stream.version) return;
  throw awsError('VersionMismatchException', 'The stream version that you specified is not the latest version.');
}

/** Where CurrentVersion must be given. @throws AppError InvalidArgumentException, VersionMismatchException */
export function requireGivenVersion(input: KvsInput, stream: KvsStream): void {
  required(textMember(input, 'CurrentVersion', versionPattern), 'CurrentVersion');
  requireVersion(input, stream);
}

/** Tags as a map, or absent. @throws AppError InvalidArgumentException */
export function tagMapMember(input: KvsInput, member: string): StreamTags | undefined {
  const map = structureMember(input, member);
  return map === undefined ? undefined : tagsOfEntries(Object.entries(map));
}

/** Tags as a list of pairs, or absent. @throws AppError InvalidArgumentException */
export function tagListMember(input: KvsInput, member: string): StreamTags | undefined {
  const list = listMember(input, member);
  return list === undefined ? undefined : tagsOfEntries(list.map(tagPair));
}

/** 1 to 50 keys of tags. @throws AppError InvalidArgumentException */
export function tagKeysMember(input: KvsInput, member: string): readonly string[] {
  const keys = required(listMember(input, member), member);
  if (keys.length === 0 || keys.length > tagsMax) {
    throw awsError('InvalidArgumentException', `${member} must have 1 to ${tagsMax} keys`);
  }
  return keys.map((key) => requireTagKey(key));
}

/** @throws AppError TagsPerResourceExceededLimitException */
export function requireFewTags(tags: StreamTags): StreamTags {
  if (Object.keys(tags).length <= tagsMax) return tags;
  throw awsError('TagsPerResourceExceededLimitException', `A resource has ${tagsMax} tags at most.`);
}

/** How a stream is kept for so many hours. At 0 it is a ring for live players; the age of what was kept before stays as it was. */
export function keptFor(hours: number, before: CatalogRecording = plainRecording): CatalogRecording {
  if (hours === 0) return { ...before, mode: 'live', schedule: undefined };
  // A ring becomes everything; whatever was decided about modes and hours of the week stays otherwise.
  if (isRing(before)) return { ...before, mode: 'continuous', schedule: undefined, retentionHours: hours };
  return { ...before, retentionHours: hours };
}

/** As cameras are kept when nobody said anything. */
const plainRecording: CatalogRecording = {
  mode: 'live',
  schedule: undefined,
  retentionHours: 168,
  eventRetentionHours: undefined,
  preRollMinutes: 10,
};

function listMember(input: KvsInput, member: string): readonly unknown[] | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw awsError('InvalidArgumentException', `${member} must be a list`);
  return value;
}

function tagPair(value: unknown): readonly [unknown, unknown] {
  if (typeof value !== 'object' || value === null || !('Key' in value) || !('Value' in value)) {
    throw awsError('InvalidArgumentException', 'A tag has a Key and a Value');
  }
  return [value.Key, value.Value];
}

/** Keys may be of any name, also of members that every object has. */
function tagsOfEntries(entries: readonly (readonly [unknown, unknown])[]): StreamTags {
  if (entries.length > tagsMax) {
    throw awsError('TagsPerResourceExceededLimitException', `A resource has ${tagsMax} tags at most.`);
  }
  return Object.fromEntries(entries.map(([key, value]) => [requireTagKey(key), requireTagValue(value)]));
}

function requireTagKey(key: unknown): string {
  if (!isTagText(key, 128) || key === '' || /^aws:/i.test(key)) {
    throw awsError(
      'InvalidArgumentException',
      'A tag key has 1 to 128 letters, digits, blanks or _.:/=+-@ and does not begin with aws:',
    );
  }
  return key;
}

function requireTagValue(value: unknown): string {
  if (isTagText(value, 256)) return value;
  throw awsError('InvalidArgumentException', 'A tag value has up to 256 letters, digits, blanks or _.:/=+-@');
}

function isTagText(text: unknown, charactersMax: number): text is string {
  // Two units of UTF-16 at most make a character.
  return (
    typeof text === 'string' &&
    text.length <= 2 * charactersMax &&
    [...text].length <= charactersMax &&
    tagPattern.test(text)
  );
}
