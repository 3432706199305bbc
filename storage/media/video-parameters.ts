/** What parameter sets tell about a video track, common to H.264 and H.265. */

export type VideoParameters = {
  readonly codec: 'h264' | 'h265';
  /** Size of the shown picture: coded size less cropping. */
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** The standard's name for people (`High`, `Main 10`), or `profile 123`. */
  readonly profile: string;
  readonly profileIdc: number;
  /** As coded: 10 times the level for H.264, 30 times for H.265. */
  readonly levelIdc: number;
  /** chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chromaFormat: number;
  readonly bitDepthLuma: number;
  readonly bitDepthChroma: number;
  /** Coded with fields allowed (H.264 frame_mbs_only_flag 0, H.265 field_seq_flag). */
  readonly isInterlaced: boolean;
  /** Shape of a pixel, where it is told and not square. */
  readonly sampleAspect: { readonly width: number; readonly height: number } | undefined;
  /** RFC 6381. */
  readonly codecString: string;
  /** avcC or hvcC. */
  readonly codecPrivate: Uint8Array;
  /** Pictures that may have to wait for a later one before they are shown; undefined where the stream leaves it open. */
  readonly reorderPicturesMax: number | undefined;
  /** What the stream declares. Many cameras declare nonsense: for display, never for timing. */
  readonly framesPerSecond: number | undefined;
};

/** Sample aspect ratios by aspect_ratio_idc 1 .. 16 (H.264 table E-1, H.265 table E.1). */
const namedAspects: readonly (readonly [number, number])[] = [
  [1, 1],
  [12, 11],
  [10, 11],
  [16, 11],
  [40, 33],
  [24, 11],
  [20, 11],
  [32, 11],
  [80, 33],
  [18, 11],
  [15, 11],
  [64, 33],
  [160, 99],
  [4, 3],
  [3, 2],
  [2, 1],
];

const extendedAspect = 255;

/** Reads aspect_ratio_info and the fields up to chroma location, which the VUI of both standards share. */
export function readCommonVui(reader: {
  bits(count: number): number;
  flag(): boolean;
  skip(count: number): void;
  unsigned(max?: number): number;
}): { readonly width: number; readonly height: number } | undefined {
  let width = 1;
  let height = 1;
  if (reader.flag()) {
    const idc = reader.bits(8);
    const named = namedAspects[idc - 1];
    if (idc === extendedAspect) {
      width = reader.bits(16);
      height = reader.bits(16);
    } else if (named !== undefined) [width, height] = named;
  }
  if (reader.flag()) reader.skip(1); // overscan_appropriate_flag
  if (reader.flag()) {
    reader.skip(4); // video_format, video_full_range_flag
    if (reader.flag()) reader.skip(24); // colour primaries, transfer, matrix
  }
  if (reader.flag()) {
    reader.unsigned(5); // chroma_sample_loc_type of both fields
    reader.unsigned(5);
  }
  return width === height || width === 0 || height === 0 ? undefined : { width, height };
}
