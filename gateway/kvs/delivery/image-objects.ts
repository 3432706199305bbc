/**
 * Which pictures a fragment tagged `AWS_KINESISVIDEO_IMAGE_GENERATION` becomes, and under which keys and with which metadata they lie
 * in their bucket, as AWS documents it. Pure.
 */

import { createHash } from 'node:crypto';
import type { Fragment, FragmentTags } from '../../../storage/model/fragment.ts';
import type { StoredPicture } from '../../../storage/objects/index.ts';
import type { ImageGeneration } from './configurations.ts';
import { imagePrefixTag, reservedTags } from './reserved-tags.ts';

/** 20 s of a fragment at the shortest interval. */
const picturesMax = 100;
const prefixBytesMax = 256;
/** S3: names and values of an object's metadata together. */
const metadataBytesMax = 2_048;

/** Moments of the pictures, milliseconds from the fragment's beginning. */
export function imageMomentsMs(
  { durationMs }: Pick<Fragment, 'durationMs'>,
  { intervalMs }: ImageGeneration,
): number[] {
  const count = Math.max(1, Math.min(picturesMax, Math.ceil(durationMs / intervalMs)));
  return Array.from({ length: count }, (_, i) => i * intervalMs);
}

export type ImageFacts = {
  readonly accountId: string;
  readonly streamName: string;
  readonly fragment: Pick<Fragment, 'number' | 'producerTimestampMs' | 'serverTimestampMs'>;
  readonly tags: FragmentTags;
  readonly momentMs: number;
};

/** Where one picture lies and what is said of it; the same each time it is made. */
export function imageObject(
  { uri, format, clock }: ImageGeneration,
  { accountId, streamName, fragment, tags, momentMs }: ImageFacts,
): Omit<StoredPicture, 'bytes'> {
  const [, bucket = '', folder = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(uri) ?? [];
  const before = folder === '' || folder.endsWith('/') ? folder : `${folder}/`;
  const prefix = prefixOf(tags);
  const beginMs = clock === 'server' ? fragment.serverTimestampMs : fragment.producerTimestampMs;
  const id = guidOf(`${fragment.number} ${momentMs} ${uri}`);
  const name = `${accountId}_${streamName}_${beginMs + momentMs}_${id}.${format === 'png' ? 'png' : 'jpg'}`;
  const facts = {
    aws_kinesisvideo_fragment_number: fragment.number,
    aws_kinesisvideo_producer_timestamp: String(fragment.producerTimestampMs),
    aws_kinesisvideo_server_timestamp: String(fragment.serverTimestampMs),
  };
  return {
    bucket,
    key: `${before}${prefix === '' ? '' : `${prefix}_`}${name}`,
    contentType: format === 'png' ? 'image/png' : 'image/jpeg',
    metadata: { ...fittingMetadata(tags, metadataBytesMax - bytesOf(facts)), ...facts },
  };
}

/** What a producer says, without what stores refuse in keys: then no picture of the stream would be stored any more. */
function prefixOf(tags: FragmentTags): string {
  const said = tags.find(({ name }) => name === imagePrefixTag)?.value.slice(0, prefixBytesMax) ?? '';
  const segments = said.replace(/^\/+/, '').split(/\/+/);
  return segments.map((segment) => (/^\.{1,2}$/.test(segment) ? '_' : segment)).join('/');
}

/** Tags that fit, in their order: ten long ones are more than a bucket takes, and it would refuse the picture. */
function fittingMetadata(tags: FragmentTags, bytesMax: number): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const { name, value } of tags) {
    const one = { [metadataName(name)]: metadataValue(value) };
    if (!reservedTags.has(name) && bytesOf({ ...metadata, ...one }) <= bytesMax) Object.assign(metadata, one);
  }
  return metadata;
}

/** All of it is ASCII. */
function bytesOf(metadata: Readonly<Record<string, string>>): number {
  return Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

/** A name by what it is the picture of, so that a second attempt replaces the first. */
function guidOf(what: string): string {
  const hex = createHash('sha256').update(what).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Headers take no other characters. */
function metadataName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9_-]/g, '_');
}

/** Printable ASCII stays as it is; anything else is percent-encoded, a percent sign too then. */
function metadataValue(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) ? value.trim() : encodeURIComponent(value);
}
