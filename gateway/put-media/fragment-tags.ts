/**
 * Tags on their way to their fragment. They stand before the cluster that they describe; those that come with an end-of-fragment tag
 * belong to the cluster before it. Pure.
 */

import type { MatroskaTag } from '../../storage/media/index.ts';
import type { FragmentTags } from '../../storage/model/fragment.ts';
import { limits } from '../../storage/model/limits.ts';
import { putMediaLimits } from './limits.ts';
import { mediaError } from './media-errors.ts';

/** A producer says that its fragment is whole. */
export const endOfFragmentTag = 'AWS_KINESISVIDEO_END_OF_FRAGMENT';

/** Names that begin with AWS and may be used: they ask for something, and do not count as metadata. */
const reservedNames: ReadonlySet<string> = new Set([
  'AWS_KINESISVIDEO_IMAGE_GENERATION',
  'AWS_KINESISVIDEO_IMAGE_PREFIX',
  'AWS_KINESISVIDEO_NOTIFICATION',
]);

export class WaitingTags {
  #tags: { readonly name: string; readonly value: string }[] = [];

  /** @throws AppError too-many-tags  more than any fragment may have */
  add(tags: readonly MatroskaTag[]): void {
    for (const { name, value } of tags) {
      // Binary values are none of KVS.
      if (typeof value === 'string' && name !== endOfFragmentTag) this.#tags.push({ name, value });
    }
    if (this.#tags.length > putMediaLimits.tagsWaitingMax) throw tooMany('more tags than a fragment may have');
  }

  /**
   * All that wait, for the fragment that they belong to.
   *
   * @throws AppError too-many-tags  AWS's limits: 10, names of 128 bytes, values of 256, no names of AWS
   */
  take(): FragmentTags {
    const tags = this.#tags;
    this.#tags = [];
    const own = tags.filter(({ name }) => !reservedNames.has(name));
    if (own.length > limits.fragmentTagsMax || tags.length > limits.fragmentTagsMax + reservedNames.size) {
      throw tooMany('more tags than a fragment may have');
    }
    for (const { name, value } of tags) {
      if (Buffer.byteLength(name) > limits.fragmentTagNameBytesMax) throw tooMany('name of a tag is too long');
      if (Buffer.byteLength(value) > limits.fragmentTagValueBytesMax) throw tooMany('value of a tag is too long');
    }
    const foreign = own.find(({ name }) => name === '' || name.startsWith('AWS'));
    if (foreign !== undefined) throw tooMany('name of a tag is not for producers');
    return tags;
  }
}

function tooMany(message: string) {
  return mediaError('too-many-tags', message);
}
