/** The object store that the configuration names, for everybody who opens it: keeper, serve and the commands that look at files. */

import { readFile } from 'node:fs/promises';
import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Paths } from '../../storage/model/paths.ts';
import { DirectoryStore, type ObjectStore, S3Store } from '../../storage/objects/index.ts';
import type { Config } from '../config/index.ts';

const secretVariable = 'WEIR_OBJECTS_S3_SECRET_KEY';
/** Keys of 40 characters are usual. */
const secretCharactersMax = 1_024;

/**
 * Makes the store and reaches nothing yet.
 * @throws AppError invalid_argument  the file of its authority cannot be read
 */
export async function objectStoreOf(
  dependencies: { readonly clock: Clock; readonly log: Log },
  options: {
    readonly config: Pick<Config, 'objects'>;
    readonly paths: Paths;
    readonly environment: Readonly<Record<string, string | undefined>>;
  },
): Promise<ObjectStore> {
  const { config, paths, environment } = options;
  const { kind, s3 } = config.objects;
  if (kind === 'directory') return new DirectoryStore(dependencies, { directory: paths.objects });
  const { endpoint, bucket, accessKey, secretKeyFile, authorityFile, region, prefix, addressing } = s3;
  return new S3Store(dependencies, {
    endpoint: must(endpoint, 'checked with the configuration'),
    bucket: must(bucket, 'checked with the configuration'),
    accessKey: must(accessKey, 'checked with the configuration'),
    region,
    prefix,
    addressing,
    readSecretKey: () => readSecretKey(secretKeyFile, environment),
    authorityPem: authorityFile === undefined ? undefined : await readAuthority(authorityFile),
  });
}

/**
 * What the keeper waits for one call. A dead mount hangs for ever and is found out soon; calls of an S3 store end by themselves,
 * and a segment over a slow line takes minutes.
 */
export function storeTimeoutMsOf(config: Pick<Config, 'objects'>): number {
  return config.objects.kind === 's3' ? limits.s3TransferMsMax + limits.s3CallMsMax : limits.storeTimeoutMs;
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
