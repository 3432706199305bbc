/** How devices are told of over HTTP: what is not known is null. */

import { z } from 'zod';
import type { DeviceClock, Inspection, OnvifFacts, PtzFeatures } from './onvif-port.ts';
import { shownUrl } from './source-url.ts';

export const clockShape = z.object({
  offsetMs: z.number().describe("the device's time minus ours"),
  accuracyMs: z.number().describe('devices tell whole seconds'),
  source: z.string().nullable().describe('NTP or Manual'),
  timeZone: z.string().nullable().describe('POSIX 1003.1'),
  readMs: z.number(),
});

const ptzShape = z.object({
  continuous: z.boolean(),
  absolute: z.boolean(),
  relative: z.boolean(),
  presetsMax: z.number(),
  home: z.boolean(),
});

const sourceShape = z.object({ kind: z.literal('rtsp'), url: z.string() });

export const inspectionShape = z.object({
  url: z.string(),
  manufacturer: z.string().nullable(),
  model: z.string().nullable(),
  firmware: z.string().nullable(),
  serialNumber: z.string().nullable(),
  clock: clockShape.nullable(),
  features: z.object({ media2: z.boolean(), events: z.boolean(), ptz: ptzShape.nullable() }),
  profiles: z.array(
    z.object({
      token: z.string(),
      name: z.string(),
      videoSource: z.string().nullable(),
      codec: z.string().nullable(),
      widthPixels: z.number().nullable(),
      heightPixels: z.number().nullable(),
      framesPerSecond: z.number().nullable(),
      bitrateKbps: z.number().nullable(),
      audioCodec: z.string().nullable(),
      url: z.string().nullable(),
      fault: z.string().nullable().describe('why there is no address'),
    }),
  ),
  channels: z
    .array(
      z.object({
        videoSource: z.string().nullable(),
        main: z.string().describe('token of the profile to record'),
        sub: z.string().nullable(),
        camera: z
          .object({
            source: sourceShape,
            sub: z.object({ source: sourceShape }).nullable(),
            onvif: z.object({ url: z.string(), tls: z.enum(['verify', 'any']) }),
          })
          .describe('for POST /api/cameras, with a name and the credentials'),
      }),
    )
    .describe('one for each scene: a recorder has several'),
});

export const onvifFactsShape = z.object({
  fault: z
    .object({ message: z.string(), hint: z.string().nullable() })
    .nullable()
    .describe('why it could not be asked now'),
  clock: clockShape.nullable(),
  features: z.object({ media2: z.boolean(), ptz: ptzShape.nullable(), events: z.boolean() }),
  events: z.object({
    state: z.enum(['connecting', 'listening', 'retrying', 'unsupported']),
    message: z.string().nullable(),
    hint: z.string().nullable(),
    sinceMs: z.number(),
    nextAttemptMs: z.number().nullable(),
    openEvents: z.number(),
    droppedEvents: z.number(),
  }),
});

export function clockAnswer(clock: DeviceClock | undefined): z.infer<typeof clockShape> | null {
  if (clock === undefined) return null;
  return { ...clock, source: clock.source ?? null, timeZone: clock.timeZone ?? null };
}

export function onvifFactsAnswer(facts: OnvifFacts): z.infer<typeof onvifFactsShape> {
  const { fault, clock, hasMedia2, ptz, events } = facts;
  return {
    fault: fault === undefined ? null : { message: fault.message, hint: fault.hint ?? null },
    clock: clockAnswer(clock),
    features: { media2: hasMedia2, ptz: ptzAnswer(ptz), events: events.state !== 'unsupported' },
    events: {
      ...events,
      message: events.message ?? null,
      hint: events.hint ?? null,
      nextAttemptMs: events.nextAttemptMs ?? null,
    },
  };
}

/** @param options.isLoginStored  the caller did not give it: what a device writes of it into addresses is hidden then */
export function inspectionAnswer(
  found: Inspection,
  { tls, isLoginStored }: { readonly tls: 'verify' | 'any'; readonly isLoginStored: boolean },
): z.infer<typeof inspectionShape> {
  const shown = (url: string) => (isLoginStored ? shownUrl(url) : url);
  const { profiles, channels, clock, ptz, hasMedia2, hasEvents } = found;
  const sourceOf = (token: string | undefined) => {
    const url = profiles.find((profile) => profile.token === token)?.url;
    return url === undefined ? undefined : { kind: 'rtsp' as const, url: shown(url) };
  };
  return {
    url: found.url,
    manufacturer: found.manufacturer ?? null,
    model: found.model ?? null,
    firmware: found.firmware ?? null,
    serialNumber: found.serialNumber ?? null,
    clock: clockAnswer(clock),
    features: { media2: hasMedia2, events: hasEvents, ptz: ptzAnswer(ptz) },
    profiles: profiles.map((profile) => ({
      token: profile.token,
      name: profile.name,
      videoSource: profile.videoSource ?? null,
      codec: profile.codec ?? null,
      widthPixels: profile.widthPixels ?? null,
      heightPixels: profile.heightPixels ?? null,
      framesPerSecond: profile.framesPerSecond ?? null,
      bitrateKbps: profile.bitrateKbps ?? null,
      audioCodec: profile.audioCodec ?? null,
      url: profile.url === undefined ? null : shown(profile.url),
      fault: profile.fault ?? null,
    })),
    channels: channels.flatMap(({ videoSource, main, sub }) => {
      const source = sourceOf(main);
      if (source === undefined) return [];
      const subSource = sourceOf(sub);
      const camera = {
        source,
        sub: subSource === undefined ? null : { source: subSource },
        onvif: { url: found.url, tls },
      };
      return { videoSource: videoSource ?? null, main, sub: sub ?? null, camera };
    }),
  };
}

function ptzAnswer(ptz: PtzFeatures | undefined): z.infer<typeof ptzShape> | null {
  return ptz ?? null;
}
