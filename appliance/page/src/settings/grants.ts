/** Roles and policies that a user or a token may be given. */

import { createResource } from 'solid-js';
import { call } from '../api.ts';

const roles = ['viewer', 'operator', 'admin'];

/** The built-in roles, and policies where this person may see them. */
export function createRoles() {
  const [names] = createResource(async () => {
    try {
      const { policies } = await call<{ policies: { name: string }[] }>('GET', '/api/policies');
      return [...new Set([...roles, ...policies.map(({ name }) => name)])];
    } catch {
      return roles;
    }
  });
  return () => names.latest ?? roles;
}
