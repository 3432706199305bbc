/** ONVIF devices as the API tells them. */

import type { RtspSource } from '../api.ts';

export type FoundDevice = {
  readonly endpoint: string;
  readonly name: string | null;
  readonly hardware: string | null;
  readonly location: string | null;
  /** Of its device service, the best one first. */
  readonly urls: readonly string[];
  readonly address: string;
  /** The camera at this host that is there already. */
  readonly cameraId: string | null;
};

export type Profile = {
  readonly token: string;
  readonly name: string;
  readonly codec: string | null;
  readonly widthPixels: number | null;
  readonly heightPixels: number | null;
  readonly framesPerSecond: number | null;
  readonly fault: string | null;
};

export type Inspection = {
  readonly url: string;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly clock: DeviceClock | null;
  readonly features: { readonly events: boolean; readonly ptz: unknown };
  readonly profiles: readonly Profile[];
  /** One for each scene: a recorder has several. */
  readonly channels: readonly {
    readonly main: string;
    readonly sub: string | null;
    readonly camera: {
      readonly source: Pick<RtspSource, 'kind' | 'url'>;
      readonly sub: { readonly source: Pick<RtspSource, 'kind' | 'url'> } | null;
      readonly onvif: { readonly url: string; readonly tls: 'verify' | 'any' };
    };
  }[];
};

export type DeviceClock = {
  /** The device's time minus ours. */
  readonly offsetMs: number;
  readonly source: string | null;
  readonly readMs: number;
};

export type OnvifFacts = {
  readonly fault: { readonly message: string; readonly hint: string | null } | null;
  readonly clock: DeviceClock | null;
  readonly features: { readonly events: boolean; readonly ptz: PtzFeatures | null };
  readonly events: { readonly state: string; readonly message: string | null; readonly openEvents: number };
};

export type PtzFeatures = {
  readonly continuous: boolean;
  readonly absolute: boolean;
  readonly relative: boolean;
  readonly presetsMax: number;
  readonly home: boolean;
};

/** `H264 1920 × 1080, 25/s`. */
export function profileText(profile: Profile | undefined): string {
  if (profile === undefined) return '';
  const { codec, widthPixels, heightPixels, framesPerSecond } = profile;
  const size = widthPixels === null || heightPixels === null ? undefined : `${widthPixels} × ${heightPixels}`;
  const rate = framesPerSecond === null ? undefined : `${framesPerSecond}/s`;
  return [codec?.toUpperCase(), size, rate].filter((part) => part !== undefined).join(' ') || profile.name;
}
