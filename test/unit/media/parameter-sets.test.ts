import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../../../storage/base/errors.ts';
import {
  annexBToLengthPrefixed,
  buildAvcC,
  buildHvcC,
  forEachNal,
  h264NalType,
  h264NalTypes,
  h264Parameters,
  h264PpsIds,
  h264SpsId,
  h265NalType,
  h265NalTypes,
  h265Parameters,
  h265PpsIds,
  h265SpsId,
  h265VpsId,
  parameterSetsOf,
  parseAvcC,
  parseHvcC,
  videoTrack,
} from '../../../storage/media/index.ts';
import { BitWriter } from './bit-writer.ts';
import { type ClipName, clipBytes, clipPath, read, streamsOf } from './clips.ts';

describe('H.264 parameter sets', () => {
  test.each<ClipName>(['baseline.mkv', 'bframes.mkv', 'interlaced.mkv', 'gstreamer.mkv'])(
    'of %s tell what ffprobe tells',
    async (name) => {
      const { sps, pps } = parseAvcC(await privateOf(name));
      const [stream] = await streamsOf(await clipPath(name));

      const parameters = h264Parameters(one(sps), pps);

      expect(parameters).toMatchObject({
        codec: 'h264',
        widthPixels: stream?.width,
        heightPixels: stream?.height,
        profile: stream?.profile,
        levelIdc: stream?.level,
        bitDepthLuma: Number(stream?.bits_per_raw_sample),
        framesPerSecond: 25,
        isInterlaced: name === 'interlaced.mkv',
        sampleAspect: name === 'interlaced.mkv' ? { width: 12, height: 11 } : undefined,
        reorderPicturesMax: name === 'bframes.mkv' ? stream?.has_b_frames : 0,
      });
    },
  );

  test('make the same avcC as the muxer that had them', async () => {
    for (const name of ['baseline.mkv', 'bframes.mkv'] as const) {
      const theirs = await privateOf(name);
      const { sps, pps } = parseAvcC(theirs);

      expect(hexOf(buildAvcC({ sps, pps }))).toBe(hexOf(theirs));
    }
  });

  test('of several pictures sizes are all kept, and come back', async () => {
    const a = parseAvcC(await privateOf('baseline.mkv'));
    const b = parseAvcC(await privateOf('interlaced.mkv'));
    const sets = { sps: [...a.sps, ...b.sps], pps: [...a.pps, ...b.pps] };

    const parsed = parseAvcC(buildAvcC(sets));

    expect(parsed.sps.map(hexOf)).toEqual(sets.sps.map(hexOf));
    expect(parsed.pps.map(hexOf)).toEqual(sets.pps.map(hexOf));
    expect(parsed.nalLengthBytes).toBe(4);
  });

  test.each([
    { chroma: 0, width: 64, height: 48, crop: [1, 2, 3, 4], shown: [61, 41] },
    { chroma: 1, width: 64, height: 48, crop: [1, 2, 3, 4], shown: [58, 34] },
    { chroma: 2, width: 64, height: 48, crop: [1, 2, 3, 4], shown: [58, 41] },
    { chroma: 3, width: 64, height: 48, crop: [1, 2, 3, 4], shown: [61, 41] },
    { chroma: 1, width: 64, height: 64, crop: [0, 0, 0, 1], shown: [64, 60], isField: true },
    { chroma: 1, width: 1920, height: 1088, crop: [0, 0, 0, 4], shown: [1920, 1080] },
  ])('crop in units of chroma format $chroma', (wanted) => {
    const parameters = h264Parameters(h264Sps(wanted), []);

    expect([parameters.widthPixels, parameters.heightPixels]).toEqual(wanted.shown);
    expect(parameters).toMatchObject({ chromaFormat: wanted.chroma, bitDepthLuma: 10, bitDepthChroma: 8 });
  });

  test('whose VUI is cut off keep all that was before it', () => {
    const sps = h264Sps({ chroma: 1, width: 640, height: 480, crop: [0, 0, 0, 0], hasBrokenVui: true });

    expect(h264Parameters(sps, [])).toMatchObject({ widthPixels: 640, heightPixels: 480, framesPerSecond: undefined });
  });

  test('have ids by which pictures name them', async () => {
    const { sps, pps } = parseAvcC(await privateOf('baseline.mkv'));

    expect(h264SpsId(one(sps))).toBe(0);
    expect(h264PpsIds(one(pps))).toEqual({ ppsId: 0, spsId: 0 });
  });

  test('with zeros at their end, which belong to the byte stream, lose them', async () => {
    const { sps, pps } = parseAvcC(await privateOf('baseline.mkv'));
    const padded = new Uint8Array([...one(sps), 0, 0]);

    expect(h264Parameters(padded, pps)).toEqual(h264Parameters(one(sps), pps));
  });

  test('that are damaged are refused or read, and never anything else', async () => {
    const { sps } = parseAvcC(await privateOf('interlaced.mkv'));
    survives(one(sps), (bytes) => h264Parameters(bytes, [bytes]));
    survives(await privateOf('bframes.mkv'), parseAvcC);
  });
});

