/**
 * Pan, tilt and zoom of one device. A continuous move is held by its viewer: it goes on as long as the viewer repeats it, and
 * stops when the viewer falls silent. The device gets an end of its own too, should we fall silent.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { appError, isAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { withDeadline } from './deadline.ts';
import type { OnvifDevice } from './device.ts';
import { onvifLimits } from './limits.ts';
import { profilesOf } from './profiles.ts';
import { type Preset, presetsOf } from './ptz-answers.ts';
import { unheard, type WordingClient } from './soap-words.ts';
import { escapeXml, textAt, type XmlElement } from './xml.ts';

/** Right, up and in are positive. -1 .. 1; absolute zoom 0 .. 1. What is absent stays as it is. */
export type PtzVector = { readonly pan?: number; readonly tilt?: number; readonly zoom?: number };

export type PtzDeps = { readonly clock: Clock; readonly log: Log; readonly device: OnvifDevice };

export class Ptz {
  readonly #deps: PtzDeps;
  readonly #lifetime = new Lifetime();
  /** Orders go out one after another: a stop that overtakes its move would be lost. */
  #order: Promise<unknown> = Promise.resolve();
  #profile: string | undefined;
  #move: { readonly vector: PtzVector; readonly toldMs: number } | undefined;
  #cancelHold: (() => void) | undefined;

  constructor(deps: PtzDeps) {
    this.#deps = deps;
  }

