import { expect, test } from 'vitest';
import { aac, player, RowStream, seconds, startMs, video } from './sessions.ts';

const laterMs = startMs + 3_600_000;

function recorded(more = {}) {
  return { PlaybackMode: 'ON_DEMAND', DASHFragmentSelector: seconds(0, 1_800), ...more };
}

const rows = (manifest: string) => manifest.split('\n').filter((line) => line.startsWith('<S '));
/** Those of the pictures: each set has them all. */
const shown = (manifest: string) => rows(manifest).slice(0, rows(manifest).length / 2);

async function manifestOf({ get }: ReturnType<typeof player>, url: string, nowMs: number): Promise<string> {
  return String((await get(url, nowMs)).body);
}

test('(90) what was recorded is a static manifest whose media follow each other over every gap', async () => {
  const stream = new RowStream();
  stream.run({ atMs: startMs, count: 2 });
  stream.run({ atMs: startMs + 600_000, count: 1 });
  const site = player(stream);

  const manifest = await manifestOf(site, await site.dash(recorded(), laterMs), laterMs);

  expect(manifest).toContain('type="static" mediaPresentationDuration="PT6.000S"');
  expect(shown(manifest)).toEqual(['<S t="10000" d="2000"/>', '<S t="12000" d="2000"/>', '<S t="14000" d="2000"/>']);
  expect(manifest).toMatch(
    /<Representation id="video" codecs="avc1\.42c01e" width="640" height="360" frameRate="25" bandwidth="\d+"\/>/,
  );
  expect(manifest).toMatch(
    /<Representation id="audio" codecs="mp4a\.40\.2" audioSamplingRate="48000" bandwidth="\d+"\/>/,
  );
  expect(manifest).toMatch(
    /startNumber="0" initialization="getMP4InitFragment\.mp4\?SessionToken=[\w-]+&amp;TrackNumber=1" media="getMP4MediaFragment\.mp4\?FragmentNumber=\$Number\$&amp;SessionToken=/,
  );
});

test('(90) times and numbers of fragments are told on request alone', async () => {
  const stream = new RowStream();
  const [first] = stream.run({ atMs: startMs, count: 1 });
  const site = player(stream);
  const row = async (options: object) =>
    shown(await manifestOf(site, await site.dash(recorded(options), laterMs), laterMs))[0];

  expect(await row({})).toBe('<S t="10000" d="2000"/>');
  expect(await row({ DisplayFragmentTimestamp: 'ALWAYS', DisplayFragmentNumber: 'ALWAYS' })).toBe(
    `<S t="10000" d="2000" kvs:ts="${startMs / 1000}.000" kvs:fn="${first?.number}"/>`,
  );
  expect(await row({ DisplayFragmentTimestamp: 'NEVER', DisplayFragmentNumber: 'NEVER' })).toBe(
    '<S t="10000" d="2000"/>',
  );
});

test('(87) of ingests that overlap in producer time the first is played', async () => {
  const stream = new RowStream();
  const first = stream.run({ atMs: startMs, count: 3, producerMs: 0 });
  stream.run({ atMs: startMs + 60_000, count: 3, producerMs: -60_000 });
  stream.run({ atMs: startMs + 80_000, count: 3, producerMs: -79_000 });
  const site = player(stream);
  const selector = { DASHFragmentSelector: seconds(0, 6, 'PRODUCER_TIMESTAMP'), DisplayFragmentNumber: 'ALWAYS' };

  const manifest = await manifestOf(site, await site.dash(recorded(selector), laterMs), laterMs);

  expect(shown(manifest).map((row) => /kvs:fn="(\d+)"/.exec(row)?.[1])).toEqual(first.map(({ number }) => number));
});

test('(88) another set-up within the manifest is an error', async () => {
  const stream = new RowStream();
  stream.run({ atMs: startMs, count: 1 });
  stream.run({ atMs: startMs + 2_000, count: 1, tracks: [{ ...video, codecPrivate: Uint8Array.of(5) }, aac] });
  const { dash } = player(stream);

  await expect(dash(recorded(), laterMs)).rejects.toMatchObject({
    context: { awsName: 'InvalidCodecPrivateDataException' },
  });
});

test('a live manifest slides, keeps its numbers over a restart, and its live end stays with the media over breaks', async () => {
  const stream = new RowStream();
  stream.run({ atMs: startMs, count: 5 });
  const site = player(stream);
  const url = await site.dash({}, startMs + 10_000);
  const beginOf = (manifest: string) => Date.parse(/availabilityStartTime="([^"]+)"/.exec(manifest)?.[1] ?? '');

  const first = await manifestOf(site, url, startMs + 10_000);
  const waiting = await manifestOf(site, url, startMs + 60_000);
  stream.run({ atMs: startMs + 100_000, count: 2 });
  site.restart();
  const later = await manifestOf(site, url, startMs + 104_000);

  expect(first).toContain('type="dynamic"');
  expect(beginOf(first)).toBe(startMs);
  expect(beginOf(waiting)).toBe(startMs + 60_000 - 14_000);
  expect(beginOf(later)).toBe(startMs + 90_000);
  expect(later).toContain('startNumber="2"');
  expect(shown(later).at(-1)).toBe('<S t="22000" d="2000"/>');
});
