/**
 * Fragment numbers: 160 bits printed as 47 decimal digits, as the KVS service prints them, strictly increasing per stream as
 * strings. Bits 156..159 are the constant 1, 92..155 a counter, 28..91 the server timestamp, 0..27 random.
 * The counter alone orders: it never goes back, whatever the clock does.
 */

import { appError } from '../base/errors.ts';

export type FragmentNumber = string & { readonly __brand: 'FragmentNumber' };

const digits = 47;
const top = 1n << 156n;
const counterMax = 2n ** 40n;

/**
 * @param counter            the stream's counter, 1 .. 2^40
 * @param serverTimestampMs  milliseconds since 1970 UTC, whole
 * @param random             28 random bits
 */
export function fragmentNumber(counter: number, serverTimestampMs: number, random: number): FragmentNumber {
  const value =
    top |
    (BigInt(counter) << 92n) |
    (BigInt(Math.max(0, Math.floor(serverTimestampMs))) << 28n) |
    BigInt(random & 0xfffffff);
  return value.toString().padStart(digits, '0') as FragmentNumber;
}

/** Reads a number from outside. @throws AppError invalid_argument  not 47 digits of the right form */
export function parseFragmentNumber(text: string): FragmentNumber {
  if (!/^\d{47}$/.test(text))
    throw appError('invalid_argument', 'fragment number is not 47 digits', { length: text.length });
  const value = BigInt(text);
  if (value >> 156n !== 1n || ((value >> 92n) & (2n ** 64n - 1n)) >= counterMax) {
    throw appError('invalid_argument', 'fragment number is not of our form');
  }
  return text as FragmentNumber;
}

/** The counter inside a number, and the server timestamp it was made at. */
export function fragmentNumberParts(number: FragmentNumber): { counter: number; serverTimestampMs: number } {
  const value = BigInt(number);
  return {
    counter: Number((value >> 92n) & (2n ** 64n - 1n)),
    serverTimestampMs: Number((value >> 28n) & (2n ** 64n - 1n)),
  };
}

/** The highest number that lies before the given one and has another counter: what comes after it begins with the one. */
export function numberBefore(number: FragmentNumber): FragmentNumber {
  const { counter } = fragmentNumberParts(number);
  return (BigInt(fragmentNumber(counter, 0, 0)) - 1n).toString().padStart(digits, '0') as FragmentNumber;
}

/** The 20 bytes of a number, big endian, for packed tables. */
export function fragmentNumberToBytes(number: FragmentNumber): Uint8Array {
  return Buffer.from(BigInt(number).toString(16).padStart(40, '0'), 'hex');
}

/** @param bytes  20 bytes, big endian @throws AppError invalid_argument  as `parseFragmentNumber` */
export function fragmentNumberFromBytes(bytes: Uint8Array): FragmentNumber {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return parseFragmentNumber(BigInt(`0x${hex || '0'}`).toString());
}
