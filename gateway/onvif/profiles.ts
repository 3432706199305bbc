/** Media profiles of a device, with the address of each one's stream, and which of them a camera's main and sub should be. */

import { isAppError, toAppError } from '../../storage/base/errors.ts';
import type { OnvifDevice } from './device.ts';
import { onvifLimits } from './limits.ts';
import { unheard } from './soap-words.ts';
import { childOf, childrenOf, elementAt, escapeXml, numberAt, textAt, type XmlElement } from './xml.ts';

export type MediaProfile = {
  readonly token: string;
  readonly name: string;
  /** Profiles of one source show the same scene: a recorder has a source for each channel. */
  readonly videoSource: string | undefined;
  /** `h264`, `h265`, `jpeg`, `mpeg4`, or the device's word in lower case. */
  readonly codec: string | undefined;
  readonly widthPixels: number | undefined;
  readonly heightPixels: number | undefined;
  readonly framesPerSecond: number | undefined;
  readonly bitrateKbps: number | undefined;
  readonly audioCodec: string | undefined;
  readonly hasPtz: boolean;
  /** rtsp:// or rtsps:// at the device's own host, without user and password. */
  readonly url: string | undefined;
  /** Why there is no address. */
  readonly fault: string | undefined;
};

/** One scene: what to record of it, and what to show small. Tokens of profiles. */
export type Channel = {
  readonly videoSource: string | undefined;
  readonly main: string;
  readonly sub: string | undefined;
};

/** Smaller pictures show nothing; slower ones are no video. */
const subWidthPixelsMin = 320;
const subFramesPerSecondMin = 4;

/**
 * Reads all profiles: by Media2 where the device has it, since only that knows H.265, otherwise by Media1.
 * @throws AppError as `OnvifDevice.ask`; a profile without an address is told in its `fault`
 */
export async function readProfiles(device: OnvifDevice, signal: AbortSignal): Promise<readonly MediaProfile[]> {
  if (!device.hasService('media2')) return readBy(device, false, signal);
  try {
    const found = await readBy(device, true, signal);
    // Media2 that is announced and then fails or is empty: Media1 knows the profiles.
    if (found.some(({ url }) => url !== undefined) || !device.hasService('media')) return found;
  } catch (error) {
    if (!device.hasService('media') || isAppError(error, 'unauthenticated') || isAppError(error, 'cancelled'))
      throw error;
  }
  return readBy(device, false, signal);
}

async function readBy(device: OnvifDevice, isMedia2: boolean, signal: AbortSignal): Promise<MediaProfile[]> {
  const service = isMedia2 ? 'media2' : 'media';
  const answer = await device.askService(
    service,
    (client) => {
      client.media2Support = isMedia2;
      client.getProfiles(unheard);
    },
    signal,
  );
  const profiles = profilesOf(answer).slice(0, onvifLimits.profilesMax);
  const address = async (profile: MediaProfile): Promise<MediaProfile> => {
    try {
      const told = await device.askService(
        service,
        (client) => {
          client.media2Support = isMedia2;
          client.getStreamUri({ protocol: 'RTSP', profileToken: escapeXml(profile.token) }, unheard);
        },
        signal,
      );
      const url = streamUrl(uriOf(told), device.url);
      return url === undefined ? { ...profile, fault: 'the device tells no RTSP address for it' } : { ...profile, url };
    } catch (error) {
      if (signal.aborted) throw error;
      return { ...profile, fault: toAppError(error).message };
    }
  };
  const found: MediaProfile[] = [];
  for (let begin = 0; begin < profiles.length; begin += onvifLimits.profilesAtOnce) {
    found.push(...(await Promise.all(profiles.slice(begin, begin + onvifLimits.profilesAtOnce).map(address))));
  }
  return found;
}