describe('H.265 parameter sets', () => {
  test('tell what ffprobe tells', async () => {
    const { vps, sps, pps } = parseHvcC(await privateOf('hevc.mkv'));
    const [stream] = await streamsOf(await clipPath('hevc.mkv'));

    expect(h265Parameters(one(vps), one(sps), pps)).toMatchObject({
      codec: 'h265',
      widthPixels: 160,
      heightPixels: 120,
      profile: stream?.profile,
      levelIdc: stream?.level,
      chromaFormat: 1,
      framesPerSecond: 25,
      reorderPicturesMax: stream?.has_b_frames,
      codecString: 'hvc1.1.6.L30.90',
    });
  });

  test('make an hvcC that differs from the muxer one in what we leave open only', async () => {
    const theirs = await privateOf('hevc.mkv');
    const { vps, sps, pps } = parseHvcC(theirs);

    const ours = buildHvcC({ vps, sps, pps });

    expect(hexOf(ours.subarray(0, 13))).toBe(hexOf(theirs.subarray(0, 13)));
    expect(hexOf(ours.subarray(16, 19))).toBe(hexOf(theirs.subarray(16, 19)));
    expect((ours[21] ?? 0) & 0x3f).toBe((theirs[21] ?? 0) & 0x3f);
    const parsed = parseHvcC(ours);
    expect([parsed.vps, parsed.sps, parsed.pps].map((s) => s.map(hexOf))).toEqual(
      [vps, sps, pps].map((s) => s.map(hexOf)),
    );
  });

  test('are found in a byte stream, and the track has them in the order decoders want', async () => {
    const unit = annexBToLengthPrefixed(await clipBytes('hevc.h265'));
    const sets = new Map<number, Uint8Array>();
    forEachNal(unit, (bytes, begin, end) => {
      const type = h265NalType(bytes[begin] ?? 0);
      if (!sets.has(type)) sets.set(type, bytes.subarray(begin, end));
    });
    const [vps, sps, pps] = [sets.get(h265NalTypes.vps), sets.get(h265NalTypes.sps), sets.get(h265NalTypes.pps)];
    if (vps === undefined || sps === undefined || pps === undefined) throw new Error('stream has no parameter sets');

    const track = videoTrack(1, h265Parameters(vps, sps, [pps]));

    expect(parameterSetsOf(track).map(hexOf)).toEqual([vps, sps, pps].map(hexOf));
    expect([h265VpsId(vps), h265SpsId(sps), h265PpsIds(pps)]).toEqual([0, 0, { ppsId: 0, spsId: 0 }]);
  });

  test.each([
    { subLayers: 1, chroma: 1, crop: [0, 0, 0, 4], shown: [1920, 1080] },
    { subLayers: 3, chroma: 1, crop: [0, 0, 0, 4], shown: [1920, 1080] },
    { subLayers: 7, chroma: 2, crop: [2, 2, 0, 8], shown: [1912, 1080] },
    { subLayers: 2, chroma: 3, crop: [1, 0, 0, 8], shown: [1919, 1080] },
  ])('with $subLayers sub-layers and chroma format $chroma are walked through to the VUI', (wanted) => {
    const sps = h265Sps(wanted);
    const parameters = h265Parameters(Uint8Array.of(0x40, 1), sps, []);

    expect([parameters.widthPixels, parameters.heightPixels]).toEqual(wanted.shown);
    expect(parameters).toMatchObject({
      chromaFormat: wanted.chroma,
      bitDepthLuma: 10,
      bitDepthChroma: 10,
      reorderPicturesMax: 2,
      framesPerSecond: 30,
      sampleAspect: { width: 4, height: 3 },
      codecString: 'hvc1.2.4.H153.b0.0.8',
    });
    expect((parameters.codecPrivate[21] ?? 0) >> 3).toBe(wanted.subLayers);
  });

  test('that are damaged are refused or read, and never anything else', async () => {
    const { vps, sps } = parseHvcC(await privateOf('hevc.mkv'));
    survives(one(sps), (bytes) => h265Parameters(one(vps), bytes, []));
    survives(one(vps), (bytes) => h265Parameters(bytes, one(sps), []));
    survives(await privateOf('hevc.mkv'), parseHvcC);
  });
});

