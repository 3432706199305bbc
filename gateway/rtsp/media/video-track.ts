/** A video track of a session: packets in, access units and descriptions out. */

import { isKeyAccessUnit, type VideoParameters, videoTrack } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { ChosenMedia } from './formats.ts';
import { H264Depacketiser } from './h264.ts';
import { H265Depacketiser } from './h265.ts';
import { isSamePicture, ParameterSets } from './parameter-sets.ts';
import type { PictureHandler } from './picture.ts';
import type { PacketHandler } from './receiver.ts';

/** What a track tells its session. */
export type TrackOwner = {
  /**
   * One access unit, borrowed until return.
   *
   * @param isNewDescription  the track's description changed with this unit
   */
  unit(
    bytes: Uint8Array,
    rtpTime: number,
    ticksAfter: number,
    isKey: boolean,
    isAfterLoss: boolean,
    isNewDescription: boolean,
  ): void;
  loss(packets: number): void;
  /** The track can be described from now on. */
  described(): void;
  restarted(): void;
  warning(text: string): void;
};

/** A track of either kind, as the session sees it. */
export type MediaTrack = {
  readonly packets: PacketHandler;
  /** Undefined while the parameters are unknown. */
  readonly description: Track | undefined;
  /** Units left out because pieces of them are missing. */
  readonly damagedUnits: number;
};

export class VideoTrack implements MediaTrack, PictureHandler {
  readonly #owner: TrackOwner;
  readonly #codec: 'h264' | 'h265';
  readonly #trackNumber: number;
  readonly #sets: ParameterSets;
  readonly #depacketiser: H264Depacketiser | H265Depacketiser;
  readonly #oddities = new Set<string>();
  /** What was last told by `description`. */
  #told: VideoParameters | undefined;
  #damaged = 0;

  constructor(owner: TrackOwner, chosen: ChosenMedia) {
    this.#owner = owner;
    this.#codec = chosen.codec === 'h265' ? 'h265' : 'h264';
    this.#trackNumber = chosen.trackNumber;
    this.#sets = new ParameterSets(this.#codec);
    const { parameters } = chosen.format;
    const hasDonl = Number(parameters.get('sprop-max-don-diff') ?? 0) > 0;
    this.#depacketiser = this.#codec === 'h264' ? new H264Depacketiser(this) : new H265Depacketiser(this, { hasDonl });
    for (const nal of describedSets(this.#codec, parameters)) this.#sets.put(nal);
    this.#depacketiser.pictures.isInterlaced = this.#sets.parameters?.isInterlaced ?? false;
  }

  readonly packets: PacketHandler = {
    payload: (bytes, begin, end, rtpTime, hasMarker) => {
      this.#depacketiser.payload(bytes, begin, end, rtpTime, hasMarker);
    },
    gap: (packets) => {
      this.#depacketiser.pictures.gap();
      this.#owner.loss(packets);
    },
    restarted: () => {
      this.#depacketiser.pictures.flush();
      this.#owner.restarted();
    },
  };

  get description(): Track | undefined {
    const parameters = this.#sets.parameters;
    if (parameters === undefined) return undefined;
    this.#told = parameters;
    return videoTrack(this.#trackNumber, parameters);
  }

  get damagedUnits(): number {
    return this.#damaged;
  }

  picture(bytes: Uint8Array, rtpTime: number, key: 'key' | 'perhaps' | 'no', isAfterLoss: boolean): void {
    const isKey = key === 'key' || (key === 'perhaps' && isKeyAccessUnit(this.#codec, bytes));
    const parameters = this.#sets.parameters;
    const isNew =
      isKey && this.#told !== undefined && parameters !== undefined && !isSamePicture(this.#told, parameters);
    this.#owner.unit(bytes, rtpTime, 0, isKey, isAfterLoss, isNew);
  }

  parameterSet(nal: Uint8Array): void {
    const before = this.#sets.parameters;
    if (!this.#sets.put(nal)) this.oddity('a parameter set in the stream cannot be read');
    const parameters = this.#sets.parameters;
    if (parameters === before || parameters === undefined) return;
    this.#depacketiser.pictures.isInterlaced = parameters.isInterlaced;
    if (before === undefined) this.#owner.described();
  }

  damaged(): void {
    this.#damaged++;
  }

  oddity(text: string): void {
    if (this.#oddities.has(text)) return;
    this.#oddities.add(text);
    this.#owner.warning(text);
  }
}

/** Parameter sets in `a=fmtp`: base64, several with commas; some cameras leave the start codes before them. */
function describedSets(codec: 'h264' | 'h265', parameters: ReadonlyMap<string, string>): readonly Uint8Array[] {
  const names = codec === 'h264' ? ['sprop-parameter-sets'] : ['sprop-vps', 'sprop-sps', 'sprop-pps'];
  return names
    .flatMap((name) => (parameters.get(name) ?? '').split(','))
    .filter((text) => text.trim() !== '')
    .slice(0, 64)
    .map((text) => withoutStartCode(Buffer.from(text, 'base64')))
    .filter((nal) => nal.length > 1);
}

function withoutStartCode(bytes: Uint8Array): Uint8Array {
  const one = bytes.indexOf(1);
  const isStartCode = (one === 2 || one === 3) && bytes.subarray(0, one).every((byte) => byte === 0);
  return isStartCode ? bytes.subarray(one + 1) : bytes;
}
