/** All cameras of the plan that speak ONVIF, each on its own, and searches for new ones. */

import { appError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { PlannedDevice } from '../../storage/model/camera.ts';
import { type CameraDeps, OnvifCamera } from './camera.ts';
import type { DeviceAddress } from './device.ts';
import type { FoundDevice } from './discovery/probe-messages.ts';
import { addressesIn, searchAddresses } from './discovery/search-addresses.ts';
import { searchNetwork } from './discovery/search-network.ts';
import { type Inspection, inspectDevice } from './inspect.ts';
import { onvifLimits } from './limits.ts';

/** Where to look. With addresses those are asked one by one, without them the network is asked by multicast. */
export type Search = {
  /** `10.0.0.21`, `10.0.0.0/24`, `10.0.0.20-40` or names of hosts. */
  readonly addresses?: readonly string[] | undefined;
  /** Ports to try at each address. */
  readonly ports?: readonly number[] | undefined;
  /** Names or addresses of our own interfaces. */
  readonly interfaces?: readonly string[] | undefined;
  readonly searchMs?: number | undefined;
};

/** Where ONVIF is by default, and where some makers have put it (Tapo, Dahua's clones, Xiongmai). */
const usualPorts = [80, 8080, 2020, 8000, 8899] as const;

export class Onvif {
  readonly #deps: CameraDeps;
  readonly #lifetime = new Lifetime();
  readonly #cameras = new Map<string, OnvifCamera>();
  /** Changes of the plan one after another: a device takes few connections at a time. */
  #applying: Promise<void> = Promise.resolve();
  #searches = 0;

  constructor(deps: CameraDeps) {
    this.#deps = deps;
  }

  get cameras(): readonly OnvifCamera[] {
    return [...this.#cameras.values()];
  }

  /** Starts and ends cameras as the list says; those that are reached as before go on undisturbed. */
  apply(devices: readonly PlannedDevice[]): Promise<void> {
    this.#applying = this.#applying.then(() => this.#apply(devices));
    return this.#applying;
  }

  /** Ends all, their movements and events included. */
  async close(): Promise<void> {
    await this.#lifetime.close();
    await this.apply([]);
  }

  /** @throws AppError not_found  no camera of the plan has this id and ONVIF */
  camera(cameraId: string): OnvifCamera {
    const camera = this.#cameras.get(cameraId);
    if (camera === undefined) {
      throw appError('not_found', 'this camera has no ONVIF device', {
        cameraId,
        hint: 'give it the address of its device service: weir cameras discover finds it',
      });
    }
    return camera;
  }

  /**
   * @throws AppError invalid_argument    an address or interface is none, or they are too many
   * @throws AppError resource_exhausted  other searches are under way
   */
  async search({ addresses, ports, interfaces, searchMs }: Search): Promise<readonly FoundDevice[]> {
    const { clock, log, random } = this.#deps;
    const { signal } = this.#lifetime;
    if (this.#searches >= onvifLimits.searchesMax) {
      throw appError('resource_exhausted', 'other searches are under way', { hint: 'try again in some seconds' });
    }
    this.#searches++;
    try {
      if (addresses !== undefined) {
        const all = addressesIn(addresses);
        return await searchAddresses(this.#deps, { addresses: all, ports: ports ?? usualPorts, signal });
      }
      const newId = () => uuidOf(random(16));
      return await searchNetwork(
        { clock, log, newId },
        { interfaces, searchMs: Math.min(searchMs ?? onvifLimits.searchMsDefault, onvifLimits.searchMsMax), signal },
      );
    } finally {
      this.#searches--;
    }
  }

  /** Looks at any device. @throws AppError as `OnvifDevice.ask` */
  inspect(address: DeviceAddress, signal: AbortSignal): Promise<Inspection> {
    return inspectDevice(this.#deps, address, AbortSignal.any([signal, this.#lifetime.signal]));
  }

  async #apply(devices: readonly PlannedDevice[]): Promise<void> {
    const wanted = new Map(devices.map((device) => [device.cameraId, device]));
    const ending: Promise<void>[] = [];
    for (const [cameraId, camera] of this.#cameras) {
      const device = wanted.get(cameraId);
      if (device !== undefined && isSameDevice(camera.planned, device)) continue;
      this.#cameras.delete(cameraId);
      ending.push(
        camera.close().catch((error: unknown) => this.#deps.log.warn('camera did not end well', { error, cameraId })),
      );
    }
    await Promise.all(ending);
    for (const [cameraId, device] of wanted) {
      if (this.#cameras.has(cameraId)) continue;
      const camera = new OnvifCamera(this.#deps, device);
      this.#cameras.set(cameraId, camera);
      camera.start();
    }
  }
}

/** True when both are reached in the same way and mark the same footage. */
function isSameDevice(a: PlannedDevice, b: PlannedDevice): boolean {
  return (
    a.url === b.url &&
    a.tls === b.tls &&
    a.username === b.username &&
    a.password === b.password &&
    a.streamId === b.streamId
  );
}

/** RFC 9562, version 4. */
function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
