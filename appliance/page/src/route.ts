/**
 * Where in the page one is: `#/`, `#/camera/<id>`, `#/alarms` ... The hash keeps server routes out of it. Another place begins at
 * its top; going back leads to where one was in it.
 */

import { createSignal, onCleanup } from 'solid-js';

const places = ['cameras', 'wall', 'add', 'alarms', 'storage', 'settings', 'account'] as const;

export type Place = (typeof places)[number];
export type Route =
  /** `tab`: which part of the place, as `#/settings/users` has it. `query`: what stands behind a question mark. */
  | { readonly at: Place; readonly tab: string | undefined; readonly query: string }
  | { readonly at: 'camera'; readonly cameraId: string };

/** Of one entry of the browser's history: what it was scrolled to lies under this number. */
type Visit = { readonly visit: number };

export function createRoute() {
  const [route, setRoute] = createSignal(parse(location.hash));
  const scrolledTo = new Map<number, number>();
  let visit = visitOf(history.state) ?? beginVisit();
  const go = () => {
    const before = route();
    const next = parse(location.hash);
    const known = visitOf(history.state);
    scrolledTo.set(visit, scrollY);
    visit = known ?? beginVisit();
    setRoute(next);
    if (!isSamePlace(before, next)) scrollTo(0, known === undefined ? 0 : (scrolledTo.get(known) ?? 0));
  };
  // The browser's own way comes before the list is there again. A page that is loaded anew is left to it.
  const leave = () => {
    history.scrollRestoration = 'auto';
  };
  history.scrollRestoration = 'manual';
  addEventListener('hashchange', go);
  addEventListener('pagehide', leave);
  onCleanup(() => {
    removeEventListener('hashchange', go);
    removeEventListener('pagehide', leave);
  });
  return route;
}

export function cameraAddress(cameraId: string): string {
  return `#/camera/${encodeURIComponent(cameraId)}`;
}

/** Marks the entry of the history that one came to just now. */
function beginVisit(): number {
  const visit = Date.now() + Math.random();
  history.replaceState({ visit } satisfies Visit, '');
  return visit;
}

function visitOf(state: Partial<Visit> | null): number | undefined {
  return state?.visit;
}

/** Tabs of a place and what a wall shows are the same place. */
function isSamePlace(a: Route, b: Route): boolean {
  return a.at === b.at && (a.at !== 'camera' || (b.at === 'camera' && a.cameraId === b.cameraId));
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.split('?', 2);
  const [, first, second] = path.split('/');
  if (first === 'camera' && second !== undefined) return { at: 'camera', cameraId: decodeURIComponent(second) };
  return { at: places.find((place) => place === first) ?? 'cameras', tab: second, query };
}
