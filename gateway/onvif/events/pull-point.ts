/** One subscription to a device's events: made, pulled, renewed and given back (WS-BaseNotification with ONVIF's PullPoint). */

import { appError, isAppError } from '../../../storage/base/errors.ts';
import type { OnvifDevice } from '../device.ts';
import { onvifLimits } from '../limits.ts';
import { unheard, type WordingClient } from '../soap-words.ts';
import { elementAt, escapeXml, type XmlElement } from '../xml.ts';

type Subscription = {
  /** Where requests go: always the device's own host. */
  readonly url: string;
  /** What the package puts into them: the address as the device told it, and Axis's number of the subscription. */
  readonly reference: {
    readonly address: { readonly href: string };
    readonly referenceParameters?: { subscriptionId: string };
  };
};

type Bounds = { readonly timeoutMs?: number; readonly answerBytesMax?: number };

export class PullPoint {
  readonly #device: OnvifDevice;
  readonly #subscription: Subscription;

  private constructor(device: OnvifDevice, subscription: Subscription) {
    this.#device = device;
    this.#subscription = subscription;
  }

  /** Subscribes to everything: filters are where devices differ most. @throws AppError as `OnvifDevice.ask` */
  static async subscribe(device: OnvifDevice, signal: AbortSignal): Promise<PullPoint> {
    const answer = await device.askService('events', (client) => client.createPullPointSubscription(unheard), signal);
    return new PullPoint(device, subscriptionOf(answer, device));
  }

  /** Waits for messages, up to a minute; none is an answer too. @throws AppError as `OnvifDevice.ask` */
  pull(signal: AbortSignal): Promise<XmlElement> {
    return this.#say((client) => client.pullMessages({ messageLimit: onvifLimits.messagesMax }, unheard), signal, {
      timeoutMs: onvifLimits.pullMs,
      answerBytesMax: onvifLimits.pullBytesMax,
    });
  }

  /** @throws AppError as `OnvifDevice.ask`; devices that do not know the order go on by pulls alone */
  async renew(signal: AbortSignal): Promise<void> {
    try {
      await this.#say((client) => client.renew(unheard), signal);
    } catch (error) {
      if (!isAppError(error, 'unimplemented')) throw error;
    }
  }

  /** Gives the subscription back: cameras have few. Does its best. */
  async unsubscribe(signal: AbortSignal): Promise<void> {
    await this.#say((client) => client.unsubscribe(unheard), signal).catch(() => {});
  }

  #say(say: (client: WordingClient) => void, signal: AbortSignal, bounds: Bounds = {}): Promise<XmlElement> {
    const { url, reference } = this.#subscription;
    const onSubscription = (client: WordingClient) => {
      client.events = { subscription: { subscriptionReference: reference } } as unknown as WordingClient['events'];
      say(client);
    };
    return this.#device.ask(onSubscription, { url, signal, ...bounds });
  }
}

function subscriptionOf(answer: XmlElement, device: OnvifDevice): Subscription {
  const reference = elementAt(answer, 'SubscriptionReference');
  // Addresses of subscriptions carry their number and may be long.
  const told = elementAt(reference, 'Address')?.text ?? '';
  const url = told.length > 2_048 ? undefined : device.ownAddress(told);
  if (url === undefined) throw appError('data_loss', 'the device tells no address for its events');
  const subscriptionId = elementAt(reference, 'ReferenceParameters', 'SubscriptionId')?.text;
  return {
    url,
    reference: {
      address: { href: escapeXml(told) },
      ...(subscriptionId === undefined || subscriptionId === ''
        ? {}
        : { referenceParameters: { subscriptionId: escapeXml(subscriptionId) } }),
    },
  };
}
