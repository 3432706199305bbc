/** The few DER forms (X.690) that a certificate is made of. Writing only; reading is Node's. */

/** One element: tag, length, the parts one after another. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([Uint8Array.of(tag), lengthOf(content.length), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x30, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x31, ...parts);
}

/** `[n]` with other elements inside it. */
export function tagged(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return element(0xa0 | number, ...parts);
}

/** `[n]` in place of a primitive type's own tag. */
export function taggedPrimitive(number: number, content: Uint8Array): Uint8Array {
  return element(0x80 | number, content);
}

/** A non-negative integer from its big-endian bytes. */
export function integer(bigEndian: Uint8Array): Uint8Array {
  let begin = 0;
  while (begin < bigEndian.length - 1 && bigEndian[begin] === 0) begin++;
  const bytes = bigEndian.subarray(begin);
  const needsSign = ((bytes[0] ?? 0) & 0x80) !== 0;
  return element(0x02, needsSign ? Uint8Array.of(0) : new Uint8Array(0), bytes);
}

export function boolean(value: boolean): Uint8Array {
  return element(0x01, Uint8Array.of(value ? 0xff : 0));
}

/** `1.2.840.10045.4.3.2` */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const sevens = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) sevens.unshift((left & 0x7f) | 0x80);
    return sevens;
  });
  return element(0x06, Uint8Array.from(bytes));
}

export function octetString(content: Uint8Array): Uint8Array {
  return element(0x04, content);
}

export function bitString(content: Uint8Array, options: { readonly unusedBits: number }): Uint8Array {
  return element(0x03, Uint8Array.of(options.unusedBits), content);
}

export function utf8String(text: string): Uint8Array {
  return element(0x0c, Buffer.from(text));
}

/** RFC 5280 4.1.2.5: UTCTime before 2050, GeneralizedTime from then on; both in whole seconds, UTC. */
export function time(wallMs: number): Uint8Array {
  const digits = new Date(wallMs).toISOString().replace(/\D/g, '').slice(0, 14);
  if (digits < '2050') return element(0x17, Buffer.from(`${digits.slice(2)}Z`));
  return element(0x18, Buffer.from(`${digits}Z`));
}

function lengthOf(bytes: number): Uint8Array {
  if (bytes < 0x80) return Uint8Array.of(bytes);
  if (bytes < 0x100) return Uint8Array.of(0x81, bytes);
  return Uint8Array.of(0x82, bytes >>> 8, bytes & 0xff);
}
