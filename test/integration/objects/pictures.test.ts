/** Pictures under keys and with metadata that others know: in a bucket of a real MinIO, and in a folder. */

import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { DirectoryPictures, S3Pictures, type StoredPicture } from '../../../storage/objects/index.ts';
import { findMinio, startMinio, withMinio } from '../../kit/minio.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const program = await findMinio();

const picture: StoredPicture = {
  bucket: 'pictures',
  key: 'gate/000000000000_gate_1700000000000_x.jpg',
  bytes: Buffer.from('picture'),
  contentType: 'image/jpeg',
  metadata: { aws_kinesisvideo_fragment_number: '913', zone: 'a b' },
};

describe.skipIf(program.missing !== undefined)(withMinio('pictures in a bucket', program), () => {
  test('(106) lie there with their type and metadata, and a second time replaces the first', async () => {
    const minio = await startMinio(program);
    const pictures = new S3Pictures({ clock: systemClock }, minio.storeOptions());
    onTestFinished(() => pictures.close());
    await minio.client().makeBucket('pictures');

    await pictures.put(picture);
    await pictures.put(picture);

    const { size, metaData } = await minio.client().statObject('pictures', picture.key);
    expect(size).toBe(7);
    expect(metaData).toMatchObject({ ...picture.metadata, 'content-type': 'image/jpeg' });
  });

  test('what a producer says is metadata, whatever it is called, and never a setting of the object', async () => {
    const minio = await startMinio(program);
    const pictures = new S3Pictures({ clock: systemClock }, minio.storeOptions());
    onTestFinished(() => pictures.close());
    await minio.client().makeBucket('pictures');
    const metadata = {
      'content-type': 'text/html',
      'content-encoding': 'gzip',
      'x-amz-acl': 'public-read',
      'x-amz-storage-class': 'GLACIER',
      'x-amz-server-side-encryption': 'aws:kms',
      'if-none-match': '*',
    };

    await pictures.put({ ...picture, metadata });
    await pictures.put({ ...picture, metadata });

    const { headers } = await fetch(await minio.client().presignedGetObject('pictures', picture.key));
    expect(headers.get('content-type')).toBe('image/jpeg');
    expect(headers.get('content-encoding')).toBeNull();
    for (const [name, value] of Object.entries(metadata)) expect(headers.get(`x-amz-meta-${name}`)).toBe(value);
  });

  test('a bucket that is not there, or a server that is away, is an error that may pass', async () => {
    const minio = await startMinio(program);
    const pictures = new S3Pictures({ clock: systemClock }, minio.storeOptions());
    onTestFinished(() => pictures.close());

    await expect(pictures.put(picture)).rejects.toMatchObject({ code: 'unavailable' });
    await minio.client().makeBucket('pictures');
    await pictures.put(picture);
    await minio.kill();
    await expect(pictures.put(picture)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

test('a folder has them beside their metadata, and no key leads out of it', async () => {
  const directory = join(await temporaryDirectory(), 'images');
  const pictures = new DirectoryPictures({ directory });

  await pictures.put(picture);
  for (const key of ['../../../outside.jpg', '..', '/etc/x.jpg', 'a/./../b.jpg', 'ä\n\0.jpg', '']) {
    await pictures.put({ ...picture, bucket: `b${key.length}`, key });
  }
  await pictures.put({ ...picture, bucket: '..' });

  expect(await readFile(join(directory, 'pictures', picture.key), 'utf8')).toBe('picture');
  expect(JSON.parse(await readFile(join(directory, 'pictures', `${picture.key}.json`), 'utf8'))).toEqual({
    contentType: 'image/jpeg',
    metadata: picture.metadata,
  });
  expect(await readdir(join(directory, '..'))).toEqual(['images']);
  expect((await readdir(directory)).sort()).toEqual(['_..', 'b0', 'b10', 'b12', 'b2', 'b20', 'b7', 'pictures']);
});

test('names too long for a file keep their end, which tells them apart', async () => {
  const directory = await temporaryDirectory();
  const pictures = new DirectoryPictures({ directory });
  const name = (end: string) => `000000000000_${'s'.repeat(256)}_1700000000000_${end}.jpg`;

  await pictures.put({ ...picture, key: name('a') });
  await pictures.put({ ...picture, key: name('b') });

  const files = (await readdir(join(directory, 'pictures'))).filter((file) => file.endsWith('.jpg'));
  expect(files.map((file) => file.slice(-20)).sort()).toEqual(['_1700000000000_a.jpg', '_1700000000000_b.jpg']);
});

test('a folder forgets what is too old, and nothing of other buckets', async () => {
  const directory = await temporaryDirectory();
  const pictures = new DirectoryPictures({ directory });
  await pictures.put(picture);
  await pictures.put({ ...picture, key: 'gate/new.jpg' });
  await mkdir(join(directory, 'other'));
  await writeFile(join(directory, 'other', 'old.jpg'), '');
  for (const old of [join('pictures', picture.key), join('other', 'old.jpg')]) await utimes(join(directory, old), 1, 1);

  await pictures.forget('pictures', 1_000_000);
  await pictures.forget('nothing', 1_000_000);

  expect((await readdir(join(directory, 'pictures', 'gate'))).sort()).toEqual([
    '000000000000_gate_1700000000000_x.jpg.json',
    'new.jpg',
    'new.jpg.json',
  ]);
  expect(await readdir(join(directory, 'other'))).toEqual(['old.jpg']);
});
