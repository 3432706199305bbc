/** The object store that the configuration names, for everybody who opens it: keeper, serve and the commands that look at files. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { StorePlan } from '../../storage/keeper/index.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Paths } from '../../storage/model/paths.ts';
import {
  DirectoryPictures,
  DirectoryStore,
  type ObjectStore,
  OrderedStores,
  type PictureStore,
  S3Pictures,
  type S3Server,
  S3Store,
} from '../../storage/objects/index.ts';
import type { Config } from '../config/index.ts';

const secretVariable = 'WEIR_OBJECTS_S3_SECRET_KEY';
/** Keys of 40 characters are usual. */
const secretCharactersMax = 1_024;

type Surroundings = {
  readonly paths: Paths;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

type StoreSettings = Pick<Config['objects'], 'kind' | 'directory' | 's3'>;

/**
 * Makes the store, or the stores as one, and reaches nothing yet.
 *
 * @param options.storeOf  of several, the one that has an object, as far as the index knows
 * @throws AppError invalid_argument  the file of an authority cannot be read
 */
export async function objectStoreOf(
  dependencies: { readonly clock: Clock; readonly log: Log },
  options: Surroundings & {
    readonly config: Pick<Config, 'objects'>;
    readonly storeOf?: (key: string) => string | undefined;
    /** Makes stores that never were: the keeper's. */
    readonly mayMake?: boolean;
  },
): Promise<ObjectStore> {
  const { stores } = options.config.objects;
  if (stores.length === 0) return oneStore(dependencies, options.config.objects, options);
  const named = await Promise.all(
    stores.map(async (settings) => ({
      name: settings.name,
      store: await oneStore(dependencies, { directory: undefined, ...settings }, options),
    })),
  );
  const [first, ...others] = named;
  const storeOf = options.storeOf ?? (() => undefined);
  const identities = { path: join(options.paths.state, 'keeper', 'stores.json'), mayMake: options.mayMake ?? false };
  return new OrderedStores(
    { clock: dependencies.clock, storeOf },
    { stores: [must(first, 'there is one'), ...others], identities },
  );
}

/** How segments move on from store to store; empty for a site with one store. */
export function storePlansOf(config: Pick<Config, 'objects'>): StorePlan[] {
  return config.objects.stores.map(({ name, kind, moveOnAfterHours }) => ({
    name,
    moveOnAfterHours,
    timeoutMs: timeoutMsOf(kind),
  }));
}

/** What the keeper waits for one call of the store that gets what is new. */
export function storeTimeoutMsOf(config: Pick<Config, 'objects'>): number {
  return timeoutMsOf(config.objects.stores[0]?.kind ?? config.objects.kind);
}

/** A dead mount hangs for ever and is found out soon; calls of S3 end by themselves, and a segment over a slow line takes minutes. */
function timeoutMsOf(kind: StoreSettings['kind']): number {
  return kind === 's3' ? limits.s3TransferMsMax + limits.s3CallMsMax : limits.storeTimeoutMs;
}

/** Where pictures that tagged fragments become go: to the first S3 server that the configuration names, else into a directory. */
export async function pictureStoreOf(
  dependencies: { readonly clock: Clock },
  options: Pick<Surroundings, 'environment'> & {
    readonly config: Pick<Config, 'objects'>;
    readonly directory: string;
  },
): Promise<PictureStore> {
  const { objects } = options.config;
  const settings = objects.stores.length === 0 ? [objects] : objects.stores;
  const s3 = settings.find(({ kind }) => kind === 's3')?.s3;
  if (s3 === undefined) return new DirectoryPictures({ directory: options.directory });
  return new S3Pictures(dependencies, await s3ServerOf(s3, options.environment));
}

/** Whether a bucket is configured whose secret key is neither in a file nor in this environment. */
export function lacksSecretKey(
  { objects }: Pick<Config, 'objects'>,
  environment: Surroundings['environment'],
): boolean {
  const settings = objects.stores.length === 0 ? [objects] : objects.stores;
  const isNeeded = settings.some(({ kind, s3 }) => kind === 's3' && s3.secretKeyFile === undefined);
  return isNeeded && (environment[secretVariable] ?? '') === '';
}

async function oneStore(
  dependencies: { readonly clock: Clock; readonly log: Log },
  { kind, directory, s3 }: StoreSettings,
  { paths, environment }: Surroundings,
): Promise<ObjectStore> {
  if (kind === 'directory') return new DirectoryStore(dependencies, { directory: directory ?? paths.objects });
  return new S3Store(dependencies, {
    ...(await s3ServerOf(s3, environment)),
    bucket: must(s3.bucket, 'checked with the configuration'),
    prefix: s3.prefix,
  });
}

async function s3ServerOf(
  { endpoint, accessKey, secretKeyFile, authorityFile, region, addressing }: StoreSettings['s3'],
  environment: Surroundings['environment'],
): Promise<S3Server> {
  return {
    endpoint: must(endpoint, 'checked with the configuration'),
    accessKey: must(accessKey, 'checked with the configuration'),
    region,
    addressing,
    readSecretKey: () => readSecretKey(secretKeyFile, environment),
    authorityPem: authorityFile === undefined ? undefined : await readAuthority(authorityFile),
  };
}

async function readSecretKey(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const place = file ?? secretVariable;
  const hint =
    'Name a file with objects.s3.secretKeyFile that Weir may read and that holds nothing but the secret key.';
  const text =
    file === undefined
      ? environment[secretVariable]
      : await readFile(file, 'utf8').catch((cause: unknown) => {
          throw appError('permission_denied', 'the secret key of the object store cannot be read', {
            place,
            hint,
            cause,
          });
        });
  const secret = text?.trim() ?? '';
  if (secret !== '' && secret.length <= secretCharactersMax) return secret;
  throw appError('permission_denied', 'there is no secret key for the object store', { place, hint });
}

async function readAuthority(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw appError('invalid_argument', 'objects.s3.authorityFile cannot be read', { file, cause });
  });
}