test('an in-band SPS of a byte stream is the one of its container', async () => {
  const unit = annexBToLengthPrefixed(await clipBytes('baseline.h264'));
  const found: string[] = [];
  forEachNal(unit, (bytes, begin, end) => {
    if (h264NalType(bytes[begin] ?? 0) === h264NalTypes.sps) found.push(hexOf(bytes.subarray(begin, end)));
  });

  expect(new Set(found)).toEqual(new Set([hexOf(one(parseAvcC(await privateOf('baseline.mkv')).sps))]));
});

/** Flips, cuts and random bytes: the parser may refuse, with an AppError, and must come back. */
function survives(bytes: Uint8Array, parse: (bytes: Uint8Array) => unknown): void {
  const tryIt = (input: Uint8Array) => {
    try {
      parse(input);
    } catch (error) {
      if (!isAppError(error)) throw error;
    }
  };
  for (let length = 0; length < bytes.length; length++) tryIt(bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 12 }), (damages) => {
      const damaged = new Uint8Array(bytes);
      for (const [at, byte] of damages) damaged[at] = byte;
      tryIt(damaged);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
      tryIt(new Uint8Array([...bytes.subarray(0, 4), ...random]));
    }),
    { numRuns: 300 },
  );
}

type SpsPlan = {
  readonly chroma: number;
  readonly width: number;
  readonly height: number;
  readonly crop: readonly number[];
  readonly isField?: boolean;
  readonly hasBrokenVui?: boolean;
};

/** An SPS of High 4:4:4 Predictive with scaling lists, built bit by bit. */
function h264Sps(plan: SpsPlan): Uint8Array {
  const w = new BitWriter();
  w.bits(244, 8).bits(0, 8).bits(40, 8).unsigned(3).unsigned(plan.chroma);
  if (plan.chroma === 3) w.bits(0, 1);
  w.unsigned(2).unsigned(0).bits(0, 1).bits(1, 1);
  // One flat list that ends early, one of 16 differences, none of the others.
  w.bits(1, 1).signed(-8);
  w.bits(1, 1);
  for (let i = 0; i < 16; i++) w.signed(1);
  for (let i = 2; i < (plan.chroma === 3 ? 12 : 8); i++) w.bits(0, 1);
  w.unsigned(0).unsigned(1).bits(0, 1).signed(-1).signed(2).unsigned(2).signed(5).signed(-5);
  w.unsigned(4).bits(0, 1);
  w.unsigned(plan.width / 16 - 1).unsigned(plan.height / (plan.isField ? 32 : 16) - 1);
  w.bits(plan.isField ? 0 : 1, 1);
  if (plan.isField) w.bits(0, 1);
  w.bits(1, 1).bits(1, 1);
  for (const crop of plan.crop) w.unsigned(crop);
  w.bits(plan.hasBrokenVui ? 1 : 0, 1);
  return new Uint8Array([0x67, ...w.nalBytes()]);
}

