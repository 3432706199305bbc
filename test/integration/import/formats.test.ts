import { join } from 'node:path';
import { expect, test } from 'vitest';
import { atMs, h264, makeFile, packetsIn, picture, setUpImports, tone } from './import-kit.ts';

const span = { beginMs: atMs - 1_000, endMs: atMs + 60_000 };
const aac = ['-c:a', 'aac'];

test.each([
  ['MP4 with B-pictures and its index at the end', 'a.mp4', [...picture, ...tone, ...h264, ...aac]],
  [
    'fragmented MP4',
    'f.mp4',
    [...picture, ...tone, ...h264, ...aac, '-movflags', 'frag_keyframe+empty_moov+default_base_moof'],
  ],
  ['MKV of a live muxer with Opus', 'o.mkv', [...picture, ...tone, ...h264, '-c:a', 'libopus', '-live', '1']],
  ['MPEG-TS whose clock wraps', 'w.ts', [...picture, ...tone, ...h264, ...aac, '-output_ts_offset', '95438']],
  ['H.265 in MP4', 'h.mp4', [...picture, '-c:v', 'libx265', '-preset', 'ultrafast', '-g', '25']],
  ['G.711 in MOV', 'g.mov', [...picture, ...tone, ...h264, '-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1']],
])('%s comes in with every picture', { timeout: 60_000 }, async (_, name, args) => {
  const kit = await setUpImports();
  const file = await makeFile(join(kit.directory, name), args);
  const sound = await packetsIn(file, 'a:0');

  const status = await kit.bring(file);

  expect(status.fault).toBeUndefined();
  expect(status).toMatchObject({ state: 'done', notes: [], alreadyThere: 0, skipped: 0, atMs, beginMs: atMs });
  expect(Math.abs((status.endMs ?? 0) - atMs - 10_000)).toBeLessThan(100);
  const frames = await kit.clipFrames(span);
  expect(frames.h264 ?? frames.hevc).toBe(250);
  const samples = await kit.storedSamples(span);
  expect(samples[1]).toBe(250);
  // Sound before the first picture is told, and is all that is missing.
  const dropped = Object.values(status.dropped).reduce((sum, count) => sum + count, 0);
  if (Number.isFinite(sound)) expect((samples[2] ?? 0) + dropped).toBe(sound);
  expect(dropped).toBeLessThanOrEqual(2);
});

test('of several tracks the picture and two of sound are kept, and the rest is named', {
  timeout: 60_000,
}, async () => {
  const kit = await setUpImports();
  const tones = [440, 550, 660].flatMap((hz) => ['-f', 'lavfi', '-i', `sine=frequency=${hz}:duration=10`]);
  const maps = ['-map', '0', '-map', '1', '-map', '2', '-map', '3'];
  const file = await makeFile(join(kit.directory, 'many.mkv'), [...picture, ...tones, ...maps, ...h264, ...aac]);

  const status = await kit.bring(file);

  expect(status.state).toBe('done');
  expect(status.notes).toEqual(['stream 3 (audio, aac) is left out: one picture and 3 tracks in all']);
  expect((await kit.storedSamples(span))[1]).toBe(250);
});

test.each([
  ['mpeg2.ts', ['-c:v', 'mpeg2video', '-q:v', '4', '-c:a', 'mp2'], ['mpeg2video to H.264', 'mp2 to AAC']],
  ['vp9.webm', ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-c:a', 'libopus'], ['vp9 to H.264']],
])('%s is converted, and that is said', { timeout: 60_000 }, async (name, codecs, said) => {
  const kit = await setUpImports();
  const file = await makeFile(join(kit.directory, name), [...picture, ...tone, ...codecs]);

  const status = await kit.bring(file);

  expect(status.fault).toBeUndefined();
  expect(status.notes.map((note) => note.replace(/^stream \d \(\w+\) is converted from /, ''))).toEqual(said);
  expect((await kit.clipFrames(span)).h264).toBe(250);
});

test('a file with a short last picture group, and sound that ends before it, loses no picture', {
  timeout: 60_000,
}, async () => {
  const kit = await setUpImports();
  const shortTone = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=9'];
  // 251 pictures: the last one is a key frame alone.
  const longer = ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25:duration=10.04'];
  const file = await makeFile(join(kit.directory, 's.mp4'), [...longer, ...shortTone, ...h264, ...aac]);
  const pictures = await packetsIn(file, 'v:0');

  const status = await kit.bring(file);

  expect(status.state).toBe('done');
  expect(pictures).toBe(251);
  expect((await kit.storedSamples(span))[1]).toBe(pictures);
});
