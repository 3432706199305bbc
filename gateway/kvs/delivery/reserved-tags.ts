/** Tags of fragments that mean something to the service: producers set them off, and they are not told again. */

export const imageTag = 'AWS_KINESISVIDEO_IMAGE_GENERATION';
export const imagePrefixTag = 'AWS_KINESISVIDEO_IMAGE_PREFIX';
export const notificationTag = 'AWS_KINESISVIDEO_NOTIFICATION';

export const reservedTags: ReadonlySet<string> = new Set([
  imageTag,
  imagePrefixTag,
  notificationTag,
  'AWS_KINESISVIDEO_END_OF_FRAGMENT',
]);
