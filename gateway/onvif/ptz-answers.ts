/** What a device can do with its motors, and the places that it knows. */

import type { OnvifDevice } from './device.ts';
import { onvifLimits } from './limits.ts';
import { unheard } from './soap-words.ts';
import { childOf, childrenOf, numberAt, textAt, type XmlElement } from './xml.ts';

export type PtzFeatures = {
  readonly continuous: boolean;
  readonly absolute: boolean;
  readonly relative: boolean;
  /** How many presets there may be; 0 for none. */
  readonly presetsMax: number;
  readonly home: boolean;
};

export type Preset = { readonly token: string; readonly name: string };

/** @throws AppError unimplemented  it has no PTZ service; and as `OnvifDevice.ask` */
export async function readPtzFeatures(device: OnvifDevice, signal: AbortSignal): Promise<PtzFeatures> {
  const answer = await device.askService('ptz', (client) => client.getNodes(unheard), signal);
  return ptzFeaturesOf(answer);
}

/** What any of the device's nodes can do. */
export function ptzFeaturesOf(answer: XmlElement): PtzFeatures {
  const nodes = childrenOf(answer, 'PTZNode');
  const spaces = new Set(
    nodes.flatMap((node) => childOf(node, 'SupportedPTZSpaces')?.children.map((space) => space.name) ?? []),
  );
  const hasAny = (...names: string[]) => names.some((name) => spaces.has(name));
  return {
    continuous: hasAny('ContinuousPanTiltVelocitySpace', 'ContinuousZoomVelocitySpace'),
    absolute: hasAny('AbsolutePanTiltPositionSpace', 'AbsoluteZoomPositionSpace'),
    relative: hasAny('RelativePanTiltTranslationSpace', 'RelativeZoomTranslationSpace'),
    presetsMax: Math.max(0, ...nodes.map((node) => numberAt(node, 'MaximumNumberOfPresets') ?? 0)),
    home: nodes.some((node) => textAt(node, 'HomeSupported') === 'true'),
  };
}

/** Presets that a device tells; those without a token cannot be gone to. */
export function presetsOf(answer: XmlElement): Preset[] {
  return childrenOf(answer, 'Preset')
    .flatMap((preset) => {
      const token = preset.attributes.get('token')?.slice(0, onvifLimits.textMax);
      return token === undefined || token === '' ? [] : { token, name: textAt(preset, 'Name') ?? token };
    })
    .slice(0, onvifLimits.presetsMax);
}
