/** Reads the few DER forms (X.690) of a signing request. Views only; whatever is not exactly DER is refused. */

import { appError } from '../../storage/base/errors.ts';

/** One element: its tag, what is inside, and all of its bytes. */
export type DerElement = { readonly tag: number; readonly content: Uint8Array; readonly bytes: Uint8Array };

/** The elements that follow one another in these bytes. @throws AppError invalid_argument  the bytes are something else */
export function derElements(bytes: Uint8Array, { countMax }: { readonly countMax: number }): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (elements.length >= countMax) throw damaged();
    const element = elementAt(bytes, at);
    elements.push(element);
    at += element.bytes.length;
  }
  return elements;
}

/** The one element that these bytes are. @throws AppError invalid_argument */
export function derElement(bytes: Uint8Array, tag: number): DerElement {
  const element = elementAt(bytes, 0);
  if (element.tag !== tag || element.bytes.length !== bytes.length) throw damaged();
  return element;
}

/** `1.2.840.10045.4.3.2`. @throws AppError invalid_argument */
export function objectIdentifierText(element: DerElement | undefined): string {
  const { tag, content } = element ?? { tag: 0, content: new Uint8Array(0) };
  // Those of algorithms have 11 bytes at most.
  if (tag !== 0x06 || content.length < 1 || content.length > 32) throw damaged();
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    if (arc > 0xff_ffff) throw damaged();
    arc = arc * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}

/** The bytes of a bit string of whole bytes. @throws AppError invalid_argument */
export function bitStringBytes(element: DerElement | undefined): Uint8Array {
  if (element?.tag !== 0x03 || element.content[0] !== 0) throw damaged();
  return element.content.subarray(1);
}

function elementAt(bytes: Uint8Array, at: number): DerElement {
  const tag = bytes[at];
  const first = bytes[at + 1];
  // No tag of more than one byte stands in a signing request, and no length of more than two.
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw damaged();
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  if (lengthBytes > 2 || first === 0x80) throw damaged();
  const length =
    lengthBytes === 0
      ? first
      : bytes.subarray(at + 2, at + 2 + lengthBytes).reduce((value, byte) => value * 256 + byte, 0);
  const isShortest = lengthBytes === 0 || length >= (lengthBytes === 1 ? 0x80 : 0x100);
  const begin = at + 2 + lengthBytes;
  if (!isShortest || begin + length > bytes.length) throw damaged();
  return { tag, content: bytes.subarray(begin, begin + length), bytes: bytes.subarray(at, begin + length) };
}

function damaged() {
  return appError('invalid_argument', 'the certificate signing request is damaged', { field: 'csr' });
}