/** Profiles as either media service tells them, still without addresses. */
export function profilesOf(answer: XmlElement): MediaProfile[] {
  return childrenOf(answer, 'Profiles').flatMap((profile) => {
    const token = profile.attributes.get('token');
    if (token === undefined || token === '' || token.length > onvifLimits.textMax) return [];
    // Media2 keeps them in an element of their own and shortens the names.
    const configurations = childOf(profile, 'Configurations');
    const part = (name: string) => childOf(configurations, name) ?? childOf(profile, `${name}Configuration`);
    const video = part('VideoEncoder');
    return {
      token,
      name: textAt(profile, 'Name') ?? token,
      videoSource: textAt(part('VideoSource'), 'SourceToken'),
      codec: textAt(video, 'Encoding')?.toLowerCase().replace('mpv4-es', 'mpeg4'),
      widthPixels: numberAt(video, 'Resolution', 'Width'),
      heightPixels: numberAt(video, 'Resolution', 'Height'),
      framesPerSecond: numberAt(video, 'RateControl', 'FrameRateLimit'),
      bitrateKbps: numberAt(video, 'RateControl', 'BitrateLimit'),
      audioCodec: textAt(part('AudioEncoder'), 'Encoding')?.toLowerCase(),
      hasPtz: part('PTZ') !== undefined,
      url: undefined,
      fault: undefined,
    };
  });
}

/** `MediaUri/Uri` from Media1, `Uri` from Media2. Longer than other texts: some devices put a token into it. */
function uriOf(answer: XmlElement): string | undefined {
  return (elementAt(answer, 'MediaUri', 'Uri') ?? childOf(answer, 'Uri'))?.text;
}

/**
 * The address of a stream as it can be reached: at the device's host, whatever the device takes itself for behind NAT or after
 * its address changed. User and password in it are left out, since ours are entered apart.
 */
export function streamUrl(told: string | undefined, deviceUrl: string): string | undefined {
  if (told === undefined || told.length > 2_048) return undefined;
  const match = /^(rtsps?):\/\/(?:[^/?#]*@)?(\[[^\]/]*\]|[^:/?#]*)(?::(\d{1,5}))?([/?#].*)?$/i.exec(told);
  if (match === null || /[\s\p{C}]/u.test(told)) return undefined;
  const [, scheme = '', , port, rest = '/'] = match;
  const hasPort = port !== undefined && Number(port) > 0 && Number(port) < 65_536;
  return `${scheme.toLowerCase()}://${new URL(deviceUrl).hostname}${hasPort ? `:${Number(port)}` : ''}${rest}`;
}

/**
 * For each scene the largest picture as main, and as sub the smallest H.264 one that is worth looking at.
 * Only codecs that can be recorded count; a scene without any is left out.
 */
export function recommended(profiles: readonly MediaProfile[]): readonly Channel[] {
  const usable = profiles.filter(({ codec, url }) => url !== undefined && (codec === 'h264' || codec === 'h265'));
  const sources = [...new Set(usable.map(({ videoSource }) => videoSource))];
  return sources.flatMap((videoSource) => {
    const scene = usable.filter((profile) => profile.videoSource === videoSource);
    const [main] = scene.toSorted((a, b) => pixelsOf(b) - pixelsOf(a) || rateOf(b) - rateOf(a));
    if (main === undefined) return [];
    const [sub] = scene
      .filter((profile) => profile.url !== main.url && profile.codec === 'h264' && pixelsOf(profile) < pixelsOf(main))
      .filter(({ widthPixels = 0 }) => widthPixels >= subWidthPixelsMin)
      .filter(({ framesPerSecond }) => (framesPerSecond ?? subFramesPerSecondMin) >= subFramesPerSecondMin)
      .toSorted((a, b) => pixelsOf(a) - pixelsOf(b) || rateOf(b) - rateOf(a));
    return [{ videoSource, main: main.token, sub: sub?.token }];
  });
}

function pixelsOf({ widthPixels = 0, heightPixels = 0 }: MediaProfile): number {
  return widthPixels * heightPixels;
}

function rateOf({ framesPerSecond = 0 }: MediaProfile): number {
  return framesPerSecond;
}
