/** Members of request bodies, each read with its bounds: what is wrong is told as AWS tells it. Null counts as absent. */

import { arnPattern } from './arns.ts';
import { awsError } from './errors.ts';

type Input = Readonly<Record<string, unknown>>;

/** Names of streams, channels and devices. */
const namePattern = /^[a-zA-Z0-9_.-]{1,256}$/;

/** A text, or absent. @throws AppError InvalidArgumentException */
export function textMember(input: Input, member: string, pattern: RegExp): string | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw invalid(`${member} is not of the form ${pattern.source}`);
  }
  return value;
}

export function nameMember(input: Input, member: string): string | undefined {
  return textMember(input, member, namePattern);
}

export function arnMember(input: Input, member: string): string | undefined {
  return textMember(input, member, arnPattern);
}

/** A whole number within bounds, or absent. @throws AppError InvalidArgumentException */
export function integerMember(
  input: Input,
  member: string,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(`${member} must be a whole number from ${min} to ${max}`);
  }
  return value;
}

/** One of a list, or absent. @throws AppError InvalidArgumentException */
export function choiceMember<const T extends string>(
  input: Input,
  member: string,
  choices: readonly T[],
): T | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw invalid(`${member} must be one of ${choices.join(', ')}`);
  return found;
}

/** A structure, or absent. @throws AppError InvalidArgumentException */
export function structureMember(input: Input, member: string): Input | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(`${member} must be a structure`);
  return { ...value };
}

/**
 * A time, milliseconds: clients send seconds as a number, those written by hand ISO 8601.
 * @throws AppError InvalidArgumentException
 */
export function timeMember(input: Input, member: string): number | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  const ms = typeof value === 'number' ? value * 1_000 : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  // ECMAScript's range of dates.
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) throw invalid(`${member} must be a time in seconds since 1970`);
  return Math.round(ms);
}

/** What must be there. @throws AppError InvalidArgumentException */
export function required<T>(value: T | undefined, member: string): T {
  if (value === undefined) throw invalid(`${member} must be given`);
  return value;
}

function invalid(message: string) {
  return awsError('InvalidArgumentException', message);
}
