import { expect, test } from 'vitest';
import { ffprobeBeside, importIdOf } from '../../../gateway/import/index.ts';
import { mediaFileOf } from '../../../gateway/import/media-file.ts';
import { stagesOf } from '../../../gateway/import/remux.ts';

const format = { format_name: 'mov,mp4,m4a,3gp,3g2,mj2', duration: '12.5' };
const video = { index: 0, codec_type: 'video', codec_name: 'h264', nal_length_size: '4' };
const sound = { index: 1, codec_type: 'audio', codec_name: 'aac' };

test('what is known is copied, what is not is converted or left out, each with a word', () => {
  const cover = { index: 2, codec_type: 'video', codec_name: 'mjpeg', disposition: { attached_pic: 1 } };
  const words = { index: 3, codec_type: 'subtitle', codec_name: 'mov_text' };
  const other = { index: 4, codec_type: 'audio', codec_name: 'ac3' };

  const file = mediaFileOf({ format, streams: [video, sound, cover, words, other] });

  expect(file.durationMs).toBe(12_500);
  expect(file.tracks.map(({ index, how }) => [index, how])).toEqual([
    [0, 'copy'],
    [1, 'copy'],
    [4, 'convert'],
  ]);
  expect(file.notes.toSorted()).toEqual([
    'stream 2 (video, mjpeg) is left out',
    'stream 3 (subtitle, mov_text) is left out',
    'stream 4 (audio) is converted from ac3 to AAC',
  ]);
});

test('the default picture and sound come first', () => {
  const best = { index: 5, codec_type: 'video', codec_name: 'hevc', disposition: { default: 1 } };

  const { tracks } = mediaFileOf({ format, streams: [sound, video, best] });

  expect(tracks.map(({ index }) => index)).toEqual([5, 1]);
});

test('a file without picture and sound is refused', () => {
  expect(() => mediaFileOf({ format, streams: [] })).toThrow('neither picture nor sound');
});

test('a time of making that nobody set is none', () => {
  const at = (creation_time: string) =>
    mediaFileOf({ format: { ...format, tags: { creation_time } }, streams: [video] }).creationMs;

  expect(at('2026-01-31T12:00:00.000000Z')).toBe(Date.UTC(2026, 0, 31, 12));
  expect(at('1904-01-01T00:00:00.000000Z')).toBeUndefined();
  expect(at('no time')).toBeUndefined();
});

test('only transport streams with sound in AAC take two steps, and odd lengths of NAL units are made ours', () => {
  const ts = { ...format, format_name: 'mpegts' };
  const odd = { ...video, nal_length_size: '2' };

  expect(stagesOf(mediaFileOf({ format, streams: [video, sound] }), '/x')).toHaveLength(1);
  expect(stagesOf(mediaFileOf({ format: ts, streams: [video] }), '/x')).toHaveLength(1);
  expect(stagesOf(mediaFileOf({ format: ts, streams: [video, sound] }), '/x')).toHaveLength(2);
  expect(stagesOf(mediaFileOf({ format, streams: [odd] }), '/x')[0]).toContain('h264_mp4toannexb');
});

test('an import is named by file, stream and time', () => {
  const one = { streamId: 's', sha256: 'a', atMs: 1 };

  expect(importIdOf(one)).toBe(importIdOf({ ...one }));
  for (const other of [{ streamId: 't' }, { sha256: 'b' }, { atMs: 2 }]) {
    expect(importIdOf({ ...one, ...other })).not.toBe(importIdOf(one));
  }
});

test('ffprobe is looked for beside ffmpeg', () => {
  expect(['ffmpeg', '/opt/ffmpeg-6/bin/ffmpeg'].map(ffprobeBeside)).toEqual(['ffprobe', '/opt/ffmpeg-6/bin/ffprobe']);
});

test('pictures are bounded in size wherever something decodes them, and threads are few', () => {
  const file = {
    ...mediaFileOf({ format, streams: [{ ...video, codec_name: 'mjpeg' }, sound] }),
    isTransportStream: true,
  };

  const stages = stagesOf(file, '/spool/1.part');

  expect(stages.length).toBe(2);
  for (const args of stages) {
    const input = args.slice(0, args.indexOf('-i'));
    expect(input).toEqual(expect.arrayContaining(['-max_pixels', '35651584', '-threads', '2']));
  }
  expect(stages[0]).toEqual(expect.arrayContaining(['libx264', '-threads:0', '2']));
});

test('pictures of no size, or of more than a level of the standards has, are left out', () => {
  const giant = { ...video, index: 2, width: 16_000, height: 16_000 };
  const unreadable = { ...video, index: 3, width: 0, height: 0 };

  const file = mediaFileOf({ format, streams: [giant, unreadable, { ...video, width: 8_192, height: 4_352 }] });

  expect(file.tracks.map(({ index }) => index)).toEqual([0]);
  expect(() => mediaFileOf({ format, streams: [giant] })).toThrow('neither picture nor sound');
});
