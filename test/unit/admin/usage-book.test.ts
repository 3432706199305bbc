import { expect, onTestFinished, test } from 'vitest';
import { UsageBook } from '../../../appliance/admin/usage-book.ts';
import { createLog } from '../../../storage/base/log.ts';
import { until } from '../../kit/until.ts';
import { cameraSettings, openTestCatalog } from '../catalog/kit.ts';

const log = createLog({ level: 'error', destination: { write: () => {} } });

async function openBook() {
  const { catalog, clock } = await openTestCatalog();
  const camera = catalog.tables.cameras.create(cameraSettings(), clock.wallMs());
  const streamId = camera.streams[0]?.id ?? '';
  const figures = { bytes: 1_000 };
  const lane = { request: async <T>() => [{ streamId, bytes: figures.bytes, units: 1, packetsLost: 0 }] as T };
  const index = {
    totalsOfAll: () => [
      {
        ...{ streamId, cameraId: camera.id, segments: 1, bytes: 7_000, durationMs: 1 },
        ...{ oldestMs: undefined, newestMs: undefined },
      },
    ],
  };
  const fault = { isOn: false };
  const readable = {
    get tables() {
      if (fault.isOn) throw new Error('database is locked');
      return catalog.tables;
    },
  };
  const book = new UsageBook(
    { clock, log, catalog: readable, index, ingests: new Map([['ingest-0', lane]]) },
    { timeZone: 'UTC' },
  );
  onTestFinished(() => book.close());
  const rows = () =>
    catalog.tables.usage
      .between({ firstDay: '2000-01-01', lastDay: '2100-01-01', limit: 100 })
      .map(({ direction, protocol, subjectId, bytes, requests }) => [direction, protocol, subjectId, bytes, requests]);
  return { book, fault, clock, streamId, figures, rows, catalog };
}

test('what cameras send is counted from when it is first asked for, also over a restart of the recording process', async () => {
  const { book, figures, rows } = await openBook();
  await book.write();
  figures.bytes = 5_000;
  await book.write();
  figures.bytes = 300;
  await book.write();

  expect(rows()).toEqual([
    ['in', 'rtsp', '', 4_300, 0],
    ['stored', '', '', 7_000, 0],
  ]);
});

test('what goes out is counted by who asked, in one row a day', async () => {
  const { book, clock, streamId, rows } = await openBook();
  const sent = { streamId, direction: 'out', protocol: 'hls' } as const;
  book.note({ ...sent, subject: { kind: 'user', id: 'ada' }, bytes: 10 });
  book.note({ ...sent, subject: { kind: 'user', id: 'ada' }, bytes: 20 });
  book.note({ ...sent, subject: { kind: 'token', id: 'wall' }, bytes: 5 });
  await book.write();
  book.note({ ...sent, subject: { kind: 'user', id: 'ada' }, bytes: 1 });
  await book.write();
  await clock.advance(86_400_000);
  book.note({ ...sent, subject: { kind: 'user', id: 'ada' }, bytes: 2 });
  await book.write();

  expect(rows().filter(([direction]) => direction === 'out')).toEqual([
    ['out', 'hls', 'ada', 31, 3],
    ['out', 'hls', 'wall', 5, 1],
    ['out', 'hls', 'ada', 2, 1],
  ]);
});

test('days before the last four hundred are forgotten', async () => {
  const { book, clock, catalog } = await openBook();
  await book.write();
  await clock.advance(401 * 86_400_000);
  await book.write();

  const days = catalog.tables.usage.between({ firstDay: '2000-01-01', lastDay: '2100-01-01', limit: 100 });
  expect(new Set(days.map(({ day }) => day)).size).toBe(1);
});

test('a catalog that cannot be read for a while loses nothing of what was sent meanwhile', async () => {
  const { book, clock, figures, fault, rows } = await openBook();
  book.start();
  await clock.advance(60_000);
  fault.isOn = true;
  figures.bytes = 3_000;
  await clock.advance(180_000);
  fault.isOn = false;
  figures.bytes = 5_000;
  await clock.advance(60_000);

  await until('the last look is written', () =>
    rows().find(([, protocol, , bytes]) => protocol === 'rtsp' && bytes === 4_000),
  );
  expect(rows()).toEqual([
    ['in', 'rtsp', '', 4_000, 0],
    ['stored', '', '', 7_000, 0],
  ]);
});

test('what goes on for days stands on the day on which it was, as one request, and is there before it ends', async () => {
  const { book, clock, streamId, rows } = await openBook();
  const reader = { bytes: 0 };
  const over = book.open({ streamId, direction: 'out', protocol: 'get-media', totalBytes: () => reader.bytes });
  await book.write();
  const untilFirstByte = rows().length;
  reader.bytes = 100;
  await book.write();
  await book.write();
  const live = rows().at(0);
  await clock.advance(86_400_000);
  reader.bytes = 250;
  await book.write();
  reader.bytes = 260;
  over();
  over();
  reader.bytes = 1_000;
  await book.write();

  expect(untilFirstByte).toBe(1);
  expect(live).toEqual(['out', 'get-media', '', 100, 1]);
  expect(rows().filter(([direction]) => direction === 'out')).toEqual([
    ['out', 'get-media', '', 100, 1],
    ['out', 'get-media', '', 160, 0],
  ]);
});

test('what is still going on when the book is closed is written, by everyone who goes on', async () => {
  const { book, streamId, rows } = await openBook();
  const about = { streamId, direction: 'out', protocol: 'get-media' } as const;
  book.open({ ...about, subject: { kind: 'access-key', id: 'a' }, totalBytes: () => 10 });
  book.open({ ...about, subject: { kind: 'access-key', id: 'b' }, totalBytes: () => 20 });
  book.open({ ...about, direction: 'in', protocol: 'put-media', totalBytes: () => 30 });

  await book.close();

  expect(rows()).toEqual([
    ['in', 'put-media', '', 30, 0],
    ['out', 'get-media', 'a', 10, 1],
    ['out', 'get-media', 'b', 20, 1],
  ]);
});

test('a reader that tells now and then what it was sent is one request', async () => {
  const { book, streamId, rows } = await openBook();
  const sent = book.counter({ streamId, direction: 'out', protocol: 'rtsp' });
  sent(10);
  await book.write();
  sent(20);
  sent(30);
  await book.write();

  expect(rows().at(0)).toEqual(['out', 'rtsp', '', 60, 1]);
});
