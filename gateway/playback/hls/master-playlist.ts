/** Master playlists as text (RFC 8216bis). Pure. */

import type { Renditions, Variant } from './renditions.ts';

/** What one stream offers, and where. */
export type MasterPlaylistOffer = {
  /** Comes before the names of its groups; empty for the main stream. */
  readonly prefix: string;
  readonly renditions: Renditions;
  readonly video: (variant: Variant) => string;
  readonly audio: (variant: Variant) => string;
};

/**
 * Writes a master playlist: of each stream one variant with its own audio rendition for each selection of video, or audio alone.
 * A track that is left out is told in a comment line, since players say nothing about it.
 *
 * @param offers  the one to begin with first
 */
export function masterPlaylistText(offers: readonly MasterPlaylistOffer[]): string {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:8'];
  if (offers.every(({ renditions }) => renditions.isIndependent)) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  for (const { prefix, renditions } of offers) {
    for (const { trackNumber, reason } of renditions.leftOut) {
      lines.push(`# ${prefix}track ${trackNumber} is left out: ${reason.replace(/[\r\n]+/g, ' ')}`);
    }
  }
  // Where a variant of everything exists, it is the one to play.
  const isScored = offers.some(({ renditions }) => renditions.variants.length > 1);
  offers.forEach((offer, at) => {
    lines.push(
      ...variantLines(offer, isScored ? (variant) => scoreOf(variant) + 2 * (offers.length - 1 - at) : undefined),
    );
  });
  return `${lines.join('\n')}\n`;
}

function variantLines(
  { prefix, renditions, ...uris }: MasterPlaylistOffer,
  score: ((variant: Variant) => number) | undefined,
): string[] {
  const lines: string[] = [];
  for (const variant of renditions.variants) {
    const isVideo = variant.video !== 'none';
    const group = `audio-${prefix}${variant.video}`;
    if (isVideo && renditions.audio !== undefined) {
      lines.push(
        `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="${group}",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,` +
          `CHANNELS="${renditions.audio.channels}",URI="${uris.audio(variant)}"`,
      );
    }
    const attributes = [
      `BANDWIDTH=${variant.bandwidthMax}`,
      `AVERAGE-BANDWIDTH=${variant.bandwidthMean}`,
      `CODECS="${variant.codecs.join(',')}"`,
    ];
    if (isVideo) {
      attributes.push(`RESOLUTION=${variant.widthPixels}x${variant.heightPixels}`);
      attributes.push(`FRAME-RATE=${variant.framesPerSecond.toFixed(3)}`);
      if (score !== undefined) attributes.push(`SCORE=${score(variant)}`);
      if (renditions.audio !== undefined) attributes.push(`AUDIO="${group}"`);
    }
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(',')}`, isVideo ? uris.video(variant) : uris.audio(variant));
  }
  return lines;
}

function scoreOf(variant: Variant): number {
  return variant.video === 'any' ? 2 : 1;
}
