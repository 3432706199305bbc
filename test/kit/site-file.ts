/**
 * A whole site as a file, for the cameras that a test has: every camera with two renditions, all recording modes and schedules
 * among them. Who applies it gives the password in the environment.
 */

import { stringify } from 'yaml';

/** One camera that runs somewhere: simulator, GStreamer, ffmpeg. */
export type SiteFileCamera = {
  readonly url: string;
  /** The smaller rendition; the simulator has one stream, which may be both. */
  readonly subUrl?: string;
  readonly transport?: 'tcp' | 'udp';
  readonly tls?: 'verify' | 'any';
  readonly username?: string;
  /** It publishes by RTMP with the key that has this SHA-256. */
  readonly keySha256?: string;
};

export type SiteFileOptions = {
  readonly site?: string;
  readonly cameras: readonly SiteFileCamera[];
  readonly retentionHours?: number;
  /** The variable that holds the cameras' password. */
  readonly passwordVariable?: string;
};

/** A camera simulator, as far as a file needs it. */
type Simulator = { readonly url: (camera: number) => string };

/**
 * Cameras whose main pictures come from simulators in turn (one sends H.264, another H.265) and whose smaller ones from another.
 * Each of `mains` has `count / mains.length` cameras or more, `subs` has `count`.
 */
export function simulatedCameras(
  simulators: { readonly mains: readonly Simulator[]; readonly subs: Simulator },
  count: number,
): SiteFileCamera[] {
  const { mains, subs } = simulators;
  return Array.from({ length: count }, (_, i) => ({
    url: mains[i % mains.length]?.url(Math.floor(i / mains.length)) ?? '',
    subUrl: subs.url(i),
  }));
}

/** Names of the cameras in the file: `camera-01`. */
export function siteCameraName(camera: number): string {
  return `camera-${String(camera + 1).padStart(2, '0')}`;
}

/** The YAML text: of four cameras one each is continuous, by schedule, of events, and continuous with a recorded sub source. */
export function siteFileText(options: SiteFileOptions): string {
  const { site = 'proof', cameras, retentionHours = 24, passwordVariable = 'CAMERA_PASSWORD' } = options;
  const entries = cameras.map((camera, i) => [
    siteCameraName(i),
    {
      source: sourceOf(camera),
      ...(camera.username === undefined
        ? {}
        : { credentials: { username: camera.username, password: { env: passwordVariable } } }),
      recording: recordingOf(i, retentionHours),
      ...(camera.subUrl === undefined
        ? {}
        : {
            sub: {
              source: sourceOf({ ...camera, url: camera.subUrl }),
              recording: i % 4 === 3 ? { mode: 'continuous', retentionHours } : { mode: 'live' },
            },
          }),
    },
  ]);
  return stringify({
    version: 1,
    site,
    cameras: Object.fromEntries(entries),
    policies: {
      'first-camera': {
        statements: [
          { effect: 'allow', actions: ['cameras:read', 'streams:*'], resources: [{ camera: siteCameraName(0) }] },
        ],
      },
    },
    users: { admin: { role: 'admin' }, guard: { role: 'viewer' }, porter: { role: null, policies: ['first-camera'] } },
    settings: { alarms: { gapMinutesPerDay: 5 } },
  });
}

function sourceOf({ url, transport = 'tcp', tls = 'verify', keySha256 }: SiteFileCamera): object {
  return keySha256 === undefined ? { url, transport, tls } : { kind: 'rtmp', keySha256 };
}

function recordingOf(camera: number, retentionHours: number): object {
  if (camera % 4 === 1) return { mode: 'live', retentionHours, schedule: { timeZone: 'UTC', spans: allWeek } };
  if (camera % 4 === 2) return { mode: 'events', retentionHours, preRollMinutes: 30 };
  return { mode: 'continuous', retentionHours };
}

/** Continuous at every hour, said as a schedule: what is proved about it does not depend on when the test runs. */
const allWeek = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({
  weekday,
  beginMinute: 0,
  endMinute: 1_440,
  mode: 'continuous',
}));
