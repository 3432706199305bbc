/** Looks at a device that is not (yet) a camera of ours: who made it, its clock, its profiles and what it can do. */

import { isAppError } from '../../storage/base/errors.ts';
import { type DeviceAddress, type DeviceDeps, OnvifDevice } from './device.ts';
import type { DeviceClock } from './device-clock.ts';
import { type Channel, type MediaProfile, readProfiles, recommended } from './profiles.ts';
import { type PtzFeatures, readPtzFeatures } from './ptz-answers.ts';
import { unheard } from './soap-words.ts';
import { textAt } from './xml.ts';

export type Inspection = {
  /** The device service's address as it was used. */
  readonly url: string;
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  readonly firmware: string | undefined;
  readonly serialNumber: string | undefined;
  readonly clock: DeviceClock | undefined;
  readonly hasMedia2: boolean;
  readonly hasEvents: boolean;
  readonly ptz: PtzFeatures | undefined;
  readonly profiles: readonly MediaProfile[];
  readonly channels: readonly Channel[];
};

/** @throws AppError as `OnvifDevice.ask` */
export async function inspectDevice(
  deps: DeviceDeps,
  address: DeviceAddress,
  signal: AbortSignal,
): Promise<Inspection> {
  const device = new OnvifDevice(deps, address);
  await device.connect(signal);
  const information = await optional(device.ask((client) => client.getDeviceInformation(unheard), { signal }));
  const profiles = await readProfiles(device, signal);
  return {
    url: address.url,
    manufacturer: textAt(information, 'Manufacturer'),
    model: textAt(information, 'Model'),
    firmware: textAt(information, 'FirmwareVersion'),
    serialNumber: textAt(information, 'SerialNumber'),
    clock: device.clock,
    hasMedia2: device.hasService('media2'),
    hasEvents: device.hasService('events'),
    ptz: await optional(readPtzFeatures(device, signal)),
    profiles,
    channels: recommended(profiles),
  };
}

/** What a device may well not know; a refused login is told. */
async function optional<T>(question: Promise<T>): Promise<T | undefined> {
  try {
    return await question;
  } catch (error) {
    if (isAppError(error, 'unauthenticated') || isAppError(error, 'cancelled')) throw error;
    return undefined;
  }
}
