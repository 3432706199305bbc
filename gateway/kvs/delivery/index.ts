/** What fragments set off by their tags. */

export { type ImageFacts, imageMomentsMs, imageObject } from './image-objects.ts';
export { notificationHeaders, notificationText } from './notification.ts';
export { imageTag, notificationTag } from './reserved-tags.ts';
export { TagFollower, type TagFollowerDeps, type TaggedFragment } from './tag-follower.ts';
