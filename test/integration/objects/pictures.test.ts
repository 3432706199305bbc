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
