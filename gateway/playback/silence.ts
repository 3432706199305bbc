/**
 * Silence in the codec of an audio track: where sound is missing, players get silence, since an audio rendition with holes
 * makes them stall. Pure. The format of silence is short enough to stand in a URI, so that a request needs no state.
 */

import { appError } from '../../storage/base/errors.ts';
import { aacTrack, g711Track, opusTrack, parseAudioSpecificConfig } from '../../storage/media/index.ts';
import type { Track } from '../../storage/model/track.ts';

/** One silent codec frame and its length in samples of the track's sampling frequency. */
export type SilentFrame = { readonly bytes: Uint8Array; readonly samples: number };

/** G.711 has no frames: packets of 20 ms are what cameras send. */
const g711FramesPerSecond = 50;
/** Linear 0 in either law. */
const g711Zero = { pcmu: 0xff, pcma: 0xd5 } as const;
const opusFrameSamples = 960;
const g711RateHzMax = 48_000;
const configBytesMax = 64;
const aacCoreLowComplexity = 2;

/**
 * Elements of a raw_data_block by channel configuration (ISO/IEC 14496-3 table 1.19): single channel, channel pair and low
 * frequency elements.
 */
const aacElements: Readonly<Record<number, readonly ('single' | 'pair' | 'low')[]>> = {
  1: ['single'],
  2: ['pair'],
  3: ['single', 'pair'],
  4: ['single', 'pair', 'single'],
  5: ['single', 'pair', 'pair'],
  6: ['single', 'pair', 'pair', 'low'],
  8: ['single', 'pair', 'pair', 'pair', 'low'],
};
const aacElementIds = { single: 0, pair: 1, low: 3 } as const;
const aacEndId = 7;

/** One frame of silence for a track, or undefined for a codec that we can't write silence in. */
export function silentFrame(track: Track): SilentFrame | undefined {
  const audio = track.audio;
  if (audio === undefined) return undefined;
  switch (track.codec) {
    case 'aac':
      return silentAac(track.codecPrivate);
    case 'opus':
      // CELT, full band, 20 ms, one frame (RFC 6716 3.1), whose range coder reads "silence" at once.
      return { bytes: Uint8Array.of(audio.channels === 1 ? 0xf8 : 0xfc, 0xff, 0xfe), samples: opusFrameSamples };
    case 'pcmu':
    case 'pcma': {
      const samples = Math.round(audio.samplingFrequencyHz / g711FramesPerSecond);
      return { bytes: new Uint8Array(samples * audio.channels).fill(g711Zero[track.codec]), samples };
    }
    default:
      return undefined;
  }
}

/** The track's format for a URI (`aac.1190`, `opus.2`, `pcmu.8000.1`), or undefined where there is no silence in it. */
export function silenceFormatOf(track: Track): string | undefined {
  if (silentFrame(track) === undefined || track.codecPrivate.length > configBytesMax) return undefined;
  if (track.codec === 'aac') return `aac.${Buffer.from(track.codecPrivate).toString('hex')}`;
  if (track.codec === 'opus') return `opus.${track.audio?.channels}`;
  const { samplingFrequencyHz = 0, channels = 0 } = track.audio ?? {};
  return g711RateHzMax >= samplingFrequencyHz && channels <= 2
    ? `${track.codec}.${samplingFrequencyHz}.${channels}`
    : undefined;
}

/**
 * The track that a format from a URI describes.
 *
 * @throws AppError invalid_argument  not such a format
 */
export function silentTrack(format: string, trackNumber: number): Track {
  const [codec, first = '', second = ''] = format.split('.');
  const isHex = /^(?:[0-9a-f]{2})+$/.test(first) && first.length <= 2 * configBytesMax;
  if (codec === 'aac' && isHex) return aacTrack(trackNumber, Buffer.from(first, 'hex'));
  if (codec === 'opus' && /^[12]$/.test(first)) return opusTrack(trackNumber, { channels: Number(first) });
  if ((codec === 'pcmu' || codec === 'pcma') && /^\d{4,5}$/.test(first) && /^[12]$/.test(second)) {
    if (Number(first) > g711RateHzMax) throw notSilence(format);
    return g711Track(trackNumber, { law: codec, samplingFrequencyHz: Number(first), channels: Number(second) });
  }
  throw notSilence(format);
}

function notSilence(format: string): Error {
  return appError('invalid_argument', 'not a format of silence', { format: format.slice(0, 40) });
}

/**
 * A raw_data_block whose channels have no spectral data. HE-AAC decoders take a block without SBR data and only resample it.
 * Other cores than AAC-LC code their frames differently: no silence for them.
 */
function silentAac(audioSpecificConfig: Uint8Array): SilentFrame | undefined {
  const { coreObjectType, channels, objectType, samplesPerFrame } = parseAudioSpecificConfig(audioSpecificConfig);
  // Parametric stereo is told as two channels and coded as one.
  const elements = aacElements[objectType === 29 ? 1 : channels];
  if (coreObjectType !== aacCoreLowComplexity || elements === undefined) return undefined;
  const bits: string[] = [];
  const put = (value: number, count: number) => bits.push(value.toString(2).padStart(count, '0'));
  const putChannel = (hasOwnInfo: boolean) => {
    put(0, 8); // global_gain
    if (hasOwnInfo) putSeriesInfo();
    put(0, 3); // no pulse data, no temporal noise shaping, no gain control
  };
  // ics_info: reserved, long window, its shape, no scale factor bands, no prediction.
  const putSeriesInfo = () => put(0, 1 + 2 + 1 + 6 + 1);
  elements.forEach((element, tag) => {
    put(aacElementIds[element], 3);
    put(elements.slice(0, tag).filter((other) => other === element).length, 4);
    if (element !== 'pair') {
      putChannel(true);
      return;
    }
    put(1, 1); // common_window
    putSeriesInfo();
    put(0, 2); // no mid/side coding
    putChannel(false);
    putChannel(false);
  });
  put(aacEndId, 3);
  const text = bits.join('');
  const bytes = Uint8Array.from({ length: Math.ceil(text.length / 8) }, (_, at) =>
    Number.parseInt(text.slice(at * 8, at * 8 + 8).padEnd(8, '0'), 2),
  );
  return { bytes, samples: samplesPerFrame };
}
