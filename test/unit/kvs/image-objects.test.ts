import { expect, test } from 'vitest';
import type { ImageGeneration } from '../../../gateway/kvs/index.ts';
import { imageMomentsMs, imageObject } from '../../../gateway/kvs/index.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';

const target: ImageGeneration = {
  ...{ isEnabled: true, clock: 'server', uri: 's3://pictures', region: 'us-east-1', intervalMs: 500 },
  format: 'jpeg',
};
const fragment = {
  number: fragmentNumber(7, 1_700_000_000_123, 5),
  serverTimestampMs: 1_700_000_000_123,
  producerTimestampMs: 1_700_000_000_000,
};
const facts = { accountId: '111122223333', streamName: 'demo-stream', fragment, tags: [], momentMs: 1_000 };
const image = { name: 'AWS_KINESISVIDEO_IMAGE_GENERATION', value: '' };

test('(106) keys are those that AWS documents, with and without folders and prefixes', () => {
  const id = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
  const key = (uri: string, prefix?: string) =>
    imageObject(
      { ...target, uri },
      { ...facts, tags: prefix === undefined ? [] : [{ name: 'AWS_KINESISVIDEO_IMAGE_PREFIX', value: prefix }] },
    ).key;

  expect(key('s3://pictures')).toMatch(new RegExp(`^111122223333_demo-stream_1700000001123_${id}\\.jpg$`));
  expect(key('s3://pictures/gate', 'door')).toMatch(
    new RegExp(`^gate/door_111122223333_demo-stream_1700000001123_${id}\\.jpg$`),
  );
  expect(key('s3://pictures/gate/')).toMatch(/^gate\/111122223333_/);
  expect(imageObject({ ...target, clock: 'producer', format: 'png' }, facts)).toMatchObject({
    key: expect.stringMatching(/_1700000001000_.*\.png$/),
    contentType: 'image/png',
    bucket: 'pictures',
  });
});

test('(106) metadata has the fragment and what its producer said of it, in characters that headers take', () => {
  const { metadata } = imageObject(target, {
    ...facts,
    tags: [image, { name: 'Tür links', value: 'größer als 5 %' }, { name: 'zone', value: 'a b' }],
  });

  expect(metadata).toEqual({
    t_r_links: 'gr%C3%B6%C3%9Fer%20als%205%20%25',
    zone: 'a b',
    aws_kinesisvideo_fragment_number: fragment.number,
    aws_kinesisvideo_producer_timestamp: '1700000000000',
    aws_kinesisvideo_server_timestamp: '1700000000123',
  });
});

test('metadata beyond what a bucket takes is left out, so that the picture is stored at all', () => {
  const tags = Array.from({ length: 10 }, (_, i) => ({ name: `${i}`.repeat(128), value: 'ü'.repeat(128) }));

  const { metadata } = imageObject(target, { ...facts, tags: [...tags, { name: 'zone', value: 'gate' }] });

  const bytes = Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  expect(bytes).toBeLessThanOrEqual(2_048);
  expect(metadata).toMatchObject({ zone: 'gate', aws_kinesisvideo_fragment_number: fragment.number });
  expect(Object.keys(metadata)).toContain('0'.repeat(128));
});

test('a prefix has no steps out of its folder, which some stores refuse', () => {
  const tags = [{ name: 'AWS_KINESISVIDEO_IMAGE_PREFIX', value: '../gate/./x' }];

  expect(imageObject(target, { ...facts, tags }).key).toMatch(/^_\/gate\/_\/x_111122223333_/);
});

test('a second attempt makes the same object, another moment another one', () => {
  const { key } = imageObject(target, facts);

  expect(imageObject(target, facts).key).toBe(key);
  expect(imageObject(target, { ...facts, momentMs: 1_500 }).key).not.toBe(key);
});

test('pictures begin with the fragment and come by the interval, one at least and a hundred at most', () => {
  expect(imageMomentsMs({ durationMs: 1_900 }, target)).toEqual([0, 500, 1_000, 1_500]);
  expect(imageMomentsMs({ durationMs: 100 }, target)).toEqual([0]);
  expect(imageMomentsMs({ durationMs: 600_000 }, target)).toHaveLength(100);
});
