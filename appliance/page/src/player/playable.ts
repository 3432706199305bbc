/**
 * Which form of a stream this browser gets: the original where it can decode it, otherwise one that is converted on demand, and
 * where that is refused, why and what else there is. The browser is asked with the codecs that the playlist names.
 */

import { ApiError, type ApiFault, faultOf } from '../api.ts';

export type Playable =
  | { readonly kind: 'original' }
  /** `codec` as people call it. */
  | { readonly kind: 'converted'; readonly url: string; readonly codec: string }
  | {
      readonly kind: 'refused';
      readonly fault: ApiFault;
      /** The smaller picture of the same camera can be played as it is. */
      readonly hasSmaller: boolean;
      /** The original as a file. */
      readonly downloadUrl: string;
      readonly retryAfterMs: number;
    };

/** One variant of a master playlist. */
type Variant = { readonly codecs: string; readonly isSub: boolean };

/** Of players that are gone: the next one in this page takes over the place among the conversions that it held. */
const freeNames: string[] = [];

const retryAfterMsDefault = 20_000;
/** What of a live stream is offered as a file. */
const liveDownloadMs = 60_000;
const clipMarginMs = 5_000;

/**
 * Decides by what the playlist offers and the browser can decode. For a conversion it takes the place at once, so that whoever is
 * refused reads it before anything plays.
 *
 * @param url     of a master playlist
 * @param player  letters and digits: by it the appliance knows that a player that went on needs the place it had no more
 */
export async function playableOf(
  url: string,
  { player, nowMs = Date.now() }: { readonly player: string; readonly nowMs?: number },
): Promise<Playable> {
  const response = await fetch(url).catch(() => undefined);
  // Whatever is wrong with the playlist, the player finds out, says it, and tries again.
  if (response === undefined || !response.ok) return { kind: 'original' };
  const variants = variantsOf(await response.text());
  const main = variants.filter(({ isSub }) => !isSub);
  if (main.length === 0 || main.some(canPlay)) return { kind: 'original' };
  const codec = main.map(({ codecs }) => convertible(codecs)).find((name) => name !== undefined);
  if (codec === undefined) return { kind: 'original' };
  const converted = `${url}${url.includes('?') ? '&' : '?'}video=h264&player=${player}`;
  const answer = await fetch(converted).catch(() => undefined);
  if (answer?.ok === true) return { kind: 'converted', url: converted, codec };
  return {
    kind: 'refused',
    fault: await faultIn(answer),
    hasSmaller: variants.some((variant) => variant.isSub && canPlay(variant)),
    downloadUrl: downloadOf(url, nowMs),
    retryAfterMs: Number(answer?.headers.get('retry-after') ?? 0) * 1000 || retryAfterMsDefault,
  };
}

/** Whether this browser decodes what is stored of a track; any H.265 of the most common kind stands for all of it. */
export function canPlayCodec(codec: string): boolean {
  if (!/^(?:h265|hevc|h\.265)$/i.test(codec)) return true;
  return typeof MediaSource === 'undefined' || MediaSource.isTypeSupported('video/mp4; codecs="hvc1.1.6.L120.B0"');
}

/** A name for a new player of this page. */
export function takePlayerName(): string {
  return freeNames.pop() ?? Math.random().toString(36).slice(2);
}

/** The player of that name is gone. */
export function givePlayerName(name: string): void {
  freeNames.push(name);
}

/** The variants of a master playlist, those of the camera's sub stream marked. */
export function variantsOf(playlist: string): Variant[] {
  const lines = playlist.split('\n');
  return lines.flatMap((line, at) => {
    const [, codecs] = /^#EXT-X-STREAM-INF:.*\bCODECS="([^"]*)"/.exec(line) ?? [];
    return codecs === undefined ? [] : [{ codecs, isSub: (lines[at + 1] ?? '').startsWith('sub-') }];
  });
}

function canPlay({ codecs }: Variant): boolean {
  // Without media sources the browser plays HLS itself, as iPhones do, and those decode H.265.
  return typeof MediaSource === 'undefined' || MediaSource.isTypeSupported(`video/mp4; codecs="${codecs}"`);
}

function convertible(codecs: string): string | undefined {
  return /\b(?:hvc1|hev1)\./.test(codecs) ? 'H.265' : undefined;
}

async function faultIn(answer: Response | undefined): Promise<ApiFault> {
  const body: unknown = await answer?.json().catch(() => undefined);
  const fault = (body as { error?: ApiFault } | undefined)?.error;
  return fault ?? faultOf(new ApiError(0, { code: 'unavailable', message: 'the video cannot be converted just now' }));
}

function downloadOf(url: string, nowMs: number): string {
  const { pathname, searchParams } = new URL(url, location.href);
  const begin = searchParams.get('begin') ?? String(nowMs - liveDownloadMs);
  const end = searchParams.get('end') ?? String(nowMs - clipMarginMs);
  return `${pathname.replace(/hls\/master\.m3u8$/, 'clip.mp4')}?begin=${begin}&end=${end}`;
}