  /** Stops what still moves. */
  async close(): Promise<void> {
    this.#cancelHold?.();
    if (this.#move !== undefined) {
      const timeoutMs = onvifLimits.requestMs;
      await withDeadline(this.#deps.clock, { timeoutMs }, (signal) => this.stop(signal)).catch(() => {});
    }
    await this.#lifetime.close();
  }

  get isMoving(): boolean {
    return this.#move !== undefined;
  }

  /**
   * Moves until `moveHoldMs` after the last call; the same vector again goes on with the move and asks the device little.
   * @throws AppError as `OnvifDevice.ask`
   */
  async move(vector: PtzVector, signal: AbortSignal): Promise<void> {
    if (!vector.pan && !vector.tilt && !vector.zoom) {
      await this.stop(signal);
      return;
    }
    this.#hold();
    await this.#inTurn(async () => {
      const nowMs = this.#deps.clock.monotonicMs();
      const isSame = this.#move !== undefined && isSameVector(this.#move.vector, vector);
      if (isSame && this.#move !== undefined && nowMs - this.#move.toldMs < onvifLimits.moveAgainMs) return;
      const profileToken = await this.#profileToken(signal);
      // Before it is told: a device may move although its answer is lost.
      this.#move = { vector, toldMs: nowMs };
      await this.#say(
        (client) =>
          client.continuousMove({ ...packageVector(vector), profileToken, timeout: onvifLimits.moveCameraMs }, unheard),
        signal,
      );
    });
  }

  /** Ends every movement. @throws AppError as `OnvifDevice.ask`, after some tries */
  async stop(signal: AbortSignal): Promise<void> {
    this.#cancelHold?.();
    await this.#inTurn(async () => {
      const profileToken = await this.#profileToken(signal);
      for (let tries = 1; ; tries++) {
        try {
          await this.#say((client) => client.stop({ profileToken, panTilt: true, zoom: true }, unheard), signal);
          this.#move = undefined;
          return;
        } catch (error) {
          if (tries === onvifLimits.stopTriesMax || signal.aborted || !isTransient(error)) throw error;
        }
      }
    });
  }

  /** Goes to a position, of the device's own -1 .. 1 and zoom 0 .. 1. @throws AppError as `OnvifDevice.ask` */
  absolute(vector: PtzVector, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const profileToken = await this.#profileToken(signal);
      await this.#say((client) => client.absoluteMove({ ...packageVector(vector), profileToken }, unheard), signal);
    });
  }

  /** Goes on by so much from where it is. @throws AppError as `OnvifDevice.ask` */
  relative(vector: PtzVector, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const profileToken = await this.#profileToken(signal);
      await this.#say((client) => client.relativeMove({ ...packageVector(vector), profileToken }, unheard), signal);
    });
  }

  /** @throws AppError as `OnvifDevice.ask` */
  async presets(signal: AbortSignal): Promise<readonly Preset[]> {
    const profileToken = await this.#profileToken(signal);
    const answer = await this.#say((client) => client.getPresets({ profileToken }, unheard), signal);
    return presetsOf(answer);
  }

  /** @throws AppError as `OnvifDevice.ask`; devices refuse tokens they do not know */
  gotoPreset(token: string, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const profileToken = await this.#profileToken(signal);
      await this.#say((client) => client.gotoPreset({ profileToken, preset: escapeXml(token) }, unheard), signal);
    });
  }

  /**
   * Remembers where the device looks now, under a name; under a token that exists, in its place.
   * @returns the preset's token, undefined when the device does not tell it
   * @throws AppError as `OnvifDevice.ask`
   */
  async setPreset(
    preset: { readonly name: string; readonly token?: string },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const profileToken = await this.#profileToken(signal);
    const { name, token } = preset;
    const answer = await this.#say(
      (client) =>
        client.setPreset(
          {
            profileToken,
            presetName: escapeXml(name),
            ...(token === undefined ? {} : { presetToken: escapeXml(token) }),
          },
          unheard,
        ),
      signal,
    );
    return textAt(answer, 'PresetToken');
  }

  /** @throws AppError as `OnvifDevice.ask` */
  async removePreset(token: string, signal: AbortSignal): Promise<void> {
    const profileToken = await this.#profileToken(signal);
    await this.#say((client) => client.removePreset({ profileToken, presetToken: escapeXml(token) }, unheard), signal);
  }

  #hold(): void {
    this.#cancelHold?.();
    this.#cancelHold = this.#deps.clock.after(onvifLimits.moveHoldMs, () => {
      if (this.#lifetime.signal.aborted) return;
      this.stop(this.#lifetime.signal).catch((error: unknown) => {
        this.#deps.log.warn('camera could not be stopped; it stops by itself', { error });
        this.#move = undefined;
      });
    });
  }

  #inTurn(order: () => Promise<void>): Promise<void> {
    const done = this.#order.then(order);
    this.#order = done.catch(() => {});
    return done;
  }

  async #say(say: (client: WordingClient) => void, signal: AbortSignal): Promise<XmlElement> {
    try {
      return await this.#deps.device.askService('ptz', say, signal);
    } catch (error) {
      // A camera that was set up anew has other profiles.
      if (isAppError(error, 'failed_precondition')) this.#profile = undefined;
      throw error;
    }
  }

  /** Orders name a media profile: the first one that has a PTZ configuration. Escaped as it goes into a request. */
  async #profileToken(signal: AbortSignal): Promise<string> {
    this.#profile ??= await this.#findProfile(signal);
    return this.#profile;
  }

  async #findProfile(signal: AbortSignal): Promise<string> {
    const { device } = this.#deps;
    for (const service of ['media', 'media2'] as const) {
      if (!device.hasService(service)) continue;
      const answer = await device.askService(
        service,
        (client) => {
          client.media2Support = service === 'media2';
          client.getProfiles(unheard);
        },
        signal,
      );
      const profile = profilesOf(answer).find(({ hasPtz }) => hasPtz);
      if (profile !== undefined) return escapeXml(profile.token);
    }
    throw appError('unimplemented', 'the camera has no profile with pan, tilt and zoom');
  }
}

function isTransient(error: unknown): boolean {
  return isAppError(error, 'unavailable') || isAppError(error, 'deadline_exceeded') || isAppError(error, 'data_loss');
}

function isSameVector(a: PtzVector, b: PtzVector): boolean {
  return a.pan === b.pan && a.tilt === b.tilt && a.zoom === b.zoom;
}

/** The package sends zero for what is absent unless it is told otherwise; some cameras refuse a zoom that they do not have. */
function packageVector({ pan, tilt, zoom }: PtzVector) {
  const hasPanTilt = pan !== undefined || tilt !== undefined;
  return {
    x: pan ?? 0,
    y: tilt ?? 0,
    zoom: zoom ?? 0,
    ...(zoom === undefined ? { onlySendPanTilt: true } : {}),
    ...(hasPanTilt ? {} : { onlySendZoom: true }),
  };
}
