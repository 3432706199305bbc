/** Where in the page one is: `#/`, `#/camera/<id>`, `#/alarms` ... The hash keeps server routes out of it. */

import { createSignal } from 'solid-js';

const places = ['cameras', 'wall', 'add', 'alarms', 'storage', 'settings', 'account'] as const;

export type Place = (typeof places)[number];
export type Route =
  /** `tab`: which part of the place, as `#/settings/users` has it. `query`: what stands behind a question mark. */
  | { readonly at: Place; readonly tab: string | undefined; readonly query: string }
  | { readonly at: 'camera'; readonly cameraId: string };

export function createRoute() {
  const [route, setRoute] = createSignal(parse(location.hash));
  addEventListener('hashchange', () => setRoute(parse(location.hash)));
  return route;
}

export function cameraAddress(cameraId: string): string {
  return `#/camera/${encodeURIComponent(cameraId)}`;
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.split('?', 2);
  const [, first, second] = path.split('/');
  if (first === 'camera' && second !== undefined) return { at: 'camera', cameraId: decodeURIComponent(second) };
  return { at: places.find((place) => place === first) ?? 'cameras', tab: second, query };
}
