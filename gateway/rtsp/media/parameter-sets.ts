/** The parameter sets of one video track, from the SDP and in band, and what they say about the track. */

import { isAppError } from '../../../storage/base/errors.ts';
import {
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
  type VideoParameters,
  withoutTrailingZeros,
} from '../../../storage/media/index.ts';
import { rtspLimits } from '../limits.ts';

type Kind = 'vps' | 'sps' | 'pps';

export class ParameterSets {
  readonly #codec: 'h264' | 'h265';
  readonly #sets: Record<Kind, Map<number, Uint8Array>> = { vps: new Map(), sps: new Map(), pps: new Map() };
  #lastSps: Uint8Array | undefined;
  #parameters: VideoParameters | undefined;
  #isStale = false;

  constructor(codec: 'h264' | 'h265') {
    this.#codec = codec;
  }

  /**
   * Takes one parameter set, borrowed until return. The usual case, one that is known already, costs a comparison.
   * Broken ones are left out: false.
   */
  put(nal: Uint8Array): boolean {
    const set = withoutTrailingZeros(nal);
    const kind = this.#kindOf(set);
    if (kind === undefined) return false;
    const sets = this.#sets[kind];
    for (const known of sets.values()) {
      if (Buffer.compare(known, set) !== 0) continue;
      if (kind === 'sps' && known !== this.#lastSps) {
        this.#lastSps = known;
        this.#isStale = true;
      }
      return true;
    }
    try {
      const id = this.#idOf(kind, set);
      if (sets.size >= rtspLimits.parameterSetsMax && !sets.has(id)) return false;
      const copy = set.slice();
      sets.set(id, copy);
      if (kind === 'sps') this.#lastSps = copy;
      this.#isStale = true;
      return true;
    } catch (error) {
      if (isAppError(error)) return false;
      throw error;
    }
  }

  /** What the newest sequence parameter set says, or undefined while sets are missing or cannot be read. */
  get parameters(): VideoParameters | undefined {
    if (this.#isStale) {
      this.#isStale = false;
      this.#parameters = this.#read() ?? this.#parameters;
    }
    return this.#parameters;
  }

  #read(): VideoParameters | undefined {
    const sps = this.#lastSps;
    if (sps === undefined) return undefined;
    try {
      const isH264 = this.#codec === 'h264';
      const id = isH264 ? h264SpsId(sps) : h265SpsId(sps);
      const idsOf = isH264 ? h264PpsIds : h265PpsIds;
      const pps = [...this.#sets.pps.values()].filter((set) => idsOf(set).spsId === id);
      if (pps.length === 0) return undefined;
      if (isH264) return h264Parameters(sps, pps);
      const [vps] = this.#sets.vps.values();
      return vps === undefined ? undefined : h265Parameters(vps, sps, pps);
    } catch (error) {
      if (isAppError(error)) return undefined;
      throw error;
    }
  }

  #kindOf(nal: Uint8Array): Kind | undefined {
    const first = nal[0] ?? 0;
    if (this.#codec === 'h264') {
      const type = h264NalType(first);
      return type === h264NalTypes.sps ? 'sps' : type === h264NalTypes.pps ? 'pps' : undefined;
    }
    const type = h265NalType(first);
    if (type === h265NalTypes.vps) return 'vps';
    return type === h265NalTypes.sps ? 'sps' : type === h265NalTypes.pps ? 'pps' : undefined;
  }

  #idOf(kind: Kind, nal: Uint8Array): number {
    if (this.#codec === 'h264') return kind === 'sps' ? h264SpsId(nal) : h264PpsIds(nal).ppsId;
    if (kind === 'vps') return h265VpsId(nal);
    return kind === 'sps' ? h265SpsId(nal) : h265PpsIds(nal).ppsId;
  }
}

/** True when pictures by both can go through one decoder set-up, and so into one run. */
export function isSamePicture(a: VideoParameters, b: VideoParameters): boolean {
  return (
    a.widthPixels === b.widthPixels &&
    a.heightPixels === b.heightPixels &&
    a.profileIdc === b.profileIdc &&
    a.chromaFormat === b.chromaFormat &&
    a.bitDepthLuma === b.bitDepthLuma &&
    a.bitDepthChroma === b.bitDepthChroma &&
    a.isInterlaced === b.isInterlaced
  );
}
