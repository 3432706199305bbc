/**
 * What a route asks the authoriser before anything else of it runs. Every route declares it: one that does not fails the
 * start, so that it cannot be forgotten.
 */

import type { FastifyContextConfig, FastifyRequest } from 'fastify';
import type { Resource } from './authoriser.ts';

export type Access =
  /** Health, the login itself and the page's files: nothing of the site is told. */
  | { readonly kind: 'public' }
  /** One decision about one resource. */
  | { readonly kind: 'one'; readonly action: string; readonly resource: (request: FastifyRequest) => Resource }
  /** A list: refused when nothing could be in it; the route decides about each item with `Caller.may`. */
  | { readonly kind: 'each'; readonly action: string };

const key = Symbol('access');

/** A route's `config`: open to everyone. */
export const publicly: FastifyContextConfig = configOf({ kind: 'public' });

/** A route's `config`: asks about one resource, which may depend on the request's path. */
export function asking(action: string, resource: Resource | ((request: FastifyRequest) => Resource)) {
  return configOf({ kind: 'one', action, resource: typeof resource === 'string' ? () => resource : resource });
}

/** A route's `config`: a list of what the caller may see. */
export function askingEach(action: string): FastifyContextConfig {
  return configOf({ kind: 'each', action });
}

/** What a route declared, or undefined when it declared nothing. */
export function accessOf(config: object | undefined): Access | undefined {
  return config === undefined ? undefined : (config as { [key]?: Access })[key];
}

function configOf(access: Access): FastifyContextConfig {
  return { [key]: access } as FastifyContextConfig;
}
