/** Opens what a site file says sealed. A text sealed by `weir seal` opens in every place, one from the catalog only in its own. */

import { AppError, appError, isAppError } from '../../../storage/base/errors.ts';
import type { SecretBox } from '../../secrets/index.ts';
import type { SecretInput } from './document.ts';

/** Opens a value of the file. @throws AppError failed_precondition  this machine cannot open it; `field` says where it stands */
export type Opener = (value: string | SecretInput, field: string) => string;

/** @param boxes  tried in this order */
export function opener(boxes: readonly SecretBox[]): Opener {
  return (value, field) => {
    if (typeof value === 'string') return value;
    if (value.plain !== undefined) return value.plain;
    const { sealed = '' } = value;
    let failure: unknown;
    for (const box of boxes) {
      try {
        return box.unseal(sealed);
      } catch (error) {
        failure = error;
        // Of a key that is not here all boxes say the same.
        if (isAppError(error, 'failed_precondition')) break;
      }
    }
    throw appError('failed_precondition', `${field}: this machine cannot open the sealed text`, {
      ...(failure instanceof AppError ? { cause: failure } : {}),
      field,
      hint: 'it was sealed with the site key of another machine, or cut: seal it here by `weir seal`, or bring that key',
    });
  };
}

/** A secret of the catalog; undefined when it does not open (any more). */
export function openedSecret(box: SecretBox, sealed: string): string | undefined {
  try {
    return box.unseal(sealed);
  } catch {
    return undefined;
  }
}
