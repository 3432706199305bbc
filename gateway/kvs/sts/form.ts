/** Reads the form body of the query protocol: `Action=AssumeRole&Version=2011-06-15&...`. */

import { stsError } from './errors.ts';

/** AssumeRole has a dozen, and 50 tags of two each. */
const parametersMax = 128;
const nameCharactersMax = 128;

/**
 * Parameters by name; empty ones count as absent, as with AWS.
 * @param body  bounded by who read it
 * @throws AppError MalformedQueryString  it is no form, or names a parameter twice
 */
export function readForm(body: Uint8Array): ReadonlyMap<string, string> {
  const text = textOf(body);
  const form = new Map<string, string>();
  if (text === '') return form;
  const fields = text.split('&', parametersMax + 1);
  if (fields.length > parametersMax) throw malformed('has too many parameters');
  for (const field of fields) {
    const equals = field.indexOf('=');
    const name = decoded(equals < 0 ? field : field.slice(0, equals));
    if (name.length > nameCharactersMax) throw malformed('has a name that is too long');
    if (form.has(name)) throw malformed('names a parameter twice');
    form.set(name, equals < 0 ? '' : decoded(field.slice(equals + 1)));
  }
  for (const [name, value] of form) if (value === '') form.delete(name);
  return form;
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw malformed('is not UTF-8');
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw malformed('has an escape that is none');
  }
}

function malformed(why: string) {
  return stsError('MalformedQueryString', `The query string ${why}.`);
}
