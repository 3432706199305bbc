/** An audio track of a session: packets in, codec frames and a description out. */

import { isAppError } from '../../../storage/base/errors.ts';
import { aacTrack, g711Track, opusTrack, parseAudioSpecificConfig } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { AacDepacketiser, type AudioHandler, WholePacketDepacketiser } from './audio.ts';
import { BitCursor } from './bits.ts';
import { type ChosenMedia, clockRateOf } from './formats.ts';
import { type LatmConfig, LatmDepacketiser, parseStreamMuxConfig } from './latm.ts';
import type { PacketHandler } from './receiver.ts';
import type { MediaTrack, TrackOwner } from './video-track.ts';

type Depacketiser = {
  payload(bytes: Uint8Array, begin: number, end: number, rtpTime: number, hasMarker: boolean): void;
  gap(): void;
};

const frequenciesHz = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

export class AudioTrack implements MediaTrack, AudioHandler {
  readonly #owner: TrackOwner;
  readonly #chosen: ChosenMedia;
  readonly #depacketiser: Depacketiser;
  readonly #oddities = new Set<string>();
  #description: Track | undefined;
  #ticksPerFrame = 1024;
  #isAfterLoss = false;
  #damaged = 0;

  constructor(owner: TrackOwner, chosen: ChosenMedia) {
    this.#owner = owner;
    this.#chosen = chosen;
    this.#depacketiser = this.#open();
  }

  readonly packets: PacketHandler = {
    payload: (bytes, begin, end, rtpTime, hasMarker) => {
      this.#depacketiser.payload(bytes, begin, end, rtpTime, hasMarker);
    },
    gap: (packets) => {
      this.#depacketiser.gap();
      this.#isAfterLoss = true;
      this.#owner.loss(packets);
    },
    restarted: () => {
      this.#depacketiser.gap();
      this.#owner.restarted();
    },
  };

  get description(): Track | undefined {
    return this.#description;
  }

  get damagedUnits(): number {
    return this.#damaged;
  }

  frame(bytes: Uint8Array, rtpTime: number, ticksAfter: number): void {
    const isAfterLoss = this.#isAfterLoss;
    this.#isAfterLoss = false;
    this.#owner.unit(bytes, rtpTime, ticksAfter, true, isAfterLoss, false);
  }

  damaged(): void {
    this.#damaged++;
    this.#isAfterLoss = true;
  }

  oddity(text: string): void {
    if (this.#oddities.has(text)) return;
    this.#oddities.add(text);
    this.#owner.warning(text);
  }

  #open(): Depacketiser {
    const { codec, format, trackNumber } = this.#chosen;
    const samplingFrequencyHz = clockRateOf(this.#chosen);
    switch (codec) {
      case 'pcmu':
      case 'pcma':
        this.#description = g711Track(trackNumber, {
          law: codec,
          samplingFrequencyHz,
          channels: Math.min(2, format.channels),
        });
        return new WholePacketDepacketiser(this);
      case 'opus':
        // RFC 7587 writes two channels always; a decoder makes two of one by itself.
        this.#description = opusTrack(trackNumber, { channels: format.channels === 1 ? 1 : 2 });
        return new WholePacketDepacketiser(this);
      case 'aac-latm':
        return this.#openLatm();
      default:
        return this.#openAac();
    }
  }

  #openAac(): Depacketiser {
    const { parameters } = this.#chosen.format;
    const isLow = parameters.get('mode')?.toLowerCase() === 'aac-lbr';
    const number = (name: string, fallback: number, max: number) => {
      const value = Number(parameters.get(name) ?? fallback);
      return Number.isInteger(value) && value >= 0 && value <= max ? value : fallback;
    };
    this.#describe(hexBytes(parameters.get('config')));
    const constantSize = number('constantsize', 0, 8_191);
    const sizeBits = number('sizelength', constantSize > 0 ? 0 : isLow ? 6 : 13, 32);
    return new AacDepacketiser(this, {
      sizeBits,
      indexBits: number('indexlength', isLow ? 2 : 3, 32),
      indexDeltaBits: number('indexdeltalength', isLow ? 2 : 3, 32),
      constantSize,
      ticksPerFrame: this.#ticksPerFrame,
    });
  }

  #openLatm(): Depacketiser {
    const { parameters } = this.#chosen.format;
    const bytes = hexBytes(parameters.get('config'));
    let config: LatmConfig | undefined;
    if (bytes !== undefined) {
      const bits = new BitCursor();
      bits.reset(bytes, 0, bytes.length);
      config = parseStreamMuxConfig(bits);
    }
    const isConfigInBand = parameters.get('cpresent') !== '0';
    if (config !== undefined) this.config(config);
    else if (!isConfigInBand) this.oddity('the description of the AAC sound cannot be read');
    return new LatmDepacketiser(
      {
        frame: this.frame.bind(this),
        damaged: this.damaged.bind(this),
        oddity: this.oddity.bind(this),
        config: this.config.bind(this),
      },
      { config, isConfigInBand, ticksPerFrame: () => this.#ticksPerFrame },
    );
  }

  /** LATM told what it carries. The first description stays: sound that changes its form is rare enough to end the track. */
  config(config: LatmConfig): void {
    if (this.#description !== undefined) return;
    this.#describe(config.audioSpecificConfig);
    if (this.#description !== undefined) this.#owner.described();
  }

  /** Without a usable config (HIK Media Server names the wrong payload type) AAC-LC of the RTP clock's rate is the best guess. */
  #describe(config: Uint8Array | undefined): void {
    const { trackNumber, format } = this.#chosen;
    const clockRateHz = clockRateOf(this.#chosen);
    const guess = guessedConfig(clockRateHz, format.channels);
    for (const bytes of [config, guess]) {
      if (bytes === undefined) continue;
      try {
        const { samplesPerFrame, samplingFrequencyHz } = parseAudioSpecificConfig(bytes);
        this.#description = aacTrack(trackNumber, bytes);
        this.#ticksPerFrame = (samplesPerFrame * clockRateHz) / samplingFrequencyHz;
        if (bytes === guess) this.oddity('the description of the AAC sound is missing and was guessed');
        return;
      } catch (error) {
        if (!isAppError(error)) throw error;
      }
    }
    this.oddity('the description of the AAC sound cannot be read');
  }
}

function hexBytes(text: string | undefined): Uint8Array | undefined {
  if (text === undefined || !/^[0-9a-f]{4,512}$/i.test(text)) return undefined;
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** AudioSpecificConfig of AAC-LC: object type 2, rate, channels. */
function guessedConfig(samplingFrequencyHz: number, channels: number): Uint8Array | undefined {
  const index = frequenciesHz.indexOf(samplingFrequencyHz);
  if (index < 0) return undefined;
  const bits = (2 << 11) | (index << 7) | (Math.min(Math.max(channels, 1), 2) << 3);
  return Uint8Array.of(bits >> 8, bits & 0xff);
}
