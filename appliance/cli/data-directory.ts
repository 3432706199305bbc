/** The data directory, made when it is not there, and looked at before anything is started in it. */

import { access, constants, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { appError, type ErrorCode, errnoOf } from '../../storage/base/errors.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  ENOSPC: 'resource_exhausted',
};
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left',
  ENOTDIR: 'a part of the path is no directory',
  ENOENT: 'the path leads nowhere',
};

/** @throws AppError permission_denied, resource_exhausted, failed_precondition  it cannot be made or written to: the message says why */
export async function makeDataDirectory(path: string): Promise<void> {
  try {
    await makeDirectories(path);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    const reason = reasons[errno] ?? (error instanceof Error ? error.message : errno);
    throw appError(codes[errno] ?? 'failed_precondition', `cannot write to the data directory ${path}: ${reason}`, {
      cause: error,
      hint: 'give the user that runs Weir the right to it, or name another by --data-directory',
    });
  }
}

/** One by one: of a read-only file system Node's recursive mkdir says ENOENT, and under /proc it never ends. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectories(dirname(path));
    await mkdir(path);
  }
}
