/**
 * What other processes may ask of the role `onvif`, as a plain map for the lane server of `run/onvif.sock`. Parameters are parsed
 * before they are trusted; who may ask is decided by the one authoriser before a request comes here.
 */

import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import { withDeadline } from './deadline.ts';
import { onvifLimits } from './limits.ts';
import type { Onvif } from './onvif.ts';
import type { Ptz, PtzVector } from './ptz.ts';

export type OnvifRequests = Readonly<Record<string, (params: unknown) => Promise<unknown>>>;

const cameraId = z.string().min(1).max(64);
const text = z.string().min(1).max(onvifLimits.textMax);
const speed = z.number().min(-1).max(1);

const address = z.strictObject({
  url: z
    .string()
    .max(2_048)
    .regex(/^https?:\/\//),
  tls: z.enum(['verify', 'any']),
  username: z.string().max(256).optional(),
  password: z.string().max(256).optional(),
});

const vector = z.strictObject({ pan: speed.optional(), tilt: speed.optional(), zoom: speed.optional() });

const shapes = {
  search: z.strictObject({
    addresses: z.array(z.string().max(253)).min(1).max(64).optional(),
    ports: z.array(z.number().int().min(1).max(65_535)).min(1).max(onvifLimits.portsMax).optional(),
    interfaces: z.array(text).min(1).max(16).optional(),
    searchMs: z.number().min(100).max(onvifLimits.searchMsMax).optional(),
  }),
  address,
  camera: z.strictObject({ cameraId }),
  setClock: z.strictObject({ cameraId, source: z.enum(['ours', 'ntp']) }),
  move: z.strictObject({ cameraId, kind: z.enum(['continuous', 'absolute', 'relative']), vector }),
  preset: z.strictObject({ cameraId, token: text }),
  newPreset: z.strictObject({ cameraId, name: text, token: text.optional() }),
};

/** All requests by method. */
export function onvifRequests(
  dependencies: { readonly clock: Clock; readonly onvif: Onvif; readonly metrics: () => Promise<string> },
  options: { readonly signal: AbortSignal },
): OnvifRequests {
  const { clock, onvif, metrics } = dependencies;
  const within = <T>(work: (signal: AbortSignal) => Promise<T>) =>
    withDeadline(clock, { timeoutMs: onvifLimits.questionMs, signal: options.signal }, work);
  const withPtz = <T>(id: string, work: (ptz: Ptz, signal: AbortSignal) => Promise<T>) =>
    within(async (signal) => work(await onvif.camera(id).ptz(signal), signal));
  return {
    metrics,
    search: async (params) => ({ devices: await onvif.search(parse(shapes.search, params)) }),
    inspect: async (params) => {
      const { username, password, ...rest } = parse(shapes.address, params);
      const login = username === undefined ? {} : { username, password: password ?? '' };
      return within((signal) => onvif.inspect({ ...rest, ...login }, signal));
    },
    states: async () => ({
      cameras: onvif.cameras.map(({ planned, eventState, clock: deviceClock }) => ({
        cameraId: planned.cameraId,
        events: eventState,
        clock: deviceClock,
      })),
    }),
    camera: async (params) => {
      const camera = onvif.camera(parse(shapes.camera, params).cameraId);
      return within((signal) => camera.facts(signal));
    },
    'set-clock': async (params) => {
      const { cameraId: id, source } = parse(shapes.setClock, params);
      const camera = onvif.camera(id);
      return { clock: await within((signal) => camera.setClock(source, signal)) };
    },
    'ptz-move': async (params) => {
      const { cameraId: id, kind, vector: given } = parse(shapes.move, params);
      const by = vectorOf(given);
      await withPtz(id, async (ptz, signal) => {
        if (kind === 'continuous') await ptz.move(by, signal);
        else if (kind === 'absolute') await ptz.absolute(by, signal);
        else await ptz.relative(by, signal);
      });
      return { holdMs: onvifLimits.moveHoldMs };
    },
    'ptz-stop': async (params) => {
      await withPtz(parse(shapes.camera, params).cameraId, (ptz, signal) => ptz.stop(signal));
      return {};
    },
    presets: async (params) => ({
      presets: await withPtz(parse(shapes.camera, params).cameraId, (ptz, signal) => ptz.presets(signal)),
    }),
    'preset-goto': async (params) => {
      const { cameraId: id, token } = parse(shapes.preset, params);
      await withPtz(id, (ptz, signal) => ptz.gotoPreset(token, signal));
      return {};
    },
    'preset-set': async (params) => {
      const { cameraId: id, name, token } = parse(shapes.newPreset, params);
      const preset = token === undefined ? { name } : { name, token };
      return { token: await withPtz(id, (ptz, signal) => ptz.setPreset(preset, signal)) };
    },
    'preset-remove': async (params) => {
      const { cameraId: id, token } = parse(shapes.preset, params);
      await withPtz(id, (ptz, signal) => ptz.removePreset(token, signal));
      return {};
    },
  };
}

/** What is absent stays absent: it is not told to the device. */
function vectorOf({ pan, tilt, zoom }: z.infer<typeof vector>): PtzVector {
  return {
    ...(pan === undefined ? {} : { pan }),
    ...(tilt === undefined ? {} : { tilt }),
    ...(zoom === undefined ? {} : { zoom }),
  };
}

function parse<Shape extends z.ZodType>(shape: Shape, params: unknown): z.infer<Shape> {
  const parsed = shape.safeParse(params);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw appError('invalid_argument', `parameters are wrong: ${issue?.message ?? 'unknown'}`, {
    at: issue?.path.join('.'),
  });
}
