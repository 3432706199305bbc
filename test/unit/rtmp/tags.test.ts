import { describe, expect, test } from 'vitest';
import { readAudioTag, readVideoTag } from '../../../gateway/rtmp/tags.ts';
import { tags } from '../../kit/rtmp-publisher/index.ts';

const body = Buffer.from([9, 8, 7]);
const enhanced = (first: number, ...rest: (string | readonly number[])[]) =>
  Buffer.concat([
    Buffer.from([first]),
    ...rest.map((one) => (typeof one === 'string' ? Buffer.from(one) : Buffer.from(one))),
  ]);

test('composition times are signed', () => {
  expect(readVideoTag(tags.avcFrame(body, { isKey: false, compositionMs: -40 }))).toMatchObject({ compositionMs: -40 });
  expect(readVideoTag(tags.enhancedFrame('hvc1', body, { isKey: true, compositionMs: 80 }))).toEqual({
    kind: 'frame',
    codec: 'h265',
    compositionMs: 80,
    body,
  });
});

test('sequence headers of both generations are told from pictures', () => {
  expect(readVideoTag(tags.avcConfiguration(body))).toEqual({ kind: 'configuration', codec: 'h264', body });
  expect(readVideoTag(tags.enhancedConfiguration('avc1', body))).toEqual({
    kind: 'configuration',
    codec: 'h264',
    body,
  });
  expect(readVideoTag(tags.enhancedFrameX('hvc1', body, { isKey: true }))).toMatchObject({ compositionMs: 0, body });
  expect(readVideoTag(enhanced(0x1c, [0, 0, 0, 0], [9, 8, 7]))).toEqual({ kind: 'configuration', codec: 'h265', body });
});

test('modifiers before a packet are skipped', () => {
  // ModEx with three bytes of nanoseconds, then CodedFramesX.
  const tag = enhanced(0x97, [2, 0, 0, 5], [0x03], 'hvc1', [9, 8, 7]);

  expect(readVideoTag(tag)).toEqual({ kind: 'frame', codec: 'h265', compositionMs: 0, body });
  expect(readVideoTag(enhanced(0x97, [255, 255, 255]))).toEqual({ kind: 'malformed' });
});

describe('what is not recorded has a name', () => {
  test.each([
    [enhanced(0x90, 'av01'), 'AV1'],
    [enhanced(0x90, 'vvc1'), 'H.266'],
    [enhanced(0x90, 'a\n"b'), 'codec "a??b"'],
    [enhanced(0x96, [0], 'hvc1'), 'several tracks in one (multitrack)'],
    [Buffer.from([0x24]), 'VP6'],
  ])('video %#', (tag, what) => {
    expect(readVideoTag(tag)).toEqual({ kind: 'unsupported', what });
  });

  test.each([
    [tags.mp3Frame(body), 'MP3'],
    [tags.enhancedAudioFrame('ac-3', body), 'AC-3'],
    [tags.enhancedAudioFrame('fLaC', body), 'FLAC'],
    [enhanced(0x95, [0], 'Opus'), 'several tracks in one (multitrack)'],
    [Buffer.from([0xb0]), 'Speex'],
  ])('audio %#', (tag, what) => {
    expect(readAudioTag(tag)).toEqual({ kind: 'unsupported', what });
  });
});

test('AAC, Opus and G.711 are read', () => {
  expect(readAudioTag(tags.aacConfiguration(body))).toEqual({ kind: 'configuration', codec: 'aac', body });
  expect(readAudioTag(tags.aacFrame(body))).toEqual({ kind: 'frame', codec: 'aac', body });
  expect(readAudioTag(tags.enhancedAudioConfiguration('Opus', body))).toMatchObject({ codec: 'opus', body });
  expect(readAudioTag(tags.enhancedAudioFrame('mp4a', body))).toEqual({ kind: 'frame', codec: 'aac', body });
  expect(readAudioTag(tags.alawFrame(body))).toEqual({ kind: 'frame', codec: 'pcma', channels: 1, body });
});

test('empty messages, commands and ends of a sequence are nothing', () => {
  for (const tag of [
    Buffer.alloc(0),
    Buffer.from([0x57, 0]),
    Buffer.from([0x17, 2, 0, 0, 0]),
    enhanced(0x92, 'hvc1'),
  ]) {
    expect(readVideoTag(tag)).toEqual({ kind: 'other' });
  }
});
