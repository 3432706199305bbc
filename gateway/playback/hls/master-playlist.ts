/** Master playlists as text (RFC 8216bis). Pure. */

import type { Renditions, Variant } from './renditions.ts';

export type MasterPlaylistUris = {
  readonly video: (variant: Variant) => string;
  readonly audio: (variant: Variant) => string;
};

/**
 * Writes a master playlist: one variant with its own audio rendition for each selection of video, or audio alone.
 * A track that is left out is told in a comment line, since players say nothing about it.
 */
export function masterPlaylistText(renditions: Renditions, uris: MasterPlaylistUris): string {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:8'];
  if (renditions.isIndependent) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  for (const { trackNumber, reason } of renditions.leftOut) {
    lines.push(`# track ${trackNumber} is left out: ${reason.replace(/[\r\n]+/g, ' ')}`);
  }
  for (const variant of renditions.variants) {
    const isVideo = variant.video !== 'none';
    const group = `audio-${variant.video}`;
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
      // Where a variant of everything exists, it is the one to play.
      if (renditions.variants.length > 1) attributes.push(`SCORE=${variant.video === 'any' ? 2 : 1}`);
      if (renditions.audio !== undefined) attributes.push(`AUDIO="${group}"`);
    }
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(',')}`, isVideo ? uris.video(variant) : uris.audio(variant));
  }
  return `${lines.join('\n')}\n`;
}
