/** What devices tell of themselves in scopes (`onvif://www.onvif.org/name/Front%20door`). Pure. */

import { onvifLimits } from '../limits.ts';

export type ScopeFacts = {
  readonly name: string | undefined;
  readonly hardware: string | undefined;
  readonly location: string | undefined;
};

/** The first of each kind; undefined for what is not there. */
export function factsOfScopes(scopes: readonly string[]): ScopeFacts {
  return {
    name: firstOf(scopes, 'name'),
    hardware: firstOf(scopes, 'hardware'),
    location: firstOf(scopes, 'location'),
  };
}

/** Scopes of a list that white space separates. Some devices write a name with blanks into one: those belong to it. */
export function scopesIn(text: string): string[] {
  const scopes: string[] = [];
  for (const part of text.slice(0, 8_192).split(/\s+/)) {
    const last = scopes.pop();
    if (last === undefined || part.includes('://')) scopes.push(...(last === undefined ? [] : [last]), part);
    else scopes.push(`${last} ${part}`);
  }
  return scopes;
}

function firstOf(scopes: readonly string[], what: keyof ScopeFacts): string | undefined {
  const prefix = `onvif://www.onvif.org/${what}/`;
  const scope = scopes.find((text) => text.toLowerCase().startsWith(prefix));
  if (scope === undefined) return undefined;
  // White space cannot stand in a scope, so many devices write an underscore for it.
  const text = decoded(scope.slice(prefix.length)).replace(/[\p{C}_]+/gu, ' ');
  const shown = text.trim().slice(0, onvifLimits.textMax);
  return shown === '' ? undefined : shown;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded after all.
    return text;
  }
}
