import { expect, test } from 'vitest';
import { AacDepacketiser, type AacPayloadOptions } from '../../../gateway/rtsp/media/audio.ts';
import { BitCursor } from '../../../gateway/rtsp/media/bits.ts';
import { LatmDepacketiser, parseStreamMuxConfig } from '../../../gateway/rtsp/media/latm.ts';
import { parseAudioSpecificConfig } from '../../../storage/media/index.ts';

function collector() {
  const frames: [hex: string, after: number][] = [];
  const oddities: string[] = [];
  let damaged = 0;
  return {
    frames,
    oddities,
    damagedCount: () => damaged,
    handler: {
      frame: (bytes: Uint8Array, _time: number, after: number) => {
        frames.push([Buffer.from(bytes).toString('hex'), after]);
      },
      damaged: () => {
        damaged++;
      },
      oddity: (text: string) => {
        oddities.push(text);
      },
    },
  };
}

const hbr: AacPayloadOptions = { sizeBits: 13, indexBits: 3, indexDeltaBits: 3, constantSize: 0, ticksPerFrame: 1024 };

function aac(options: Partial<AacPayloadOptions> = {}) {
  const seen = collector();
  const depacketiser = new AacDepacketiser(seen.handler, { ...hbr, ...options });
  const send = (...bytes: readonly number[]) => depacketiser.payload(Uint8Array.from(bytes), 0, bytes.length, 0);
  return { ...seen, depacketiser, send };
}

test('several frames of one packet follow each other', () => {
  const it = aac();

  it.send(0, 32, 0, 2 << 3, 0, 3 << 3, 1, 2, 3, 4, 5);

  expect(it.frames).toEqual([
    ['0102', 0],
    ['030405', 1024],
  ]);
});

test('low bit rate headers have six bits of size', () => {
  const it = aac({ sizeBits: 6, indexBits: 2, indexDeltaBits: 2 });

  it.send(0, 8, 2 << 2, 9, 8);

  expect(it.frames).toEqual([['0908', 0]]);
});

test('a frame in two packets is joined, one with a piece missing is left out', () => {
  const it = aac();

  it.send(0, 16, 0, 4 << 3, 1, 2);
  it.send(0, 16, 0, 4 << 3, 3, 4);
  it.send(0, 16, 0, 4 << 3, 5, 6);
  it.depacketiser.gap();
  it.send(0, 16, 0, 1 << 3, 7);

  expect(it.frames.map(([hex]) => hex)).toEqual(['01020304', '07']);
  expect(it.damagedCount()).toBe(1);
});

test('ADTS headers inside are taken off', () => {
  const it = aac();
  const adts = [0xff, 0xf1, 0x50, 0x80, 1, 0x5f, 0xfc, 0xaa, 0xbb, 0xcc];

  it.send(0, 16, 0, 10 << 3, ...adts);
  it.send(...adts);

  expect(it.frames.map(([hex]) => hex)).toEqual(['aabbcc', 'aabbcc']);
  expect(it.oddities).toHaveLength(2);
});

test('LATM as GStreamer announces it holds an AudioSpecificConfig', () => {
  const bytes = Buffer.from('40002310adca00', 'hex');
  const bits = new BitCursor();
  bits.reset(bytes, 0, bytes.length);

  const config = parseStreamMuxConfig(bits);

  expect(parseAudioSpecificConfig(config?.audioSpecificConfig ?? new Uint8Array())).toMatchObject({
    objectType: 2,
    samplingFrequencyHz: 48_000,
    channels: 1,
  });
  expect(config?.framesPerElement).toBe(1);
});

test('LATM elements in several packets are joined, and dropped when one is missing', () => {
  const seen = collector();
  const latm = new LatmDepacketiser(
    { ...seen.handler, config: () => {} },
    {
      config: { audioSpecificConfig: Uint8Array.of(0x11, 0x88), framesPerElement: 1, otherDataBits: 0 },
      isConfigInBand: false,
      ticksPerFrame: () => 1024,
    },
  );
  const send = (marker: boolean, ...bytes: readonly number[]) =>
    latm.payload(Uint8Array.from(bytes), 0, bytes.length, 0, marker);

  send(false, 255, 2, ...new Array(200).fill(7));
  send(true, ...new Array(57).fill(8));
  send(false, 4, 1, 2);
  latm.gap();
  send(true, 3, 4);
  send(true, 1, 9);

  expect(seen.frames.map(([hex]) => hex.length / 2)).toEqual([257, 1]);
  expect(seen.damagedCount()).toBe(1);
});

test('LATM with its config in band is read at any bit position', () => {
  const seen = collector();
  const configs: string[] = [];
  const latm = new LatmDepacketiser(
    { ...seen.handler, config: (config) => configs.push(Buffer.from(config.audioSpecificConfig).toString('hex')) },
    { config: undefined, isConfigInBand: true, ticksPerFrame: () => 1024 },
  );
  // useSameStreamMux 0 | version 0, same framing 1, sub frames 0 (6), program 0 (4), layer 0 (3) | AAC-LC 00010, 16 kHz 1000,
  // mono 0001, 000 | frame length type 000, fullness ff, other data 0, crc 0 | size 2 | two bytes.
  const bits = `0${'0'}${'1'}${'000000'}${'0000'}${'000'}${'0001010000001000'}${'000'}${'11111111'}${'0'}${'0'}${'00000010'}${'1010101001010101'}`;
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
  const bytes = Uint8Array.from(padded.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));

  latm.payload(bytes, 0, bytes.length, 0, true);

  expect(configs).toEqual(['1408']);
  expect(seen.frames).toEqual([['aa55', 0]]);
});
