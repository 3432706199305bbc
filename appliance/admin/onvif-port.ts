/** What `serve` asks the role `onvif` for, which is started by the first question. */

import { z } from 'zod';
import { appError, isAppError } from '../../storage/base/errors.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import { adminLimits } from './limits.ts';

const deviceShape = z.object({
  endpoint: z.string(),
  name: z.string().optional(),
  hardware: z.string().optional(),
  location: z.string().optional(),
  urls: z.array(z.string()),
  address: z.string(),
});

const clockShape = z.object({
  offsetMs: z.number(),
  accuracyMs: z.number(),
  source: z.string().optional(),
  timeZone: z.string().optional(),
  readMs: z.number(),
});

const ptzShape = z.object({
  continuous: z.boolean(),
  absolute: z.boolean(),
  relative: z.boolean(),
  presetsMax: z.number(),
  home: z.boolean(),
});

const profileShape = z.object({
  token: z.string(),
  name: z.string(),
  videoSource: z.string().optional(),
  codec: z.string().optional(),
  widthPixels: z.number().optional(),
  heightPixels: z.number().optional(),
  framesPerSecond: z.number().optional(),
  bitrateKbps: z.number().optional(),
  audioCodec: z.string().optional(),
  url: z.string().optional(),
  fault: z.string().optional(),
});

const inspectionShape = z.object({
  url: z.string(),
  manufacturer: z.string().optional(),
  model: z.string().optional(),
  firmware: z.string().optional(),
  serialNumber: z.string().optional(),
  clock: clockShape.optional(),
  hasMedia2: z.boolean(),
  hasEvents: z.boolean(),
  ptz: ptzShape.optional(),
  profiles: z.array(profileShape),
  channels: z.array(z.object({ videoSource: z.string().optional(), main: z.string(), sub: z.string().optional() })),
});

const factsShape = z.object({
  fault: z.object({ message: z.string(), hint: z.string().optional() }).optional(),
  clock: clockShape.optional(),
  hasMedia2: z.boolean(),
  ptz: ptzShape.optional(),
  events: z.object({
    state: z.enum(['connecting', 'listening', 'retrying', 'unsupported']),
    message: z.string().optional(),
    hint: z.string().optional(),
    sinceMs: z.number(),
    nextAttemptMs: z.number().optional(),
    openEvents: z.number(),
    droppedEvents: z.number(),
  }),
});

const clockAnswer = z.object({ clock: clockShape.optional() });
const moveAnswer = z.object({ holdMs: z.number() });
const presetsAnswer = z.object({ presets: z.array(z.object({ token: z.string(), name: z.string() })) });
const presetAnswer = z.object({ token: z.string().optional() });

export type FoundDevice = z.infer<typeof deviceShape>;
export type DeviceClock = z.infer<typeof clockShape>;
export type PtzFeatures = z.infer<typeof ptzShape>;
export type Inspection = z.infer<typeof inspectionShape>;
export type OnvifFacts = z.infer<typeof factsShape>;

export type DeviceSearch = {
  readonly addresses?: readonly string[] | undefined;
  readonly ports?: readonly number[] | undefined;
  readonly interfaces?: readonly string[] | undefined;
  readonly searchMs?: number | undefined;
};

export type DeviceAddress = {
  readonly url: string;
  readonly tls: 'verify' | 'any';
  readonly username?: string;
  readonly password?: string;
};

export type PtzMove = {
  readonly kind: 'continuous' | 'absolute' | 'relative';
  readonly vector: { readonly pan?: number; readonly tilt?: number; readonly zoom?: number };
};

export class OnvifPort {
  readonly #lane: LaneClient;
  readonly #onWanted: () => void;
  #isConnecting = false;

  /**
   * @param deps.lane      closed by its owner, started here: on most sites nobody ever listens at the other end
   * @param deps.onWanted  the role is about to be asked: it is to be started if it does not run
   */
  constructor(deps: { readonly lane: LaneClient; readonly onWanted: () => void }) {
    this.#lane = deps.lane;
    this.#onWanted = deps.onWanted;
  }

  get isConnected(): boolean {
    return this.#lane.isConnected;
  }

  /** Begins to connect, once the role runs or is about to. */
  connect(): void {
    if (!this.#isConnecting) this.#lane.start();
    this.#isConnecting = true;
  }

  /** @throws AppError invalid_argument, resource_exhausted, unavailable, deadline_exceeded */
  async search(search: DeviceSearch): Promise<readonly FoundDevice[]> {
    const shape = z.object({ devices: z.array(deviceShape) });
    return (await this.#request('search', search, shape, adminLimits.onvifSearchMs)).devices;
  }

  /** @throws AppError  with the device's trouble; `unauthenticated` of a device comes as `failed_precondition` */
  inspect(address: DeviceAddress): Promise<Inspection> {
    return this.#request('inspect', address, inspectionShape);
  }

  /** @throws AppError not_found  the camera has no ONVIF device */
  facts(cameraId: string): Promise<OnvifFacts> {
    return this.#request('camera', { cameraId }, factsShape);
  }

  async setClock(cameraId: string, source: 'ours' | 'ntp'): Promise<DeviceClock | undefined> {
    return (await this.#request('set-clock', { cameraId, source }, clockAnswer)).clock;
  }

  /** Returns how long a continuous move goes on unless it is repeated. */
  async move(cameraId: string, move: PtzMove): Promise<number> {
    return (await this.#request('ptz-move', { cameraId, ...move }, moveAnswer)).holdMs;
  }

  async stop(cameraId: string): Promise<void> {
    await this.#request('ptz-stop', { cameraId }, z.unknown());
  }

  async presets(cameraId: string): Promise<z.infer<typeof presetsAnswer>['presets']> {
    return (await this.#request('presets', { cameraId }, presetsAnswer)).presets;
  }

  async gotoPreset(cameraId: string, token: string): Promise<void> {
    await this.#request('preset-goto', { cameraId, token }, z.unknown());
  }

  /** Returns the preset's token, if the device tells it. */
  async setPreset(cameraId: string, preset: { readonly name: string; readonly token?: string | undefined }) {
    return (await this.#request('preset-set', { cameraId, ...preset }, presetAnswer)).token;
  }

  async removePreset(cameraId: string, token: string): Promise<void> {
    await this.#request('preset-remove', { cameraId, token }, z.unknown());
  }

  /** Prometheus text. */
  metrics(): Promise<unknown> {
    return this.#lane.request('metrics', {}, { timeoutMs: adminLimits.metricsRequestMs });
  }

  async #request<T>(
    method: string,
    params: unknown,
    shape: z.ZodType<T>,
    timeoutMs: number = adminLimits.onvifRequestMs,
  ): Promise<T> {
    if (!this.#lane.isConnected) this.#onWanted();
    this.connect();
    const answer = await this.#lane.request<unknown>(method, params, { timeoutMs }).catch((error: unknown) => {
      throw ofDevice(error);
    });
    const parsed = shape.safeParse(answer);
    if (!parsed.success) throw appError('unavailable', 'the role onvif answered in words we do not know', { method });
    return parsed.data;
  }
}

/** It is the device that refuses a login or answers nonsense, not we: a page must not ask its user to log in again. */
function ofDevice(error: unknown): unknown {
  if (!isAppError(error)) return error;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  if (error.code === 'unauthenticated') {
    return appError('failed_precondition', error.message, { field: 'credentials', ...hint });
  }
  return error.code === 'data_loss' ? appError('unavailable', error.message, hint) : error;
}
