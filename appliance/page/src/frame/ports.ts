/** Where the other doors are, for addresses that people copy. */

import { createResource } from 'solid-js';
import { call } from '../api.ts';
import { createMay } from './session.ts';

export type Ports = { readonly rtsp: number | null; readonly rtmp: number | null };

/** Where they are unless somebody moved them. */
const usual: Ports = { rtsp: 8554, rtmp: 1935 };

/** The usual ones for whoever may not ask; null is switched off. */
export function createPorts(): () => Ports {
  const may = createMay();
  const [ports] = createResource(
    () => may('system:read'),
    () =>
      call<{ ports: Ports }>('GET', '/api/system').then(
        (system) => system.ports,
        () => usual,
      ),
  );
  return () => ports.latest ?? usual;
}
