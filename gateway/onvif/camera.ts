/** One camera of the plan: its device, what it can do, its movements and its events. */

import type { AddressPolicy } from '../../storage/base/address-policy.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { isAppError, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { PlannedDevice } from '../../storage/model/camera.ts';
import { OnvifDevice } from './device.ts';
import type { DeviceClock } from './device-clock.ts';
import type { EventSink } from './events/event-sink.ts';
import { EventStream, type EventStreamState } from './events/event-stream.ts';
import { onvifLimits } from './limits.ts';
import { Ptz } from './ptz.ts';
import { type PtzFeatures, readPtzFeatures } from './ptz-answers.ts';
import { type ClockSource, setDeviceClock } from './set-clock.ts';

export type CameraDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly sink: EventSink;
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** Where devices may be. */
  readonly addresses: AddressPolicy;
};

/** What a camera can do by ONVIF, and how it is doing. */
export type CameraFacts = {
  readonly cameraId: string;
  /** Why nothing could be asked; the rest is then what is known from before. */
  readonly fault: { readonly message: string; readonly hint: string | undefined } | undefined;
  readonly clock: DeviceClock | undefined;
  readonly hasMedia2: boolean;
  readonly ptz: PtzFeatures | undefined;
  readonly events: EventStreamState;
};

export class OnvifCamera {
  readonly planned: PlannedDevice;
  readonly #deps: CameraDeps;
  readonly #device: OnvifDevice;
  readonly #events: EventStream;
  readonly #ptz: Ptz;
  readonly #lifetime = new Lifetime();
  #isConnected = false;
  #features: PtzFeatures | undefined;
  /** The newest question: whoever looks at a camera asks a device that takes few connections and locks accounts. */
  #facts: { readonly answer: Promise<CameraFacts>; untilMs: number } | undefined;

  constructor(deps: CameraDeps, planned: PlannedDevice) {
    const { addresses, clock, random, sink } = deps;
    const log = deps.log.child({ cameraId: planned.cameraId });
    this.planned = planned;
    this.#deps = deps;
    this.#device = new OnvifDevice({ addresses, clock, random }, planned);
    const newId = () => Buffer.from(random(16)).toString('hex');
    this.#events = new EventStream(
      { clock, log, device: this.#device, sink, newId, random: fractionOf(random) },
      planned,
    );
    this.#ptz = new Ptz({ clock, log, device: this.#device });
  }

  start(): void {
    this.#lifetime.own(this.#ptz);
    this.#lifetime.own(this.#events);
    this.#events.start();
  }

  /** Stops its movement and ends its events. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  get eventState(): EventStreamState {
    return this.#events.state;
  }

  get clock(): DeviceClock | undefined {
    return this.#device.clock;
  }

  /** Asks the device, or tells what it said a moment ago. A device that is away is an answer too. */
  async facts(signal: AbortSignal): Promise<CameraFacts> {
    const { clock } = this.#deps;
    if (this.#facts === undefined || clock.monotonicMs() >= this.#facts.untilMs) {
      const asked = { answer: this.#askFacts(signal), untilMs: Number.POSITIVE_INFINITY };
      this.#facts = asked;
      const answered = () => {
        asked.untilMs = clock.monotonicMs() + onvifLimits.factsMs;
      };
      asked.answer.then(answered, answered);
    }
    return { ...(await this.#facts.answer), clock: this.#device.clock, events: this.#events.state };
  }

  async #askFacts(signal: AbortSignal): Promise<CameraFacts> {
    let fault: CameraFacts['fault'];
    try {
      await this.#device.connect(signal);
      this.#isConnected = true;
      this.#features = await readPtzFeatures(this.#device, signal).catch((error: unknown) => {
        if (isAppError(error, 'unimplemented')) return undefined;
        throw error;
      });
    } catch (error) {
      const { message, hint } = toAppError(error);
      fault = { message, hint };
    }
    return {
      cameraId: this.planned.cameraId,
      fault,
      clock: this.#device.clock,
      hasMedia2: this.#device.hasService('media2'),
      ptz: this.#features,
      events: this.#events.state,
    };
  }

  /** Its movements, connected first. @throws AppError as `OnvifDevice.ask` */
  async ptz(signal: AbortSignal): Promise<Ptz> {
    await this.#connect(signal);
    return this.#ptz;
  }

  /** @throws AppError as `OnvifDevice.ask` */
  async setClock(source: ClockSource, signal: AbortSignal): Promise<DeviceClock | undefined> {
    await this.#connect(signal);
    this.#facts = undefined;
    return setDeviceClock({ clock: this.#deps.clock, device: this.#device }, { source, signal });
  }

  async #connect(signal: AbortSignal): Promise<void> {
    if (this.#isConnected || this.#device.hasService('media') || this.#device.hasService('media2')) return;
    await this.#device.connect(signal);
    this.#isConnected = true;
  }
}
