/** How readers share what they hold, and how they wait. */

import { expect, test } from 'vitest';
import { mediaLimits } from '../../../../gateway/kvs/media/limits.ts';
import { MediaPieces } from '../../../../gateway/kvs/media/media-pieces.ts';
import { sendFragment } from '../../../../gateway/kvs/media/send-fragment.ts';
import { SharedReads } from '../../../../gateway/kvs/media/shared-reads.ts';
import { StreamTails } from '../../../../gateway/kvs/media/stream-tails.ts';
import { must } from '../../../../storage/base/assert.ts';
import { silentLog } from '../../../../storage/base/log.ts';
import { byteAt, PlainSource, someFragments } from './kit.ts';

const forever = new AbortController().signal;
const meter = { add: () => {} };

test('readers that stand at the same number list once, and once more after each word of news', async () => {
  const [first, second] = someFragments(2);
  const source = new PlainSource([must(first, 'made')]);
  const tails = new StreamTails({ source });
  const readers = Array.from({ length: 50 }, () => tails.join('door'));
  const list = () => Promise.all(readers.map(({ tail }) => tail.after(undefined)));

  const [before] = await list();
  const { news } = must(readers[0], 'joined').tail;
  const waiting = Promise.all(readers.map(({ tail }) => tail.changed(news, forever)));
  source.fragments.push(must(second, 'made'));
  source.tell();
  await waiting;
  const [after] = await list();

  expect([before?.length, after?.length]).toEqual([1, 2]);
  expect(source.asked).toMatchObject({ lists: 2, listening: 1 });
  for (const { leave } of readers) {
    leave();
    leave();
  }
  expect([source.asked.listening, tails.readers]).toEqual([0, 0]);
});

test('a list that was begun before the news is nobody else’s: who hears of them lists anew', async () => {
  const source = new PlainSource(someFragments(1));
  const tails = new StreamTails({ source });
  const { tail } = tails.join('door');

  const stale = tail.after(undefined);
  const { news } = tail;
  source.tell();
  const fresh = tail.after(undefined);
  await tail.changed(news, forever);

  expect(fresh).not.toBe(stale);
  await Promise.all([stale, fresh]);
});

test('who waits is woken by their own going, and by streams that change', async () => {
  const tails = new StreamTails({ source: new PlainSource() });
  const { tail } = tails.join('door');
  const gone = new AbortController();

  const waiting = tail.changed(tail.news, gone.signal);
  gone.abort();
  await waiting;
  await tail.changed(tail.news, gone.signal);
  const others = tail.changed(tail.news, forever);
  tails.renew();

  await others;
});

test('a cluster comes byte for byte in pieces whose size is a share of what all readers may hold', async () => {
  const [reference] = someFragments(1, { fragmentBytes: 3_000_000 });
  const { fragment } = must(reference, 'made');
  for (const [readers, pieceBytes] of [
    [1, mediaLimits.pieceBytesMax],
    [200, Math.floor(mediaLimits.piecesBytesMax / 200)],
    [100_000, mediaLimits.pieceBytesMin],
  ] as const) {
    const source = new PlainSource();
    const pieces = new MediaPieces({ source, readers: () => readers });
    const { cluster } = await pieces.begin(must(reference, 'made'), 'get-media');
    let at = 0;
    for await (const piece of cluster) {
      expect(piece.length).toBeLessThanOrEqual(pieceBytes);
      expect([piece[0], piece.at(-1)]).toEqual([
        byteAt(fragment.offset + at),
        byteAt(fragment.offset + at + piece.length - 1),
      ]);
      at += piece.length;
    }
    expect(at).toBe(fragment.byteLength);
    expect(source.asked.bytesMax).toBe(pieceBytes);
  }
});

test('readers at the same place have one read for all, and a header is read once a run', async () => {
  const references = someFragments(3, { fragmentBytes: 2_500_000 });
  const source = new PlainSource();
  const pieces = new MediaPieces({ source, readers: () => 20 });
  const drain = async () => {
    for (const reference of references) {
      const { cluster } = await pieces.begin(reference, 'get-media');
      for await (const piece of cluster) void piece;
    }
  };

  await Promise.all(Array.from({ length: 20 }, drain));

  expect(source.asked).toMatchObject({ heads: 1, begun: 3, ranges: 6 });
});

test('what breaks off in the middle of a fragment is thrown: nothing may be said behind half a cluster', async () => {
  const references = someFragments(2, { fragmentBytes: 2_500_000 });
  const [first, second] = references.map((reference) => must(reference, 'made'));
  const source = new PlainSource();
  const pieces = new MediaPieces({ source, readers: () => 1 });
  source.brokenFrom = must(first, 'made').fragment.offset + 2_000_000;
  const options = { operation: 'GetMedia', streamName: 'door', spelling: 'get-media' } as const;
  const send = (reference: typeof first) =>
    sendFragment({ log: silentLog, meter, pieces }, must(reference, 'made'), options);

  const broken = async () => {
    for await (const bytes of send(first)) void bytes;
  };
  await expect(broken()).rejects.toMatchObject({ code: 'data_loss' });
  const told = send(second);
  const { value } = await told.next();
  expect(Buffer.from(value as Uint8Array).toString('latin1')).toContain('AWS_KINESISVIDEO_ERROR_ID');
  expect(await told.next()).toEqual({ done: true, value: false });
});

test('shared reads keep no more than their bound, forget failures, and what was used last the longest', async () => {
  const shared = new SharedReads<Uint8Array>({ bytesMax: 250, sizeOf: ({ length }) => length });
  const reads: string[] = [];
  const get = (key: string) =>
    shared.get(key, async () => {
      reads.push(key);
      return new Uint8Array(100);
    });

  await get('a');
  await get('b');
  await get('a');
  await get('c');
  await get('a');
  await get('b');
  await expect(shared.get('d', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await get('d');

  expect(reads).toEqual(['a', 'b', 'c', 'b', 'd']);
});
