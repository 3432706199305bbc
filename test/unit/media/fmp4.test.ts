import { describe, expect, test } from 'vitest';
import {
  audioClockHz,
  audioFrameCounter,
  type Fmp4TrackSamples,
  flacTrack,
  fmp4Fragment,
  fmp4FragmentHead,
  fmp4FragmentHeadBytes,
  fmp4Index,
  fmp4IndexBytes,
  fmp4Init,
  g711ToFlac,
  g711Track,
  joinNals,
  opusTrack,
  parameterSetsOf,
  parseWaveFormat,
  reorderDelayUs,
} from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import {
  type ClipName,
  clipBytes,
  clipPath,
  decoded,
  packetsOf,
  read,
  streamsOf,
  type Told,
  withFile,
} from './clips.ts';

describe('fMP4', () => {
  test.each<ClipName>(['baseline.mkv', 'bframes.mkv', 'open-gop.mkv', 'interlaced.mkv', 'hevc.mkv'])(
    'holds the pictures of %s at their times, and they decode to the same pixels',
    async (name) => {
      const told = read([await clipBytes(name)]);

      const leadUs = reorderDelayUs(told.frames.map((f) => ({ presentationTimeUs: (f.timecode + f.relative) * 1000 })));
      const clip = fmp4Of(told, told.head.tracks, { decodeLeadUs: leadUs, timeOffsetUs: leadUs });

      await withFile('clip.mp4', clip, async (path) => {
        const ours = await packetsOf(path);
        const theirs = await packetsOf(await clipPath(name));
        expect(ours.map((p) => [p.pts / 90 - leadUs / 1000, p.size, p.flags.slice(0, 1)])).toEqual(
          theirs.map((p) => [p.pts, p.size, p.flags.slice(0, 1)]),
        );
        expect(ours.every((p, i) => p.dts > (ours[i - 1]?.dts ?? -1))).toBe(true);
        const rawVideo = ['-map', '0:v', '-f', 'rawvideo'];
        expect(await decoded('-i', path, ...rawVideo)).toEqual(await decoded('-i', await clipPath(name), ...rawVideo));
      });
    },
  );

  test.each<ClipName>(['h264-aac.mkv', 'h264-opus.mkv', 'flac.mkv'])(
    'holds the sound of %s without gaps',
    async (name) => {
      const told = read([await clipBytes(name)]);
      const audio = told.head.tracks.filter((track) => track.kind === 'audio');

      await withFile('clip.mp4', fmp4Of(told, audio), async (path) => {
        const ours = await packetsOf(path);
        const theirs = (await packetsOf(await clipPath(name))).filter(
          (p) => told.head.tracks[p.stream_index]?.kind === 'audio',
        );
        expect(ours.map((p) => p.size)).toEqual(theirs.map((p) => p.size));
        const [track] = audio;
        const [first] = told.frames.filter((f) => f.trackNumber === track?.number);
        if (track === undefined || first === undefined) throw new Error('clip has no sound');
        const samplesOf = audioFrameCounter(track);
        let samples = Math.round(((first.timecode + first.relative) * audioClockHz(track)) / 1000);
        for (const [i, frame] of told.frames.filter((f) => f.trackNumber === track.number).entries()) {
          expect(ours[i]?.pts).toBe(samples);
          samples += samplesOf(frame.bytes);
        }
        const pcm = ['-map', '0:a', '-f', 's16le'];
        expect((await decoded('-i', path, ...pcm)).length).toBeGreaterThan(0);
      });
    },
  );

  test('converts G.711 to FLAC whose samples are those of the G.711 decoder, bit for bit', async () => {
    const told = read([await clipBytes('h264-alaw.mkv')]);
    const g711 = told.head.tracks.find((track) => track.codec === 'pcma');
    const format = parseWaveFormat(g711?.codecPrivate ?? new Uint8Array(0));
    if (g711 === undefined || format === undefined) throw new Error('clip has no A-law');
    const track = flacTrack(g711);
    const converted = {
      ...told,
      frames: told.frames.map((f) =>
        f.trackNumber === g711.number ? { ...f, bytes: g711ToFlac(format, f.bytes) } : f,
      ),
    };

    await withFile('clip.mp4', fmp4Of(converted, [track]), async (path) => {
      const pcm = ['-map', '0:a', '-f', 's16le'];
      expect(await decoded('-i', path, ...pcm)).toEqual(await decoded('-i', await clipPath('h264-alaw.mkv'), ...pcm));
      expect(await streamsOf(path)).toMatchObject([{ codec_name: 'flac', sample_rate: '8000', channels: 1 }]);
    });
  });

  test('holds several tracks in one fragment, with an index and a duration', async () => {
    const told = read([await clipBytes('h264-aac.mkv')]);
    const [video] = told.head.tracks;
    if (video === undefined) throw new Error('clip has no video');
    const fragments = fragmentsOf(told, told.head.tracks);
    const entries = fragments.map(({ bytes, beginUs, endUs }) => ({
      byteLength: bytes.length,
      durationUs: endUs - beginUs,
      isKey: true,
    }));
    const index = fmp4Index({ track: video, beginTimeUs: 0, entries });
    expect(index.length).toBe(fmp4IndexBytes(fragments.length));
    const clip = Buffer.concat([
      fmp4Init(told.head.tracks, { durationMs: 2000 }),
      index,
      ...fragments.map(({ bytes }) => bytes),
    ]);

    await withFile('clip.mp4', clip, async (path) => {
      const streams = await streamsOf(path);
      expect(streams).toMatchObject([
        { codec_name: 'h264', codec_tag_string: 'avc1', width: 160, height: 120 },
        { codec_name: 'aac', codec_tag_string: 'mp4a', sample_rate: '44100' },
      ]);
      // ffprobe takes it from the index, which ends with the last sound.
      expect(Number(streams[0]?.duration) * 1e6).toBe(entries.reduce((sum, entry) => sum + entry.durationUs, 0));
      const theirs = await packetsOf(await clipPath('h264-aac.mkv'));
      expect((await packetsOf(path)).length).toBe(theirs.length);
    });
  });

  test('plays on over a change of picture size with a second sample entry', async () => {
    const small = read([await clipBytes('baseline.mkv')]);
    const other = read([await clipBytes('interlaced.mkv')]);
    const [first] = small.head.tracks;
    const [second] = other.head.tracks;
    if (first === undefined || second === undefined) throw new Error('clips have no video');
    // As from cameras: parameter sets stand in band too.
    const sets = joinNals(parameterSetsOf(second));
    const frames = other.frames.map((f) => (f.isKey ? { ...f, bytes: Buffer.concat([sets, f.bytes]) } : f));
    const clip = Buffer.concat([
      fmp4Init([first, second]),
      ...fragmentsOf(small, [first]).map(({ bytes }) => bytes),
      ...fragmentsOf({ ...other, frames }, [second], { sampleDescriptionIndex: 2, timeOffsetUs: 2_000_000 }).map(
        ({ bytes }) => bytes,
      ),
    ]);

    await withFile('clip.mp4', clip, async (path) => {
      const packets = await packetsOf(path);
      expect(packets.length).toBe(small.frames.length + other.frames.length);
      expect(packets.at(-1)?.pts).toBe((2000 + 1960) * 90);
    });
  });

  test('shows each picture at its own time, with decode times that only rise, without any lead', async () => {
    const told = read([await clipBytes('open-gop.mkv')]);
    const shown: number[] = [];
    let before = -1;
    for (const { bytes } of fragmentsOf(told, told.head.tracks)) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const text = Buffer.from(bytes).toString('latin1');
      let decode = Number(view.getBigUint64(text.indexOf('tfdt') + 8));
      const trun = text.indexOf('trun');
      expect(view.getUint8(trun + 4)).toBe(1);
      for (let i = 0; i < view.getUint32(trun + 8); i++) {
        expect(decode).toBeGreaterThan(before);
        before = decode;
        shown.push((decode + view.getInt32(trun + 16 + 16 * i + 12)) / 90);
        decode += view.getUint32(trun + 16 + 16 * i);
      }
    }

    expect(shown).toEqual(told.frames.map((f) => f.timecode + f.relative));
  });

  test('has heads whose size follows from the numbers of samples alone', () => {
    const video = opusTrack(1, { channels: 1 });
    const samples = (count: number) =>
      Array.from({ length: count }, (_, i) => ({
        presentationTimeUs: i * 20_000,
        isKey: true,
        bytes: new Uint8Array(1 + i).fill(8),
      }));

    for (const counts of [[0], [1], [7, 0], [3, 100]]) {
      const tracks = counts.map((count) => ({ track: video, samples: samples(count), endTimeUs: 0 }));
      const head = fmp4FragmentHead({ sequenceNumber: 1, tracks });
      expect(head.length).toBe(fmp4FragmentHeadBytes(counts));
    }
  });

  test('refuses what no browser plays, and times before zero', () => {
    const g711 = g711Track(1, { law: 'pcmu', samplingFrequencyHz: 8000, channels: 1 });
    const track = opusTrack(1, { channels: 2 });
    const samples = [{ presentationTimeUs: -1000, isKey: true, bytes: Uint8Array.of(8) }];

    expect(() => fmp4Init([g711])).toThrow(expect.objectContaining({ code: 'unimplemented' }));
    expect(() => fmp4Init([])).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => fmp4Fragment({ sequenceNumber: 1, tracks: [{ track, samples, endTimeUs: 0 }] })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });

  test('tells the shape of pixels that are not square', async () => {
    const told = read([await clipBytes('interlaced.mkv')]);

    await withFile('clip.mp4', fmp4Of(told), async (path) => {
      expect(await streamsOf(path)).toMatchObject([{ sample_aspect_ratio: '12:11', width: 160, height: 120 }]);
    });
  });
});

