/** Asks what clients of this appliance's KVS API are set to. */

import { createResource } from 'solid-js';
import { call } from '../api.ts';
import { createMay } from '../frame/session.ts';
import { type KvsSite, kvsSiteOf, type System } from './kvs-site.ts';

/**
 * Until it is known, and for whoever may not ask: this address, and what is so unless somebody set it.
 * @param changed  asked again whenever this changes
 */
export function createKvsSite(changed: () => number): () => KvsSite {
  const may = createMay();
  const [site] = createResource(
    () => may('system:read') && `after ${changed()}`,
    () =>
      call<System>('GET', '/api/system').then(
        (system) => kvsSiteOf(system, location.origin),
        () => undefined,
      ),
  );
  return () =>
    site.latest ?? {
      endpoint: location.origin,
      region: 'us-east-1',
      hasAuthority: location.protocol === 'https:',
      credentials: `${location.hostname}:8444`,
    };
}