/** An SPS of Main 10, High tier, with sub-layers, scaling lists, predicted reference sets and VUI, built bit by bit. */
function h265Sps(plan: { subLayers: number; chroma: number; crop: readonly number[] }): Uint8Array {
  const w = new BitWriter();
  const lower = plan.subLayers - 1;
  w.bits(0, 4).bits(lower, 3).bits(1, 1);
  w.bits(0, 2).bits(1, 1).bits(2, 5).bits(0x20000000, 32).bits(0xb000, 16).bits(0x0800, 16).bits(0, 16).bits(153, 8);
  for (let i = 0; i < lower; i++) w.bits(i % 2 === 0 ? 3 : 1, 2);
  if (lower > 0) w.bits(0, 2 * (8 - lower));
  for (let i = 0; i < lower; i++) {
    if (i % 2 === 0) for (let byte = 0; byte < 11; byte++) w.bits(0x55, 8);
    w.bits(90, 8);
  }
  w.unsigned(0).unsigned(plan.chroma);
  if (plan.chroma === 3) w.bits(0, 1);
  w.unsigned(1920).unsigned(1088).bits(1, 1);
  for (const crop of plan.crop) w.unsigned(crop);
  w.unsigned(2).unsigned(2).unsigned(4).bits(1, 1);
  for (let i = 0; i <= lower; i++)
    w.unsigned(4)
      .unsigned(i === lower ? 2 : 1)
      .unsigned(0);
  for (let i = 0; i < 6; i++) w.unsigned(1);
  w.bits(1, 1).bits(1, 1);
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (matrix > 0) {
        w.bits(0, 1).unsigned(1);
        continue;
      }
      w.bits(1, 1);
      if (size > 1) w.signed(2);
      for (let i = 0; i < Math.min(64, 16 << (size << 1)); i++) w.signed(i % 2 === 0 ? 1 : -1);
    }
  }
  w.bits(3, 2).bits(1, 1).bits(0x77, 8).unsigned(0).unsigned(0).bits(1, 1);
  // Three reference sets; the last is coded as a difference to the one before.
  w.unsigned(3);
  w.unsigned(1).unsigned(0).unsigned(0).bits(1, 1);
  w.bits(0, 1).unsigned(1).unsigned(1).unsigned(0).bits(1, 1).unsigned(1).bits(0, 1);
  w.bits(1, 1).bits(0, 1).unsigned(0).bits(1, 1).bits(0, 1).bits(1, 1).bits(1, 1);
  w.bits(1, 1).unsigned(2).bits(5, 8).bits(1, 1).bits(6, 8).bits(0, 1);
  w.bits(3, 2).bits(1, 1);
  w.bits(1, 1).bits(14, 8).bits(1, 1).bits(0, 1).bits(1, 1).bits(0, 4).bits(1, 1).bits(0x010101, 24);
  w.bits(1, 1).unsigned(0).unsigned(0).bits(0, 3).bits(1, 1).unsigned(1).unsigned(0).unsigned(0).unsigned(0);
  w.bits(1, 1).bits(1001, 32).bits(30_030, 32).bits(0, 1).bits(0, 1).bits(0, 1).bits(0, 1);
  return new Uint8Array([0x42, 0x01, ...w.nalBytes()]);
}

async function privateOf(name: ClipName): Promise<Uint8Array> {
  const track = read([await clipBytes(name)]).head.tracks.find((t) => t.kind === 'video');
  if (track === undefined) throw new Error('clip has no video');
  return track.codecPrivate;
}

function one(sets: readonly Uint8Array[]): Uint8Array {
  const [set] = sets;
  if (set === undefined) throw new Error('there is no parameter set');
  return set;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
