/** Where in the page one is: `#/`, `#/add`, `#/camera/<id>`, `#/account`. The hash keeps server routes out of it. */

import { createSignal } from 'solid-js';

export type Route =
  | { readonly at: 'cameras' }
  | { readonly at: 'add' }
  | { readonly at: 'account' }
  | { readonly at: 'camera'; readonly cameraId: string };

export function createRoute() {
  const [route, setRoute] = createSignal(parse(location.hash));
  addEventListener('hashchange', () => setRoute(parse(location.hash)));
  return route;
}

function parse(hash: string): Route {
  const [, first, second] = hash.split('/');
  if (first === 'add') return { at: 'add' };
  if (first === 'account') return { at: 'account' };
  if (first === 'camera' && second !== undefined) return { at: 'camera', cameraId: decodeURIComponent(second) };
  return { at: 'cameras' };
}