type Placed = { readonly bytes: Uint8Array; readonly beginUs: number; readonly endUs: number };

type Times = {
  readonly sampleDescriptionIndex?: number;
  readonly timeOffsetUs?: number;
  readonly decodeLeadUs?: number;
};

function fmp4Of(told: Told, tracks: readonly Track[] = told.head.tracks, times: Times = {}): Uint8Array {
  return Buffer.concat([fmp4Init(tracks), ...fragmentsOf(told, tracks, times).map(({ bytes }) => bytes)]);
}

/** One fragment for each GOP: the first track's key frames begin one. */
function fragmentsOf(
  told: Told,
  tracks: readonly Track[],
  { sampleDescriptionIndex = 1, timeOffsetUs = 0, decodeLeadUs = 0 }: Times = {},
): Placed[] {
  const timeUs = (frame: Told['frames'][number]) => (frame.timecode + frame.relative) * 1000;
  const [lead] = tracks;
  const begins = told.frames.filter((f) => f.trackNumber === lead?.number && f.isKey && f.laceIndex === 0);
  const groups: Told['frames'][number][][] = [];
  for (const frame of told.frames) {
    if (groups.length === 0 || (lead?.kind === 'video' && begins.includes(frame))) groups.push([]);
    groups.at(-1)?.push(frame);
  }
  return groups.map((group, i) => {
    const next = (groups[i + 1] ?? []).map(timeUs);
    const track = (one: Track): Fmp4TrackSamples => {
      const frames = group.filter((f) => f.trackNumber === one.number);
      const own = (groups[i + 1] ?? []).filter((f) => f.trackNumber === one.number).map(timeUs);
      const samples = frames.map((f) => ({ presentationTimeUs: timeUs(f), isKey: f.isKey, bytes: f.bytes }));
      const endTimeUs = own.length > 0 ? Math.min(...own) : Math.max(0, ...frames.map(timeUs)) + 40_000;
      return { track: one, samples, endTimeUs, sampleDescriptionIndex, decodeLeadUs };
    };
    const bytes = fmp4Fragment({
      sequenceNumber: i + 1,
      tracks: tracks.map(track),
      timeOffsetUs,
    });
    const beginUs = Math.min(...group.map(timeUs));
    return { bytes, beginUs, endUs: next.length > 0 ? Math.min(...next) : Math.max(...group.map(timeUs)) + 40_000 };
  });
}
