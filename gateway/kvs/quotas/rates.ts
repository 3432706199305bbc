/** What AWS lets an account and a thing of it ask for in a second, by operation. */

/** Requests in a second, of all keys and for one stream or channel; undefined is not counted. */
export type Rate = { readonly site?: number; readonly thing?: number };

const many: Rate = { site: 300, thing: 5 };
const some: Rate = { site: 50, thing: 5 };
const few: Rate = { site: 10, thing: 1 };
const lists: Rate = { site: 50 };

/** By path. What is not named here is bounded by its points, or not at all. */
export const rates: ReadonlyMap<string, Rate> = new Map([
  ['/createStream', lists],
  ['/listStreams', lists],
  ['/describeStream', many],
  ['/getDataEndpoint', many],
  ['/updateStream', some],
  ['/deleteStream', some],
  ['/updateDataRetention', some],
  ['/tagStream', some],
  ['/untagStream', some],
  ['/listTagsForStream', some],
  ['/TagResource', some],
  ['/UntagResource', some],
  ['/ListTagsForResource', some],
  ['/describeStreamStorageConfiguration', some],
  ['/updateStreamStorageConfiguration', some],
  ['/describeImageGenerationConfiguration', some],
  ['/updateImageGenerationConfiguration', some],
  ['/describeNotificationConfiguration', some],
  ['/updateNotificationConfiguration', some],
  ['/describeMappedResourceConfiguration', some],
  ['/describeEdgeConfiguration', some],
  ['/startEdgeConfigurationUpdate', few],
  ['/deleteEdgeConfiguration', few],
  ['/listEdgeAgentConfigurations', lists],
  ['/createSignalingChannel', lists],
  ['/listSignalingChannels', lists],
  ['/describeSignalingChannel', many],
  ['/getSignalingChannelEndpoint', { site: 300 }],
  ['/updateSignalingChannel', some],
  ['/deleteSignalingChannel', some],
  ['/describeMediaStorageConfiguration', some],
  ['/updateMediaStorageConfiguration', { site: 10, thing: 5 }],
  ['/v1/get-ice-server-config', { site: 100, thing: 5 }],
  ['/v1/send-alexa-offer-to-master', { site: 100, thing: 5 }],
  ['/joinStorageSession', { site: 50, thing: 2 }],
  ['/joinStorageSessionAsViewer', { site: 50, thing: 2 }],
  ['/connectAsMaster', { thing: 3 }],
  ['/connectAsViewer', { thing: 3 }],
  // Of a signalling connection, not of its channel.
  ['SendSdpOffer', { thing: 5 }],
  ['SendSdpAnswer', { thing: 5 }],
  ['SendIceCandidate', { thing: 20 }],
  ['/putMedia', { thing: 5 }],
  ['/getMedia', { thing: 5 }],
  ['/getHLSStreamingSessionURL', { thing: 25 }],
  ['/getDASHStreamingSessionURL', { thing: 25 }],
  // Of a streaming session, not of its stream.
  ['/hls/v1/getHLSMasterPlaylist.m3u8', { thing: 5 }],
  ['/hls/v1/getHLSMediaPlaylist.m3u8', { thing: 5 }],
  ['/hls/v1/getMP4InitFragment.mp4', { thing: 5 }],
  ['/hls/v1/getMP4MediaFragment.mp4', { thing: 20 }],
  ['/hls/v1/getTSFragment.ts', { thing: 20 }],
  ['/dash/v1/getDASHManifest.mpd', { thing: 5 }],
  ['/dash/v1/getMP4InitFragment.mp4', { thing: 5 }],
  ['/dash/v1/getMP4MediaFragment.mp4', { thing: 20 }],
]);

/** Fragments that are looked up, and fragments that are read, of one stream in a second. */
export const pointsPerSecond = { metadata: 10_000, media: 500 } as const;

export type Points = { readonly metadata: number; readonly media: number };

const clipFragmentsMax = 200;
const imagesBase = 400;
/** What AWS bounds these by: whoever asks for more is refused, and costs no more than who asks for as much. */
const listMax = 1_000;
const imagesMax = 100;
const playlistMax = 5_000;

/**
 * What a request costs its stream, told from its body alone, before anything is looked up. Playlists and manifests have no body:
 * `MaxResults` is what their session was asked for.
 */
export function pointsOf(path: string, input: Readonly<Record<string, unknown>>): Points {
  const number = (member: string, { otherwise, max }: { readonly otherwise: number; readonly max: number }) => {
    const value = input[member];
    return typeof value === 'number' && value > 0 ? Math.min(value, max) : otherwise;
  };
  switch (path) {
    case '/listFragments':
      return { metadata: number('MaxResults', { otherwise: 100, max: listMax }), media: 0 };
    case '/getMediaForFragmentList':
      return { metadata: 0, media: Array.isArray(input.Fragments) ? Math.min(input.Fragments.length, listMax) : 0 };
    case '/getClip':
      return { metadata: clipFragmentsMax, media: clipFragmentsMax };
    case '/getImages': {
      const images = number('MaxResults', { otherwise: 25, max: imagesMax });
      return { metadata: imagesBase + images, media: images };
    }
    case '/hls/v1/getHLSMasterPlaylist.m3u8':
    case '/hls/v1/getHLSMediaPlaylist.m3u8':
    case '/dash/v1/getDASHManifest.mpd':
      return { metadata: number('MaxResults', { otherwise: playlistMax, max: playlistMax }), media: 0 };
    case '/hls/v1/getMP4MediaFragment.mp4':
    case '/hls/v1/getTSFragment.ts':
    case '/dash/v1/getMP4MediaFragment.mp4':
      return { metadata: 0, media: 1 };
    default:
      return { metadata: 0, media: 0 };
  }
}
